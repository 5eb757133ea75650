package top

import (
	"fmt"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/term"
)

// note says something of a service or a real server: why it gets nothing, and how far a
// drain is.
type note struct {
	short string // at most noteWidth cells
	long  string // a sentence without a full stop
	attr  term.Attr
}

// noteWidth is how wide the place of a note is on a narrow screen.
const noteWidth = 18

// serviceNote says why a service gets nothing.
func serviceNote(s *Service) note {
	usable, full := 0, 0
	for i := range s.Servers {
		switch {
		case isUsable(&s.Servers[i]):
			usable++
		case s.Servers[i].Weight > 0:
			full++
		}
	}
	switch {
	case s.Scheduler == lvs.NoScheduler:
		return note{"no scheduler", "the service has no scheduler, so new connections are refused", term.Red}
	case len(s.Servers) == 0:
		return note{"no servers", "the service has no real servers, so new connections are refused", term.Red}
	case usable == 0 && full > 0:
		return note{"all servers full", "all servers with a weight have reached their upper thresholds, so new connections are refused", term.Red}
	case usable == 0:
		return note{"all weights are 0", "all real servers have weight 0, so new connections are refused", term.Red}
	case s.Stats.Rates == (lvs.Rates{}):
		return note{"no traffic", "no packets of clients arrive; e and Enter explain what would happen to one", term.Dim}
	}
	return note{}
}

// serverNote says why a real server gets nothing, or less than it is configured for.
func (m *Model) serverNote(b *balance, place int) note {
	n := m.tableNote(b, place)
	is := m.healthOf(b.service, &b.service.Servers[place])
	if is == nil {
		return n
	}
	if text, attr := m.healthNote(is); text != "" {
		n.short, n.attr = term.Cut(text, noteWidth), attr
		if n.long != "" {
			text += "; " + n.long
		}
		n.long = text
	}
	return n
}

// tableNote says what the table shows of that.
func (m *Model) tableNote(b *balance, place int) note {
	server := &b.service.Servers[place]
	if server.Weight == 0 {
		return m.drainNote(b.service, server)
	}
	if server.Details == nil {
		return note{}
	}
	upper, conns, reopens := server.Details.UpperThreshold, server.conns(), reopens(server.Details)
	got, sum := b.gets(place)
	switch {
	case isFull(server):
		return note{
			fmt.Sprintf("full, %s of %s", count(conns), count(upper)),
			fmt.Sprintf("full: %d connections reached the upper threshold, %d; it opens again below %d", conns, upper, reopens), term.Magenta,
		}
	case sum == 0 || got > 0 || b.note.short != "":
		return note{}
	case upper > 0 && conns >= reopens:
		return note{
			"perhaps closed", fmt.Sprintf("if it was full it stays closed until it has fewer than %d connections; now it has %d",
				reopens, conns), term.Magenta,
		}
	}
	return idleNote(b.service, server)
}

// reopens returns below how many connections a full server gets new ones again.
func reopens(s *lvs.RealServerStatus) int {
	if s.LowerThreshold > 0 {
		return s.LowerThreshold
	}
	return s.UpperThreshold * 3 / 4
}

// idleNote says why a usable server gets nothing although others do.
func idleNote(s *Service, server *Server) note {
	switch s.Scheduler {
	case lvs.FO:
		return note{"stand-by", "stand-by: fo sends all to the usable server of the highest weight", 0}
	case lvs.OVF:
		return note{"not needed yet", "not needed yet: ovf fills servers of higher weight first", 0}
	case lvs.SH, lvs.MH:
		return note{"no client hashes", fmt.Sprintf("none of the clients of late hashes to it; e explains one (%s)", s.Scheduler), 0}
	case lvs.DH, lvs.LBLC, lvs.LBLCR:
		return note{"no destination", fmt.Sprintf("%s picked other servers for the destinations of late", s.Scheduler), 0}
	}
	if s.Persistence.Timeout != 0 {
		return note{"clients are tied", "persistence ties the clients of late to other servers", 0}
	}
	if server.Active > 0 {
		return note{"busier than others", "the scheduler prefers servers with fewer connections for their weight", 0}
	}
	return note{"none lately", "usable, and got no connection lately", 0}
}

// drainNote says how far a server of weight 0 is, and what set its weight.
func (m *Model) drainNote(s *Service, server *Server) note {
	left := server.conns()
	n := note{"weight 0", "weight 0: it gets no new connections", term.Magenta}
	if left > 0 {
		n.short = "draining, " + count(left) + " left"
		n.long = fmt.Sprintf("draining: weight 0, %d connections left", left)
		if len(n.short) > noteWidth {
			n.short = "drain, " + count(left) + " left"
		}
	}
	if d := server.Details; d != nil && d.PersistentConns > 0 {
		n.long += fmt.Sprintf("; persistence still sends it %s", plural(d.PersistentConns, "client"))
	}
	if d := m.drainOf(s.ID, server); d != nil {
		time := d.Deadline.Sub(m.Now).Round(time.Second)
		if time > 0 {
			n.short = count(left) + " left, " + short(time)
			n.long += fmt.Sprintf("; removed in %s at the latest", short(time))
		} else {
			n.short = count(left) + " left, overdue"
			n.long += fmt.Sprintf("; should have been removed %s ago, but no program goes on with the drain", short(-time))
		}
		n.long += fmt.Sprintf("; drained since %s by the program of the state file", d.Began.Local().Format("15:04:05"))
	}
	if was, ok := m.Quiesced[Row{s.ID, server.Addr}]; ok {
		n.long += fmt.Sprintf("; set here, was %d: u undoes it", was)
	}
	return n
}

func (m *Model) drainOf(id lvs.ServiceID, server *Server) *lvs.Drain {
	for i := range m.Reading.Drains {
		d := &m.Reading.Drains[i]
		if d.Service == id && (d.RealServer == server.Addr || !d.RealServer.IsValid()) {
			return d
		}
	}
	return nil
}
