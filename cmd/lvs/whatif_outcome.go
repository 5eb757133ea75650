package main

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/term"
	"github.com/golvs/lvs/workload"
)

// serverChange is a possible change of a real server.
type serverChange struct {
	kind   string // "remove", "drain" or "add"
	addr   netip.AddrPort
	weight int // of one that is added
}

func (ch serverChange) String() string {
	if ch.kind == "add" {
		return fmt.Sprintf("add %s weight %d", ch.addr, ch.weight)
	}
	return ch.kind + " " + ch.addr.String()
}

// make makes the change in a copy.
func (ch serverChange) make(ctx context.Context, client *lvs.Client, e lvs.ServiceEntry) error {
	switch ch.kind {
	case "remove":
		return client.RemoveRealServer(ctx, e.ID, ch.addr)
	case "drain":
		return client.SetWeight(ctx, e.ID, ch.addr, 0)
	}
	return client.AddRealServer(ctx, e.ID, lvs.RealServer{Addr: ch.addr, Mode: modeOf(e), Weight: ch.weight})
}

// outcome is what changes do.
type outcome struct {
	what                   string
	moved, ideal, baseline float64
	refused, largest       float64 // shares of clients afterwards
	conns                  string
	before, after          map[netip.AddrPort]float64 // shares of clients
	dueBefore, dueAfter    map[netip.AddrPort]float64 // by weight
}

// outcome compares three copies: two that differ in nothing but the time, and one that is
// changed.
func (s *study) outcome(ctx context.Context, e lvs.ServiceEntry, changes []serverChange) (*outcome, error) {
	o := &outcome{
		what: words(changes), conns: fate(e, changes), dueBefore: due(e.RealServers),
		before: make(map[netip.AddrPort]float64), after: make(map[netip.AddrPort]float64),
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
	d, err := workload.Disagree(ctx, e.ID, s.clients, s.seed, copies...)
	if err != nil {
		return nil, err
	}
	o.count(d)
	return o, nil
}

// count reads the shares of clients.
func (o *outcome) count(d *workload.Disagreement) {
	o.baseline, o.moved = d.Pairs[0].Share, d.Pairs[1].Share
	for _, line := range d.Shares {
		if !line.Server.IsValid() {
			o.refused = line.Shares[2]
			o.moved = max(0, o.moved-max(0, line.Shares[2]-line.Shares[0])) // those that got no other server
			continue
		}
		o.before[line.Server], o.after[line.Server] = line.Shares[0], line.Shares[2]
		o.largest = max(o.largest, line.Shares[2])
	}
	for addr, share := range o.dueAfter {
		o.ideal += max(0, share-o.dueBefore[addr])
	}
}

func words(changes []serverChange) string {
	all := make([]string, len(changes))
	for i, ch := range changes {
		all[i] = ch.String()
	}
	return strings.Join(all, ", ")
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

// fate says what happens to the connections of the changed servers.
func fate(e lvs.ServiceEntry, changes []serverChange) string {
	cut, kept := 0, 0
	for _, server := range e.RealServers {
		n := int(server.ActiveConns)
		if e.ID.Protocol() == lvs.ProtocolUDP {
			n = int(server.InactiveConns) // which counts all UDP flows
		}
		for _, ch := range changes {
			switch {
			case ch.addr != server.Addr:
			case ch.kind == "remove":
				cut += n
			case ch.kind == "drain":
				kept += n
			}
		}
	}
	switch {
	case cut > 0 && kept > 0:
		return fmt.Sprintf("%d break, %d continue", cut, kept)
	case cut > 0:
		return fmt.Sprintf("%d break", cut)
	case kept > 0:
		return fmt.Sprintf("%d continue", kept)
	}
	return "all stay"
}

// table writes a table, indented.
func (p *prose) table(t *term.Table) {
	for _, l := range t.Lines(max(0, p.out.Width-2)) {
		p.b.WriteString("  " + l.Render(p.out.Style) + "\n")
	}
}

func (p *prose) outcomes(all []*outcome) {
	t := &term.Table{Columns: []term.Column{
		{Head: "what if", Least: 20}, {Head: "moved", Right: true}, {Head: "ideal", Right: true}, {Head: "baseline", Right: true},
		{Head: "refused", Right: true}, {Head: "largest", Right: true}, {Head: "connections"},
	}}
	for _, o := range all {
		t.Add(o.what, percent(o.moved), percent(o.ideal), percent(o.baseline), percent(o.refused), percent(o.largest), o.conns)
	}
	p.table(t)
}

// shares shows each server's share before and after.
func (p *prose) shares(o *outcome) {
	t := &term.Table{Columns: []term.Column{
		{Head: "clients of"}, {Head: "before", Right: true}, {Head: "after", Right: true}, {Head: "by weight", Right: true}, {Head: "after", Right: true},
	}}
	var addrs []netip.AddrPort
	for _, shares := range []map[netip.AddrPort]float64{o.before, o.after, o.dueBefore, o.dueAfter} {
		addrs = slices.AppendSeq(addrs, maps.Keys(shares))
	}
	slices.SortFunc(addrs, netip.AddrPort.Compare)
	for _, addr := range slices.Compact(addrs) {
		t.Add(addr.String(), percent(o.before[addr]), percent(o.after[addr]), percent(o.dueBefore[addr]), percent(o.dueAfter[addr]))
	}
	p.line()
	p.table(t)
}

func percent(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }
