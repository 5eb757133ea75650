package main

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/ipvsadm"
)

// The real servers (RIP), and the services, each identified by its VIP and port.
var (
	rs1 = netip.MustParseAddrPort("10.168.0.94:80")
	rs2 = netip.MustParseAddrPort("10.168.0.95:80")

	drSite  = lvs.TCP(netip.MustParseAddrPort("10.168.0.91:80"))
	natSite = lvs.TCP(netip.MustParseAddrPort("192.168.0.11:80"))
)

// persistence is how long the NAT service remembers which server a client had.
const persistence = 300 * time.Second

// sites is the whole configuration of the director. Changes are values: they
// are printed below, then sent to the kernel with one call.
var sites = []lvs.Change{
	lvs.AddService(lvs.Service{ID: drSite, Scheduler: lvs.RR}),
	lvs.AddRealServer(drSite, lvs.NewRealServer(rs1, lvs.DR())),
	lvs.AddRealServer(drSite, lvs.NewRealServer(rs2, lvs.DR())),

	lvs.AddService(lvs.Service{ID: natSite, Scheduler: lvs.LC, Persistence: lvs.Persistence{Timeout: persistence}}),
	lvs.AddRealServer(natSite, lvs.NewRealServer(rs1, lvs.NAT())),
	lvs.AddRealServer(natSite, lvs.NewRealServer(rs2, lvs.NAT())),
}

// story is a run of the program.
type story struct {
	*ground
	out     io.Writer
	visited func(lvs.ServiceID, answers) // called after each round of visits; may be nil
}

// balance adds both services, and shows how they distribute clients.
func (s *story) balance(ctx context.Context) error {
	s.say("Two services, sent to the kernel with one call:")
	for _, change := range sites {
		s.say("    %s", change)
	}
	if err := s.director.Do(ctx, sites...); err != nil {
		return err
	}
	s.say("\nRound robin (rr) takes the servers in turn:")
	if err := s.visit(ctx, drSite, s.everyone); err != nil {
		return err
	}
	s.say("\nLeast connections (lc), and persistence ties each client to the server of its first connection:")
	if err := s.visit(ctx, natSite, s.first); err != nil {
		return err
	}
	return s.showTable(ctx)
}

// drain takes a server out of service without breaking connections.
func (s *story) drain(ctx context.Context) error {
	s.say("\nDrain %s: with weight 0 it gets no new connections and keeps the existing ones.", rs1)
	for _, site := range []lvs.ServiceID{drSite, natSite} {
		if err := s.director.SetWeight(ctx, site, rs1, 0); err != nil {
			return err
		}
		s.say("    %s -> %s: weight becomes 0", site, rs1)
	}
	if err := s.goOn(); err != nil {
		return err
	}
	s.say("\nNew connections go to the other server:")
	if err := s.visit(ctx, drSite, s.everyone); err != nil {
		return err
	}
	s.say("\nPersistence still applies, though: clients tied to the drained server keep coming, for %s:", persistence)
	if err := s.visit(ctx, natSite, s.first); err != nil {
		return err
	}
	s.say("\nNew clients go to the other server:")
	if err := s.visit(ctx, natSite, s.fresh); err != nil {
		return err
	}
	return s.showTable(ctx)
}

// goOn shows that open connections stay on their servers, if any are open.
func (s *story) goOn() error {
	if s.resume == nil {
		return nil
	}
	now, err := s.resume(drSite.AddrPort())
	if err != nil {
		return err
	}
	s.say("\nOpen connections continue on their servers:")
	s.report(drSite, now)
	return nil
}

// later lets time pass, where the clock is simulated.
func (s *story) later(ctx context.Context) error {
	if s.wait == nil {
		return nil
	}
	if err := s.wait(time.Hour); err != nil {
		return err
	}
	s.say("\nAn hour later, connections and persistence have expired, and the drained server has nothing left to do:")
	if err := s.visit(ctx, natSite, s.first); err != nil {
		return err
	}
	return s.showTable(ctx)
}

// raise brings the server back, with three times the share of the other one.
func (s *story) raise(ctx context.Context) error {
	s.say("\nBring %s back with weight 3 against 1, and let weights count: weighted round robin (wrr).", rs1)
	was, err := s.director.ModifyService(ctx, drSite, func(s *lvs.Service) { s.Scheduler = lvs.WRR })
	if err != nil {
		return err
	}
	s.say("    %s: scheduler %s becomes wrr", drSite, was.Scheduler)
	if err := s.director.SetWeight(ctx, drSite, rs1, 3); err != nil {
		return err
	}
	s.say("    %s -> %s: weight becomes 3", drSite, rs1)
	s.say("\nThree of four connections go there:")
	if err := s.visit(ctx, drSite, s.everyone); err != nil {
		return err
	}
	return s.showTable(ctx)
}

// showTable reads the director's table back from the kernel.
func (s *story) showTable(ctx context.Context) error {
	entries, err := s.director.Snapshot(ctx)
	if err != nil {
		return err
	}
	info, err := s.director.Info(ctx)
	if err != nil {
		return err
	}
	s.say("\nThe director's table, as ipvsadm -Ln shows it:\n")
	return ipvsadm.List(s.out, info, entries, ipvsadm.ListOptions{})
}

func (s *story) say(format string, args ...any) {
	fmt.Fprintf(s.out, format+"\n", args...)
}
