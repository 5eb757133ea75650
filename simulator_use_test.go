package lvs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golvs/lvs/internal/genl"
)

// Inside synctest a simulator shares the test's clock with everything else.
func TestSimulatorFollowsClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newSimLab(t, SimOptions{Clock: time.Now})
		l.serve(Service{ID: UDP(simWeb.AddrPort()), Scheduler: RR}, DR(), 1)
		l.connect()
		time.Sleep(300*time.Second - time.Nanosecond)
		l.counts(0, 0, 1, 0)
		time.Sleep(time.Nanosecond)
		l.counts(0, 0, 0, 0)
		if n := l.status(0).Stats.Conns; n != 1 {
			t.Errorf("%d connections were counted, want 1", n)
		}
		if !l.Now().Equal(time.Now()) {
			t.Errorf("the time is %s, want %s", l.Now(), time.Now())
		}
		ofKind(t, "moving the clock of another kernel", l.Advance(time.Second), ErrInvalid)
		l.client.Close()
	})
}

// Any number of goroutines may use a simulator in every way.
func TestSimulatorManyGoroutines(t *testing.T) {
	l := newSimLab(t, SimOptions{})
	l.serve(Service{ID: simWeb, Scheduler: WLC}, NAT(), 1, 1, 1, 1)
	h := l.Host()
	defer h.Close()
	ctx := t.Context()
	ways := []func(r *rand.Rand) error{
		func(r *rand.Rand) error {
			_, err := l.Connect(Flow{Client: netip.AddrPortFrom(netip.AddrFrom4([4]byte{11, 1, 1, byte(r.Uint32())}), uint16(1+r.Uint32N(65535))), VIP: simWeb.AddrPort()})
			var refused *NotForwardedError
			if errors.As(err, &refused) {
				return nil
			}
			return err
		},
		func(r *rand.Rand) error {
			err := l.client.SetWeight(ctx, simWeb, l.server(r.IntN(4)), r.IntN(3))
			return err
		},
		func(*rand.Rand) error { _, err := l.client.Snapshot(ctx); return err },
		func(*rand.Rand) error {
			_, err := CollectConnections(h.Connections(ctx, ConnectionFilter{}))
			return err
		},
		func(r *rand.Rand) error { return l.Advance(time.Duration(r.Int64N(1e10))) },
		func(r *rand.Rand) error {
			return h.SetSysctl(ctx, "net.ipv4.vs.conn_reuse_mode", fmt.Sprint(r.IntN(4)))
		},
		func(*rand.Rand) error { return l.client.ZeroAllCounters(ctx) },
	}
	var all sync.WaitGroup
	for i := range 2 * len(ways) {
		all.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 0))
			for range 200 {
				if err := ways[i%len(ways)](r); err != nil {
					t.Errorf("way %d: %v", i%len(ways), err)
				}
			}
		})
	}
	all.Wait()
}

// The simulator holds ten thousand services and a hundred thousand connections.
func TestSimulatorLarge(t *testing.T) {
	const services, conns = 10_000, 100_000
	l := newSimLab(t, SimOptions{})
	ctx := t.Context()
	id := func(i int) ServiceID {
		return TCP(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 80))
	}
	var changes []Change
	for i := range services {
		changes = append(changes, AddService(Service{ID: id(i), Scheduler: WLC}),
			AddRealServer(id(i), NewRealServer(netip.MustParseAddrPort("10.2.0.1:80"), NAT())))
	}
	must(t, l.client.Do(ctx, changes...))
	for i := range conns {
		l.wants(l.syn(Flow{Client: benchFlow(i), VIP: id(i % services).AddrPort()}), ActionForwarded, ReasonScheduled)
	}
	all, err := l.client.Snapshot(ctx)
	must(t, err)
	if len(all.Services) != services {
		t.Fatalf("%d services are listed, want %d", len(all.Services), services)
	}
	for _, s := range all.Services {
		if n := s.RealServers[0].ActiveConns; n != conns/services {
			t.Fatalf("%s has %d connections, want %d", s.ID, n, conns/services)
		}
	}
	l.wait(time.Minute)
	if left := l.table(); len(left) != 0 {
		t.Errorf("%d connections are left", len(left))
	}
}

