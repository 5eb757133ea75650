package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/workload"
)

// change is a possible change of a real server.
type change struct {
	kind   kind
	addr   netip.AddrPort
	weight int // of one that is added
}

type kind string

const (
	remove kind = "remove"
	drain  kind = "drain"
	add    kind = "add"
)

func (ch change) String() string {
	if ch.kind == add {
		return fmt.Sprintf("add %s weight %d", ch.addr, ch.weight)
	}
	return string(ch.kind) + " " + ch.addr.String()
}

// study finds out what changes would do to a copy of a table.
type study struct {
	*options
	live   *lvs.Simulator // the copy, which is not changed
	missed []string
	out    io.Writer
}

func (s *study) printf(format string, args ...any) { fmt.Fprintf(s.out, format, args...) }

// services studies each service that is asked for.
func (s *study) services(ctx context.Context) error {
	client := s.live.Client()
	defer client.Close()
	table, err := client.Snapshot(ctx)
	if err != nil {
		return err
	}
	s.explicit = len(s.changes) > 0
	found := false
	for _, entry := range table.Services {
		if s.service.IsValid() && entry.ID != s.service {
			continue
		}
		if !s.service.IsValid() && s.explicit && !s.concerns(entry) {
			continue
		}
		if found {
			s.printf("\n")
		}
		found = true
		if err := s.one(ctx, entry); err != nil {
			return fmt.Errorf("%s: %w", entry.ID, err)
		}
	}
	switch {
	case !found && s.service.IsValid():
		return fmt.Errorf("there is no service %s", s.service)
	case !found && s.explicit:
		return errors.New("no service has these real servers, and none could have the one to add")
	case !found:
		return errors.New("the table has no services")
	}
	if len(s.missed) > 0 {
		s.printf("\nNot copied, so the result may differ:\n  %s\n", strings.Join(s.missed, "\n  "))
	}
	return nil
}

// concerns reports whether a service has the servers to change, and could have those
// to add.
func (s *study) concerns(e lvs.ServiceEntry) bool {
	for _, ch := range s.changes {
		if ch.kind == add {
			if ch.addr.Port() != e.ID.AddrPort().Port() && modeOf(e) != lvs.NAT() {
				return false
			}
		} else if !has(e, ch.addr) {
			return false
		}
	}
	return true
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
	s.printf("%s, %d real servers, %d connections\n", e.Service, len(e.RealServers), conns)
	if !slices.ContainsFunc(e.RealServers, func(s lvs.RealServerStatus) bool { return s.Weight > 0 }) {
		s.printf("  no server takes new connections\n")
		return nil
	}
	variants := [][]change{s.changes}
	if !s.explicit {
		variants = usual(e, s.weight)
	}
	refused := false
	s.printf("  %-32s %8s %8s %9s %8s %8s  %s\n", "what if", "moved", "ideal", "baseline", "refused", "largest", "connections")
	for _, changes := range variants {
		o, err := s.outcome(ctx, e, changes)
		if err != nil {
			return err
		}
		s.printf("  %-32s %8s %8s %9s %8s %8s  %s\n", o.what, percent(o.moved), percent(o.least), percent(o.anyway),
			percent(o.refused), percent(o.greatest), o.conns)
		if s.explicit {
			s.shares(o)
		}
		refused = refused || o.refused > 0
	}
	if refused && (e.Scheduler == lvs.MH || e.Scheduler == lvs.SH) && e.SchedulerFlags&lvs.HashFallback == 0 {
		s.printf("\n  A server of weight 0 keeps its place in the table of %s. With the flag fallback its clients\n"+
			"  would get another server; without it they are refused.\n", e.Scheduler)
	}
	return nil
}

// usual returns the changes that people ask about.
func usual(e lvs.ServiceEntry, weight int) (all [][]change) {
	const many = 8 // only the first of more servers
	for _, k := range []kind{remove, drain} {
		for _, server := range e.RealServers[:min(many, len(e.RealServers))] {
			all = append(all, []change{{kind: k, addr: server.Addr}})
		}
	}
	last := e.RealServers[len(e.RealServers)-1].Addr
	next := last.Addr().Next()
	for next.IsValid() && has(e, netip.AddrPortFrom(next, last.Port())) {
		next = next.Next()
	}
	if next.IsValid() {
		all = append(all, []change{{add, netip.AddrPortFrom(next, last.Port()), weight}})
	}
	return all
}

// outcome is what a change does.
type outcome struct {
	what                 string
	moved, least, anyway float64
	refused, greatest    float64 // shares of clients afterwards
	conns                string
	before, after        map[netip.AddrPort]float64 // shares of clients
	dueBefore, dueAfter  map[netip.AddrPort]float64 // by weight
}

