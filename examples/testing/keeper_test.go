package keeper

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golvs/lvs"
)

// One round, from various tables. No clock is involved, so synctest is not needed.
func TestRound(t *testing.T) {
	for name, c := range map[string]struct {
		small, big     int // weights that the table has
		sick           []netip.AddrPort
		toSmall, toBig int // how many of eight clients each gets after the round
	}{
		"all healthy":                     {1, 3, nil, 2, 6},
		"one fails":                       {1, 3, []netip.AddrPort{big}, 8, 0},
		"it stays down":                   {1, 0, []netip.AddrPort{big}, 8, 0},
		"it recovers":                     {1, 0, nil, 2, 6},
		"they swap":                       {1, 0, []netip.AddrPort{small}, 0, 8},
		"another program changed weights": {7, 7, nil, 2, 6},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, lvs.SimOptions{})
			s.do(
				lvs.UpdateRealServer(web, lvs.RealServer{Addr: small, Weight: c.small}),
				lvs.UpdateRealServer(web, lvs.RealServer{Addr: big, Weight: c.big}),
			)
			for _, addr := range c.sick {
				s.setSick(addr, true)
			}
			if err := s.keeper.round(t.Context()); err != nil {
				t.Fatal(err)
			}
			s.wantShares(c.toSmall, c.toBig)
		})
	}
}

