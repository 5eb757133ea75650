package keeper

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golvs/lvs"
)

var (
	vip   = netip.MustParseAddrPort("10.168.0.91:80")
	web   = lvs.TCP(vip)
	small = netip.MustParseAddrPort("10.168.0.94:80") // has weight 1
	big   = netip.MustParseAddrPort("10.168.0.95:80") // has weight 3
)

// site is a simulated director with a service of two servers, a keeper that
// watches it, and clients.
type site struct {
	*testing.T
	sim    *lvs.Simulator
	client *lvs.Client
	keeper *Keeper
	log    bytes.Buffer // the keeper's warnings
	port   uint16       // of the latest client

	mu   sync.Mutex
	sick map[netip.AddrPort]bool
}

func newSite(t *testing.T, o lvs.SimOptions) *site {
	t.Helper()
	sim, err := lvs.NewSimulator(o)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{T: t, sim: sim, client: sim.Client(), port: 1023, sick: make(map[netip.AddrPort]bool)}
	t.Cleanup(func() { s.client.Close() })
	s.keeper = &Keeper{
		Client: s.client, Service: web, Weights: map[netip.AddrPort]int{small: 1, big: 3}, Healthy: s.healthy,
		Every: 5 * time.Second, Timeout: time.Second,
		Log: slog.New(slog.NewTextHandler(&s.log, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	s.do(
		lvs.AddService(lvs.Service{ID: web, Scheduler: lvs.WRR}),
		lvs.AddRealServer(web, lvs.RealServer{Addr: small, Weight: 1}),
		lvs.AddRealServer(web, lvs.RealServer{Addr: big, Weight: 3}),
	)
	return s
}

// inBubble runs a test inside synctest, where time advances as soon as all goroutines
// are blocked. The simulator follows that time, so the keeper's ticker, the timeouts
// of its calls and the kernel's connections share one clock.
func inBubble(t *testing.T, test func(*site)) {
	synctest.Test(t, func(t *testing.T) {
		test(newSite(t, lvs.SimOptions{Clock: time.Now}))
	})
}

// run runs the keeper until the test ends.
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

// settle advances time, and lets the keeper finish what it has started.
func settle(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
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

// do changes the table, as an administrator would.
func (s *site) do(changes ...lvs.Change) {
	s.Helper()
	if err := s.client.Do(context.Background(), changes...); err != nil {
		s.Error(err)
	}
}

func (s *site) inject(f lvs.SimFault) {
	s.Helper()
	if err := s.sim.Inject(f); err != nil {
		s.Fatal(err)
	}
}

// connect opens a connection as a new client would.
func (s *site) connect() (*lvs.SimConn, error) {
	s.port++
	return s.sim.Connect(lvs.Flow{Client: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), s.port), VIP: vip})
}

// wantShares connects eight clients, and checks which servers they reached.
func (s *site) wantShares(toSmall, toBig int) {
	s.Helper()
	got := make(map[netip.AddrPort]int)
	for range 8 {
		conn, err := s.connect()
		if err != nil {
			s.Fatal(err)
		}
		got[conn.Server()]++
	}
	if got[small] != toSmall || got[big] != toBig {
		s.Errorf("the servers got %v, want %d for the small one and %d for the big one", got, toSmall, toBig)
	}
}

func (s *site) status(addr netip.AddrPort) lvs.RealServerStatus {
	s.Helper()
	status, err := s.client.RealServer(context.Background(), web, addr)
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

func (s *site) wantConns(addr netip.AddrPort, want int) {
	s.Helper()
	if got := s.status(addr).ActiveConns; got != want {
		s.Errorf("%s has %d connections, want %d", addr, got, want)
	}
}
