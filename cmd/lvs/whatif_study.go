package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/cli"
	"github.com/golvs/lvs/cmd/lvs/internal/term"
	"github.com/golvs/lvs/workload"
)

// clients are those that are simulated.
type clients = workload.Clients

var defaultClients = clients{Count: 20_000}

// study finds out what changes of real servers would do to a copy of a table.
type study struct {
	*whatif
	live   *lvs.Simulator // the copy, which is not changed
	missed []string
	prose  *prose
}

// run studies each service that is asked for.
func (s *study) run(ctx context.Context, env *cli.Env) error {
	table, err := snapshot(ctx, s.live)
	if err != nil {
		return err
	}
	s.prose = newProse(env)
	found := false
	for _, e := range table.Services {
		if !s.asks(e) {
			continue
		}
		if found {
			s.prose.line()
		}
		found = true
		if err := s.one(ctx, e); err != nil {
			return fmt.Errorf("%s: %w", e.ID, err)
		}
	}
	if !found {
		return s.notFound()
	}
	s.prose.missed(s.missed)
	return s.prose.flush(env.Out)
}

// missed writes what was not copied.
func (p *prose) missed(all []string) {
	if len(all) == 0 {
		return
	}
	p.line()
	p.line(term.Span{Text: "Not copied, so the result may differ:"})
	const most = 10 // that people like to read
	for i, m := range all {
		if i == most-1 && len(all) > most {
			p.line(term.Span{Text: fmt.Sprintf("  and %d others", len(all)-i)})
			return
		}
		p.text(term.Span{Text: "  "}, m, 0)
	}
}

func snapshot(ctx context.Context, sim *lvs.Simulator) (lvs.Snapshot, error) {
	client := sim.Client()
	defer client.Close()
	return client.Snapshot(ctx)
}

// asks reports whether the flags ask about a service.
func (s *study) asks(e lvs.ServiceEntry) bool {
	if s.service.IsValid() {
		return e.ID == s.service
	}
	return s.concerns(e)
}

// concerns reports whether a service has the servers to change, and could have those to
// add.
func (s *study) concerns(e lvs.ServiceEntry) bool {
	for _, ch := range s.changes {
		if ch.kind == "add" {
			if ch.addr.Port() != e.ID.AddrPort().Port() && modeOf(e) != lvs.NAT() {
				return false
			}
		} else if !has(e, ch.addr) {
			return false
		}
	}
	return true
}

func (s *study) notFound() error {
	if len(s.changes) > 0 {
		return errors.New("no service has these real servers, or could have the one to add; 'lvs show' lists them")
	}
	return errors.New("the table has no services; -demo has some, and -table reads others")
}

// modeOf returns the mode of the first server, which an added one gets too.
func modeOf(e lvs.ServiceEntry) lvs.Mode {
	if len(e.RealServers) == 0 {
		return lvs.DR()
	}
	return e.RealServers[0].Mode
}

func has(e lvs.ServiceEntry, addr netip.AddrPort) bool {
	return slices.ContainsFunc(e.RealServers, func(s lvs.RealServerStatus) bool { return s.Addr == addr })
}

// one studies the changes of a service that the flags name, or else all usual ones.
func (s *study) one(ctx context.Context, e lvs.ServiceEntry) error {
	conns := 0
	for _, server := range e.RealServers {
		conns += int(server.ActiveConns + server.InactiveConns)
	}
	s.prose.line(term.Span{Text: e.Service.String(), Attr: term.Bold}, term.Span{Text: fmt.Sprintf(", %d real servers, %d connections", len(e.RealServers), conns)})
	if !slices.ContainsFunc(e.RealServers, func(s lvs.RealServerStatus) bool { return s.Weight > 0 }) {
		s.prose.line(term.Span{Text: "  no server takes new connections"})
		return nil
	}
	variants := [][]serverChange{s.changes}
	if len(s.changes) == 0 {
		variants = usualChanges(e, s.weight)
	}
	var all []*outcome
	for _, changes := range variants {
		o, err := s.outcome(ctx, e, changes)
		if errors.Is(err, errors.ErrUnsupported) && !s.service.IsValid() { // others are shown nevertheless
			s.prose.text(term.Span{Text: "  "}, err.Error(), term.Magenta)
			return nil
		}
		if err != nil {
			return err
		}
		all = append(all, o)
	}
	s.prose.outcomes(all)
	if len(s.changes) > 0 {
		s.prose.shares(all[0])
	}
	if refuses(all) && (e.Scheduler == lvs.MH || e.Scheduler == lvs.SH) && e.SchedulerFlags&lvs.HashFallback == 0 {
		s.prose.line()
		s.prose.text(term.Span{Text: "  "}, fmt.Sprintf("A server of weight 0 keeps its place in the table of %s. With the flag fallback its clients would get another server; without it they are refused.", e.Scheduler), 0)
	}
	return nil
}

func refuses(all []*outcome) bool {
	return slices.ContainsFunc(all, func(o *outcome) bool { return o.refused > 0 })
}

// usualChanges returns the changes that people ask about.
func usualChanges(e lvs.ServiceEntry, weight int) (all [][]serverChange) {
	const many = 8 // only the first of more servers
	for _, kind := range []string{"remove", "drain"} {
		if kind == "remove" && len(e.RealServers) == 1 {
			continue // clients have no server without it
		}
		for _, server := range e.RealServers[:min(many, len(e.RealServers))] {
			all = append(all, []serverChange{{kind: kind, addr: server.Addr}})
		}
	}
	last := e.RealServers[len(e.RealServers)-1].Addr
	next := last.Addr().Next()
	for next.IsValid() && has(e, netip.AddrPortFrom(next, last.Port())) {
		next = next.Next()
	}
	if next.IsValid() {
		all = append(all, []serverChange{{"add", netip.AddrPortFrom(next, last.Port()), weight}})
	}
	return all
}