// A round that finds everything in order writes nothing.
func TestNothingToDo(t *testing.T) {
	s := newSite(t, lvs.SimOptions{})
	s.sim.Changes() // those of newSite
	if err := s.keeper.round(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := s.sim.Changes(); len(got) > 0 {
		t.Errorf("the round wrote %v", got)
	}
}

// Servers that the keeper was not configured with belong to other programs.
func TestOthersAreLeftAlone(t *testing.T) {
	s := newSite(t, lvs.SimOptions{})
	foreign := netip.MustParseAddrPort("10.168.0.96:80")
	s.do(lvs.AddRealServer(web, lvs.RealServer{Addr: foreign, Weight: 5}))
	s.setSick(foreign, true)
	if err := s.keeper.round(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.wantWeight(foreign, 5)
}

// When all servers are down, clients are refused, rather than left to time out.
func TestAllSick(t *testing.T) {
	s := newSite(t, lvs.SimOptions{})
	s.setSick(small, true)
	s.setSick(big, true)
	if err := s.keeper.round(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := s.connect()
	var not *lvs.NotForwardedError
	if !errors.As(err, &not) || not.Verdict.Action != lvs.ActionRefused || not.Verdict.Reason != lvs.ReasonNoServerUsable {
		t.Errorf("a client got %v, want it refused because no server is usable", err)
	}
}

// A server that fails its health check gets no new connections. Its open connections
// keep working, and when it recovers, it gets its share again.
func TestDrainAndReturn(t *testing.T) {
	inBubble(t, func(s *site) {
		s.run()
		s.wantShares(2, 6)
		conn, err := s.connect()
		for err == nil && conn.Server() != big {
			conn, err = s.connect()
		}
		if err != nil {
			s.Fatal(err)
		}
		before := s.status(big).ActiveConns

		s.setSick(big, true)
		settle(6 * time.Second)
		s.wantShares(8, 0)
		s.wantConns(big, before)
		if err := conn.Send(100); err != nil {
			s.Errorf("a connection to the drained server: %v", err)
		}

		s.setSick(big, false)
		settle(5 * time.Second)
		s.wantShares(2, 6)
	})
}

// A drained server is empty once its connections have expired. That takes fifteen
// minutes, but no time in a test.
func TestDrainedServerRunsEmpty(t *testing.T) {
	inBubble(t, func(s *site) {
		s.run()
		s.wantShares(2, 6)
		s.setSick(big, true)
		settle(15*time.Minute - time.Second)
		s.wantConns(big, 6)
		settle(2 * time.Second)
		s.wantConns(big, 0)
	})
}

// Whatever goes wrong while a server is drained, a later round corrects it, even if
// the server recovered before the fault was over.
func TestFaults(t *testing.T) {
	for name, c := range map[string]struct {
		fault lvs.SimFault
		warns bool // a round fails
	}{
		"the kernel refuses to list":    {lvs.SimFault{Op: lvs.OpListRealServers, Errno: lvs.EPERM}, true},
		"the reply to listing is lost":  {lvs.SimFault{Op: lvs.OpListRealServers, LoseReply: true}, true},
		"the kernel refuses the change": {lvs.SimFault{Op: lvs.OpUpdateRealServer, Errno: lvs.ENOMEM, Times: 2}, true},
		"the kernel is slow":            {lvs.SimFault{Op: lvs.OpUpdateRealServer, Delay: 500 * time.Millisecond}, false},
		"the kernel takes too long":     {lvs.SimFault{Op: lvs.OpUpdateRealServer, Delay: 20 * time.Second}, true},
		"the reply is lost":             {lvs.SimFault{Op: lvs.OpUpdateRealServer, LoseReply: true}, true},
	} {
		for after, sickFor := range map[string]time.Duration{"for long": 30 * time.Second, "for a moment": 6 * time.Second} {
			t.Run(name+", sick "+after, func(t *testing.T) {
				inBubble(t, func(s *site) {
					s.setSick(big, true)
					s.inject(c.fault)
					s.run()
					settle(sickFor)
					if sickFor > 20*time.Second {
						s.wantShares(8, 0)
					}
					s.setSick(big, false)
					settle(30 * time.Second)
					s.wantShares(2, 6)
					if warned := s.log.Len() > 0; warned != c.warns {
						s.Errorf("the log is %q", s.log.String())
					}
				})
			})
		}
	}
}

// Another program changes the table between the keeper's reading and writing.
func TestTableChangesConcurrently(t *testing.T) {
	replace := []lvs.Change{lvs.RemoveRealServer(web, big), lvs.AddRealServer(web, lvs.RealServer{Addr: big, Weight: 7})}
	for name, c := range map[string]struct {
		changes []lvs.Change
		exists  bool // whether the server exists in the end
	}{
		"it is removed":  {replace[:1], false},
		"it is replaced": {replace, true},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(s *site) {
				s.setSick(big, true)
				s.inject(lvs.SimFault{Op: lvs.OpUpdateRealServer, Before: func() { s.do(c.changes...) }})
				s.run()
				settle(6 * time.Second)
				s.wantShares(8, 0)
				if _, err := s.client.RealServer(s.Context(), web, big); errors.Is(err, lvs.ErrNotFound) == c.exists {
					s.Errorf("the server: %v", err)
				}
				if s.log.Len() > 0 {
					s.Errorf("the log is %q, want nothing", s.log.String())
				}
			})
		})
	}
}

// A server that never answers its health check is drained as well, and does not
// delay the others.
func TestHangingServer(t *testing.T) {
	inBubble(t, func(s *site) {
		s.keeper.Healthy = func(ctx context.Context, addr netip.AddrPort) bool {
			if addr == big {
				<-ctx.Done()
			}
			return ctx.Err() == nil
		}
		s.run()
		settle(2 * time.Second)
		s.wantShares(8, 0)
	})
}

// A keeper that is stopped during its health checks leaves the servers as they are.
func TestStopDrainsNothing(t *testing.T) {
	inBubble(t, func(s *site) {
		s.keeper.Healthy = func(ctx context.Context, _ netip.AddrPort) bool {
			<-ctx.Done()
			return false
		}
		ctx, stop := context.WithCancel(s.Context())
		done := make(chan error, 1)
		go func() { done <- s.keeper.Run(ctx) }()
		synctest.Wait()
		stop()
		if err := <-done; !errors.Is(err, context.Canceled) {
			s.Errorf("the keeper ended with %v", err)
		}
		s.wantShares(2, 6)
	})
}