// A simulator does the same again, and another seed lists in another order.
func TestSimulatorIsDeterministic(t *testing.T) {
	run := func(seed uint64) string {
		l := newSimLab(t, SimOptions{Seed: seed})
		l.serve(Service{ID: simWeb, Scheduler: TWOS}, DR(), 1, 2, 3, 4)
		return l.picks(50)
	}
	if a, b := run(1), run(1); a != b {
		t.Errorf("the same seed picked %s and %s", a, b)
	}
	if a, b := run(1), run(2); a == b {
		t.Errorf("two seeds picked the same: %s", a)
	}
}

// Faults strike the calls that they are for, in the order in which they were
// injected, and what they do is what a kernel would have done.
func TestSimulatorFaults(t *testing.T) {
	ctx := context.Background()
	short := func() context.Context {
		ctx, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		t.Cleanup(cancel)
		return ctx
	}
	l := newSimLab(t, SimOptions{})
	l.serve(Service{ID: simWeb, Scheduler: RR}, DR(), 1)
	other := Service{ID: UDP(simWeb.AddrPort()), Scheduler: RR}

	must(t, l.Inject(SimFault{Op: OpAddService, Errno: 12, Times: 2})) // ENOMEM
	_, err := l.client.Services(ctx)
	must(t, err)
	for range 2 {
		var e *Error
		if err := l.client.AddService(ctx, other); !errors.As(err, &e) || e.Errno != 12 {
			t.Errorf("the fault did not strike: %v", err)
		}
	}
	must(t, l.client.AddService(ctx, other))

	must(t, l.Inject(SimFault{Op: OpListServices, Errno: 1}))
	_, err = l.client.Services(ctx)
	ofKind(t, "a listing without privilege", err, ErrPermission)

	must(t, l.Inject(SimFault{Op: OpRemoveService, LoseReply: true}))
	err = l.client.RemoveService(short(), other.ID)
	var e *Error
	if !errors.As(err, &e) || e.Outcome != OutcomeUnknown || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("losing the reply: %v, want an unknown outcome", err)
	}
	_, err = l.client.Service(ctx, other.ID)
	ofKind(t, "a service whose removal was not answered", err, ErrNoService)

	must(t, l.Inject(SimFault{Delay: 250 * time.Millisecond}))
	if err := l.client.AddService(short(), other); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a kernel that takes long: %v", err)
	}

	must(t, l.Inject(SimFault{Op: OpUpdateRealServer, Before: func() {
		must(t, l.client.RemoveRealServer(ctx, simWeb, l.server(0)))
	}}))
	err = l.client.SetWeight(ctx, simWeb, l.server(0), 5)
	ofKind(t, "a server that was removed in the meantime", err, ErrNoRealServer)
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v is not os.ErrNotExist", err)
	}
	ofKind(t, "no such call", l.Inject(SimFault{Op: "make coffee"}), ErrInvalid)
	ofKind(t, "a negative delay", l.Inject(SimFault{Delay: -1}), ErrInvalid)
	ofKind(t, "a negative errno", l.Inject(SimFault{Errno: -EPERM}), ErrInvalid)
	ofKind(t, "an errno that is too large", l.Inject(SimFault{Errno: 4096}), ErrInvalid)
}

// firstUsable is a custom algorithm.
type firstUsable struct {
	service *SimService
	changes int
}

func (p *firstUsable) Pick(Flow) SimServer {
	for s := range p.service.Servers() {
		if s.IsUsable() && s.ActiveConns() < 2 {
			return s
		}
	}
	return SimServer{}
}

func (p *firstUsable) Changed() { p.changes++ }