func (s *study) outcome(ctx context.Context, e lvs.ServiceEntry, changes []change) (*outcome, error) {
	o := &outcome{}
	for i, ch := range changes {
		if i > 0 {
			o.what += ", "
		}
		o.what += ch.String()
	}
	var copies []*lvs.Simulator
	for range 3 {
		sim, _, err := lvs.SimulatorFrom(ctx, s.live.Host(), lvs.SimOptions{Seed: s.seed})
		if err != nil {
			return nil, err
		}
		copies = append(copies, sim)
	}
	client := copies[2].Client()
	defer client.Close()
	o.dueBefore = due(e.RealServers)
	for _, ch := range changes {
		if err := ch.make(ctx, client, e); err != nil {
			return nil, err
		}
	}
	servers, err := client.RealServers(ctx, e.ID)
	if err != nil {
		return nil, err
	}
	o.dueAfter = due(servers)
	o.conns = s.fate(e, changes)

	clients := workload.Clients{Count: s.clients}
	d, err := workload.Disagree(ctx, e.ID, clients, s.seed, copies...)
	if err != nil {
		return nil, err
	}
	o.anyway, o.moved = d.Pairs[0].Share, d.Pairs[1].Share
	o.before, o.after = make(map[netip.AddrPort]float64), make(map[netip.AddrPort]float64)
	for _, line := range d.Shares {
		if !line.Server.IsValid() {
			o.refused = line.Shares[2]
			o.moved = max(0, o.moved-max(0, line.Shares[2]-line.Shares[0])) // those that got no other server
			continue
		}
		o.before[line.Server], o.after[line.Server] = line.Shares[0], line.Shares[2]
		o.greatest = max(o.greatest, line.Shares[2])
	}
	for addr, share := range o.dueAfter {
		o.least += max(0, share-o.dueBefore[addr])
	}
	return o, nil
}

// due returns the shares of servers by weight.
func due(servers []lvs.RealServerStatus) map[netip.AddrPort]float64 {
	sum := 0.0
	for _, s := range servers {
		sum += float64(s.Weight)
	}
	shares := make(map[netip.AddrPort]float64)
	for _, s := range servers {
		if s.Weight > 0 {
			shares[s.Addr] = float64(s.Weight) / sum
		}
	}
	return shares
}

// make applies the change to a copy.
func (ch change) make(ctx context.Context, client *lvs.Client, e lvs.ServiceEntry) error {
	switch ch.kind {
	case remove:
		return client.RemoveRealServer(ctx, e.ID, ch.addr)
	case drain:
		err := client.SetWeight(ctx, e.ID, ch.addr, 0)
		return err
	}
	return client.AddRealServer(ctx, e.ID, lvs.RealServer{Addr: ch.addr, Mode: modeOf(e), Weight: ch.weight})
}

// fate describes what happens to the connections of the changed servers.
func (s *study) fate(e lvs.ServiceEntry, changes []change) string {
	cut, kept := 0, 0
	for _, server := range e.RealServers {
		for _, ch := range changes {
			n := int(server.ActiveConns)
			if e.ID.Protocol() == lvs.ProtocolUDP {
				n = int(server.InactiveConns) // which counts all UDP flows
			}
			switch {
			case ch.addr != server.Addr:
			case ch.kind == remove:
				cut += n
			case ch.kind == drain:
				kept += n
			}
		}
	}
	var words []string
	if cut > 0 {
		words = append(words, fmt.Sprintf("%d break", cut))
	}
	if kept > 0 {
		words = append(words, fmt.Sprintf("%d continue", kept))
	}
	if len(words) == 0 {
		return "all stay"
	}
	return strings.Join(words, ", ")
}

// shares shows each server's share before and after.
func (s *study) shares(o *outcome) {
	s.printf("\n  %-32s %8s %8s %10s %8s\n", "clients of", "before", "after", "by weight", "after")
	var addrs []netip.AddrPort
	for _, shares := range []map[netip.AddrPort]float64{o.before, o.after, o.dueBefore, o.dueAfter} {
		for addr := range shares {
			addrs = append(addrs, addr)
		}
	}
	slices.SortFunc(addrs, netip.AddrPort.Compare)
	for _, addr := range slices.Compact(addrs) {
		s.printf("  %-32s %8s %8s %10s %8s\n", addr, percent(o.before[addr]), percent(o.after[addr]),
			percent(o.dueBefore[addr]), percent(o.dueAfter[addr]))
	}
}

func percent(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }
