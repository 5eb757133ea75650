package keeper

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golvs/lvs"
)

var (
	vip  = netip.MustParseAddrPort("10.168.0.91:80")
	web  = lvs.TCP(vip)
	good = netip.MustParseAddrPort("10.168.0.94:80")
	bad  = netip.MustParseAddrPort("10.168.0.95:80")
)

// site is a simulated director with a service, and a keeper that watches it.
type site struct {
	*testing.T
	sim    *lvs.Simulator
	client *lvs.Client
	keeper *Keeper

	mu   sync.Mutex
	sick map[netip.AddrPort]bool
	port uint16
}

// newSite makes a simulator that follows the clock of package time: inside
// synctest that is the test's own, which keeper, client and kernel share.
func newSite(t *testing.T) *site {
	t.Helper()
	sim, err := lvs.NewSimulator(lvs.SimulatorOptions{Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{T: t, sim: sim, client: sim.Client(), sick: make(map[netip.AddrPort]bool), port: 1023}
	t.Cleanup(func() { s.client.Close() })
	err = s.client.Do(t.Context(),
		lvs.AddService(lvs.Service{ID: web, Scheduler: lvs.WRR}),
		lvs.AddServer(web, lvs.RealServer{Addr: good, Weight: 1}),
		lvs.AddServer(web, lvs.RealServer{Addr: bad, Weight: 3}),
	)
	if err != nil {
		t.Fatal(err)
	}
	s.keeper = &Keeper{
		Client: s.client, Service: web, Healthy: s.healthy,
		Every: 5 * time.Second, Timeout: time.Second, Log: slog.New(slog.DiscardHandler),
	}
	return s
}

func (s *site) healthy(_ context.Context, addr netip.AddrPort) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.sick[addr]
}

func (s *site) setSick(addr netip.AddrPort, sick bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sick[addr] = sick
}

// run lets the keeper run until the test ends.
func (s *site) run() {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.keeper.Run(ctx) }()
	s.Cleanup(func() {
		stop()
		if err := <-done; !errors.Is(err, context.Canceled) {
			s.Errorf("the keeper ended with %v", err)
		}
	})
}

// visit opens connections, as new clients would, and counts who got them.
func (s *site) visit(n int) map[netip.AddrPort]int {
	s.Helper()
	got := make(map[netip.AddrPort]int)
	for range n {
		got[s.connect().Server()]++
	}
	return got
}

func (s *site) connect() *lvs.Conn {
	s.Helper()
	s.port++
	conn, err := s.sim.Connect(lvs.Flow{Client: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), s.port), VIP: vip})
	if err != nil {
		s.Fatal(err)
	}
	return conn
}

func (s *site) status(addr netip.AddrPort) lvs.RealServerStatus {
	s.Helper()
	status, err := s.client.Server(s.Context(), web, addr)
	if err != nil {
		s.Fatal(err)
	}
	return status
}

func (s *site) wantWeight(addr netip.AddrPort, want int) {
	s.Helper()
	if got := s.status(addr).Weight; got != want {
		s.Errorf("%s has weight %d, want %d", addr, got, want)
	}
}

// settle lets the keeper finish its rounds of the next so many seconds.
func settle(seconds int) {
	time.Sleep(time.Duration(seconds) * time.Second)
	synctest.Wait()
}

// A server that falls sick gets no new connections, keeps those that it has, and
// gets its share back when it is healthy again.
func TestDrainAndReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.run()
		if got := s.visit(8); got[good] != 2 || got[bad] != 6 {
			t.Errorf("the servers got %v, want 2 and 6", got)
		}

		s.setSick(bad, true)
		settle(6)
		s.wantWeight(bad, 0)
		if got := s.visit(8); got[good] != 8 {
			t.Errorf("the servers got %v, want 8 for the healthy one", got)
		}
		if n := s.status(bad).ActiveConns; n != 6 {
			t.Errorf("the sick server has %d connections, want the 6 that it had", n)
		}

		s.setSick(bad, false)
		settle(5)
		s.wantWeight(bad, 3)
		if got := s.visit(8); got[good] != 2 || got[bad] != 6 {
			t.Errorf("the servers got %v, want 2 and 6", got)
		}
	})
}

// A drained server is empty when its connections have run out. That takes
// fifteen minutes, and here no time at all.
func TestDrainedServerRunsEmpty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.run()
		s.visit(8)
		s.setSick(bad, true)
		settle(15*60 - 1)
		if n := s.status(bad).ActiveConns; n != 6 {
			t.Errorf("the drained server has %d connections, want 6", n)
		}
		settle(2)
		if n := s.status(bad).ActiveConns; n != 0 {
			t.Errorf("the drained server has %d connections, want none", n)
		}
	})
}

// When all servers are sick, clients are refused and not left waiting.
func TestAllSick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.setSick(good, true)
		s.setSick(bad, true)
		s.run()
		settle(1)
		_, err := s.sim.Connect(lvs.Flow{Client: netip.MustParseAddrPort("192.0.2.1:1024"), VIP: vip})
		var refused *lvs.NotForwardedError
		if !errors.As(err, &refused) || refused.Verdict.Action != lvs.Refused {
			t.Errorf("a client got %v, want to be refused", err)
		}
	})
}

// Whatever goes wrong in a round, the next one mends it.
func TestFaults(t *testing.T) {
	for name, fault := range map[string]func(*site) lvs.Fault{
		"the kernel refuses to list": func(*site) lvs.Fault {
			return lvs.Fault{Op: "list real servers of", Errno: lvs.Errno(syscall.EPERM)}
		},
		"the kernel refuses the change": func(*site) lvs.Fault {
			return lvs.Fault{Op: "update real server", Errno: lvs.Errno(syscall.ENOMEM), Times: 2}
		},
		"the kernel hangs": func(*site) lvs.Fault {
			return lvs.Fault{Op: "update real server", Delay: 20 * time.Second}
		},
		"the answer is lost": func(*site) lvs.Fault {
			return lvs.Fault{Op: "update real server", LoseReply: true}
		},
		"somebody adds the server anew meanwhile": func(s *site) lvs.Fault {
			return lvs.Fault{Op: "update real server", Before: func() {
				err := s.client.Do(context.Background(), lvs.RemoveServer(web, bad), lvs.AddServer(web, lvs.RealServer{Addr: bad, Weight: 7}))
				if err != nil {
					s.Error(err)
				}
			}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t)
				s.setSick(bad, true)
				if err := s.sim.Inject(fault(s)); err != nil {
					t.Fatal(err)
				}
				s.run()
				settle(30)
				s.wantWeight(bad, 0)
				if got := s.visit(4); got[good] != 4 {
					t.Errorf("the servers got %v, want 4 for the healthy one", got)
				}
				s.setSick(bad, false)
				settle(10)
				s.wantWeight(bad, 3)
			})
		})
	}
}

// A server that somebody removed is no error, and neither is one that somebody
// added.
func TestTableChangesMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		third := netip.MustParseAddrPort("10.168.0.96:80")
		s.setSick(bad, true)
		s.setSick(third, true)
		err := s.sim.Inject(lvs.Fault{Op: "update real server", Before: func() {
			err := s.client.Do(context.Background(), lvs.RemoveServer(web, bad), lvs.AddServer(web, lvs.RealServer{Addr: third, Weight: 2}))
			if err != nil {
				t.Error(err)
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		s.run()
		settle(6)
		s.wantWeight(third, 0)
		if _, err := s.client.Server(t.Context(), web, bad); !errors.Is(err, lvs.ErrNotFound) {
			t.Errorf("the removed server: %v", err)
		}
	})
}