func TestSimulatorAlgorithm(t *testing.T) {
	var picker *firstUsable
	l := newSimLab(t, SimOptions{Algorithms: map[Scheduler]SimAlgorithm{
		"first": func(s *SimService) SimPicker { picker = &firstUsable{service: s}; return picker },
	}})
	l.serve(Service{ID: simWeb, Scheduler: "first"}, DR(), 1, 0, 7)
	if got := l.picks(4); got != "CCAA" {
		t.Errorf("picked %s, want CCAA", got)
	}
	l.wants(l.syn(l.flow()), ActionRefused, ReasonNoServerUsable)
	if picker.changes != 3 || picker.service.Len() != 3 {
		t.Errorf("it was given %d changes and has %d servers, want 3 and 3", picker.changes, picker.service.Len())
	}
	must(t, l.client.RemoveRealServer(context.Background(), simWeb, l.server(2)))
	l.setWeight(1, 1)
	if picker.changes != 5 {
		t.Errorf("it was given %d changes, want 5", picker.changes)
	}
	if got := l.picks(2); got != "BB" {
		t.Errorf("picked %s, want BB", got)
	}
}

// elsewhere picks a server that its service does not have.
type elsewhere struct{ server SimServer }

func (p *elsewhere) Pick(Flow) SimServer { return p.server }

func TestSimulatorAlgorithmPicksElsewhere(t *testing.T) {
	var picker *elsewhere
	l := newSimLab(t, SimOptions{Algorithms: map[Scheduler]SimAlgorithm{
		"elsewhere": func(*SimService) SimPicker { picker = &elsewhere{}; return picker },
		"spy": func(s *SimService) SimPicker {
			return &spy{s, func(server SimServer) { picker.server = server }}
		},
	}})
	l.serve(Service{ID: simWeb, Scheduler: "elsewhere"}, DR(), 1)
	l.serve(Service{ID: TCP(netip.MustParseAddrPort("10.1.0.2:80")), Scheduler: "spy"}, DR(), 1)
	l.syn(l.flow())
	if picker.server == (SimServer{}) {
		t.Fatal("the other service's server is not known")
	}
	l.id = simWeb
	l.wants(l.syn(l.flow()), ActionRefused, ReasonNoServerUsable)
}

// spy passes its servers on.
type spy struct {
	service *SimService
	show    func(SimServer)
}

func (p *spy) Pick(Flow) SimServer {
	for s := range p.service.Servers() {
		p.show(s)
		return s
	}
	return SimServer{}
}

// meddlingSocket lets another program change the table between the datagrams of a
// listing.
type meddlingSocket struct {
	genl.Socket
	meddle func()
}

func (s *meddlingSocket) Receive(b []byte) (int, error) {
	n, err := s.Socket.Receive(b)
	if n > 1<<12 { // of a listing
		s.meddle()
	}
	return n, err
}

// A listing during which the table changed is made again, and not for ever.
func TestServicesToldTwice(t *testing.T) {
	const n, more = 1000, 30
	for name, c := range map[string]struct {
		changes int
		want    error
	}{"one change": {1, nil}, "change without end": {1000, ErrUnstable}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newSimLab(t, SimOptions{})
				defer l.client.Close()
				ctx := context.Background()
				var changes, comeOrGo []Change
				for i := range uint32(n) {
					changes = append(changes, AddService(Service{ID: FWMark(1 + i)}))
				}
				must(t, l.client.Do(ctx, changes...))
				meddle := func() {
					for i := range uint32(more) {
						ch := AddService(Service{ID: FWMark6(1 + i)})
						if c.changes%2 == 0 {
							ch = RemoveService(FWMark6(1 + i))
						}
						comeOrGo = append(comeOrGo[:i], ch)
					}
					if c.changes--; c.changes >= 0 {
						_ = l.client.Do(ctx, comeOrGo...) // some may not be there
					}
				}
				client, err := newClient(ctx, func() (genl.Socket, error) {
					s, err := l.dial()
					return &meddlingSocket{s, meddle}, err
				}, slog.New(slog.DiscardHandler))
				must(t, err)
				defer client.Close()
				all, err := client.Services(ctx)
				if c.want != nil {
					ofKind(t, "a listing that is never quiet", err, c.want)
					return
				}
				must(t, err)
				if len(all) != n+more {
					t.Errorf("%d services are listed, want %d", len(all), n+more)
				}
			})
		})
	}
}
