package main

import (
	"strconv"
	"strings"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/cli"
	"github.com/golvs/lvs/cmd/lvs/internal/term"
)

// writeTable writes a table for people. The wide one has all counters.
func writeTable(env *cli.Env, table lvs.Snapshot, wide bool) error {
	t := &term.Table{Columns: []term.Column{{Head: "SERVICE", Least: 26}, {Head: "METHOD", Least: 4}}}
	for _, head := range []string{"WT", "ACT", "INACT", "SHARE", "NEW/s"} {
		t.Columns = append(t.Columns, term.Column{Head: head, Right: true})
	}
	if wide {
		for _, head := range []string{"CONNS", "IN PACKETS", "OUT PACKETS", "IN BYTES", "OUT BYTES", "PERSISTENT", "UPPER", "LOWER"} {
			t.Columns = append(t.Columns, term.Column{Head: head, Right: true})
		}
	}
	t.Columns = append(t.Columns, term.Column{Head: "NOTE"})
	for _, s := range table.Services {
		showService(t, s, wide)
	}
	out := term.Inspect(env.Out, env.Getenv)
	if wide {
		out.Width = 0
	}
	return t.Write(env.Out, out)
}

// showService adds a service and its real servers.
func showService(t *term.Table, s lvs.ServiceEntry, wide bool) {
	active, inactive, persistent, all := 0, 0, 0, uint64(0)
	for _, r := range s.RealServers {
		active += r.ActiveConns
		inactive += r.InactiveConns
		persistent += r.PersistentConns
		all += r.Stats.Conns
	}
	method := strings.TrimSpace(strings.TrimPrefix(s.Service.String(), s.ID.String()))
	row := []term.Span{{Text: s.ID.String(), Attr: term.Bold}, plain(term.Clean(method)), {}, number(active), number(inactive), {}, number(s.Stats.Rates.Conns)}
	if wide {
		row = append(row, counters(s.Stats)...)
		row = append(row, number(persistent), term.Span{}, term.Span{})
	}
	if len(s.RealServers) == 0 {
		row = append(row, term.Span{Text: "no real server", Attr: term.Magenta})
	}
	t.Rows = append(t.Rows, row)
	for _, r := range s.RealServers {
		showServer(t, r, all, wide)
	}
}

// showServer adds a real server of a service that had some connections.
func showServer(t *term.Table, r lvs.RealServerStatus, all uint64, wide bool) {
	row := []term.Span{plain("  " + r.Addr.String()), plain(r.Mode.String()), number(r.Weight), number(r.ActiveConns), number(r.InactiveConns),
		plain(share(r.Stats.Conns, all)), number(r.Stats.Rates.Conns)}
	if wide {
		row = append(row, counters(r.Stats)...)
		row = append(row, number(r.PersistentConns), plain(threshold(r.UpperThreshold)), plain(threshold(r.LowerThreshold)))
	}
	t.Rows = append(t.Rows, append(row, term.Span{Text: serverNote(r), Attr: term.Magenta}))
}

// serverNote says why a real server gets no new connections, as far as its own values do.
// One that was full stays closed until it is below the lower threshold, and the kernel
// does not show whether it is.
func serverNote(r lvs.RealServerStatus) string {
	conns := r.ActiveConns + r.InactiveConns
	switch {
	case r.Weight == 0 && conns > 0:
		return "draining"
	case r.Weight == 0:
		return "off"
	case r.UpperThreshold > 0 && conns >= r.UpperThreshold:
		return "full"
	case r.UpperThreshold > 0 && conns >= lowerThreshold(r):
		return "perhaps full"
	}
	return ""
}

// lowerThreshold returns the threshold that counts.
func lowerThreshold(r lvs.RealServerStatus) int {
	if r.LowerThreshold != 0 {
		return r.LowerThreshold
	}
	return r.UpperThreshold - r.UpperThreshold/4
}

func counters(s lvs.Stats) []term.Span {
	return []term.Span{number(s.Conns), number(s.InPackets), number(s.OutPackets), number(s.InBytes), number(s.OutBytes)}
}

// share returns a part of a sum in per cent, "" of nothing.
func share(part, sum uint64) string {
	if sum == 0 {
		return ""
	}
	return strconv.FormatFloat(100*float64(part)/float64(sum), 'f', 0, 64) + "%"
}

func threshold(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func plain(text string) term.Span { return term.Span{Text: text} }

func number[N int | uint64](n N) term.Span { return plain(strconv.FormatUint(uint64(n), 10)) }
