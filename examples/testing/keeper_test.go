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

// One round, whatever the table was before. There is no clock in it, so it needs
// no synctest.
func TestRound(t *testing.T) {
	for name, c := range map[string]struct {
		small, big     int // weights that the table has
		sick           []netip.AddrPort
		toSmall, toBig int // how many of eight clients they get after the round
	}{
		"all is well":              {1, 3, nil, 2, 6},
		"one falls sick":           {1, 3, []netip.AddrPort{big}, 8, 0},
		"it stays sick":            {1, 0, []netip.AddrPort{big}, 8, 0},
		"it is healthy again":      {1, 0, nil, 2, 6},
		"they change places":       {1, 0, []netip.AddrPort{small}, 0, 8},
		"somebody changed weights": {7, 7, nil, 2, 6},
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

// A server of which the keeper was told nothing is somebody else's.
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

// When all servers are sick, clients are refused and not left waiting.
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
		t.Errorf("a client got %v, want to be refused for want of a server", err)
	}
}

// A server that falls sick gets no new connections and keeps those that it has,
// and they work. When it is healthy again, it gets its share.
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

// A drained server is empty when its connections have run out. That takes
// fifteen minutes, and here no time at all.
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

// Whatever goes wrong while a server is drained, a later round mends it. So it
// does when the server was healthy again before the fault was over.
func TestFaults(t *testing.T) {
	for name, c := range map[string]struct {
		fault lvs.SimFault
		warns bool // a round fails
	}{
		"the kernel refuses to list":    {lvs.SimFault{Op: "list real servers of", Errno: lvs.EPERM}, true},
		"the listing is lost":           {lvs.SimFault{Op: "list real servers of", LoseReply: true}, true},
		"the kernel refuses the change": {lvs.SimFault{Op: "update real server", Errno: lvs.ENOMEM, Times: 2}, true},
		"the kernel is slow":            {lvs.SimFault{Op: "update real server", Delay: 500 * time.Millisecond}, false},
		"the kernel takes too long":     {lvs.SimFault{Op: "update real server", Delay: 20 * time.Second}, true},
		"the answer is lost":            {lvs.SimFault{Op: "update real server", LoseReply: true}, true},
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

// Others change the table between what the keeper reads and what it writes.
func TestTableChangesMeanwhile(t *testing.T) {
	anew := []lvs.Change{lvs.RemoveRealServer(web, big), lvs.AddRealServer(web, lvs.RealServer{Addr: big, Weight: 7})}
	for name, c := range map[string]struct {
		changes []lvs.Change
		isThere bool // the server, in the end
	}{
		"it is removed":    {anew[:1], false},
		"it is added anew": {anew, true},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(s *site) {
				s.setSick(big, true)
				s.inject(lvs.SimFault{Op: "update real server", Before: func() { s.do(c.changes...) }})
				s.run()
				settle(6 * time.Second)
				s.wantShares(8, 0)
				if _, err := s.client.RealServer(s.Context(), web, big); errors.Is(err, lvs.ErrNotFound) == c.isThere {
					s.Errorf("the server: %v", err)
				}
				if s.log.Len() > 0 {
					s.Errorf("the log is %q, want nothing", s.log.String())
				}
			})
		})
	}
}

// A server that does not answer at all is drained like one that says it is sick,
// and holds up nobody else.
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

// A keeper that is stopped while it waits for servers leaves them as they are.
func TestStopDrainsNobody(t *testing.T) {
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
