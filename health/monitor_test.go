package health

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/golvs/lvs"
)

var web = lvs.TCP(netip.MustParseAddrPort("10.168.0.91:80"))

func rip(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 80)
}

// tableOf returns the service web with servers of the given weights.
func tableOf(scheduler lvs.Scheduler, weights ...int) lvs.Table {
	s := lvs.TableService{Service: lvs.Service{ID: web, Scheduler: scheduler}}
	for i, w := range weights {
		s.RealServers = append(s.RealServers, lvs.RealServer{Addr: rip(i), Weight: w})
	}
	return lvs.Table{Services: []lvs.TableService{s}}
}

// fake is a probe whose answers a test sets.
type fake struct {
	sync.Mutex
	Name   string
	errs   map[netip.AddrPort]error
	hang   map[netip.AddrPort]bool // until the context ends
	answer map[netip.AddrPort]Answer
	asked  map[netip.AddrPort][]time.Time
}

func newFake() *fake {
	return &fake{Name: "fake", errs: map[netip.AddrPort]error{}, hang: map[netip.AddrPort]bool{}, answer: map[netip.AddrPort]Answer{}, asked: map[netip.AddrPort][]time.Time{}}
}

func (f *fake) Probe(ctx context.Context, t Target) (Answer, error) {
	f.Lock()
	f.asked[t.Server] = append(f.asked[t.Server], time.Now())
	hang, err, answer := f.hang[t.Server], f.errs[t.Server], f.answer[t.Server]
	f.Unlock()
	if hang {
		<-ctx.Done()
		return Answer{}, ctx.Err()
	}
	return answer, err
}

func (f *fake) set(i int, err error) {
	f.Lock()
	defer f.Unlock()
	f.errs[rip(i)] = err
}

// say sets what a server answers when it works.
func (f *fake) say(i int, a Answer) {
	f.Lock()
	defer f.Unlock()
	f.answer[rip(i)] = a
}

// scene is a Monitor that runs, and a kernel's table that follows it.
type scene struct {
	*testing.T
	*Monitor
	state  sync.Mutex // guards what follows
	have   lvs.Table
	events []string

	cancel context.CancelFunc
	done   chan error
}

// play runs a test in fake time.
func play(t *testing.T, have, want lvs.Table, p Policy, test func(*scene), rest ...time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &scene{T: t, have: have}
		var err error
		if s.Monitor, err = New(Options{OnEvent: s.record, OnChange: s.follow}); err != nil {
			t.Fatal(err)
		}
		if err := s.Set(want, map[lvs.ServiceID]Policy{web: p}); err != nil {
			t.Fatal(err)
		}
		s.begin()
		test(s)
		s.end()
		for _, d := range rest {
			time.Sleep(d)
		}
	})
}

func (s *scene) record(e Event) {
	s.state.Lock()
	defer s.state.Unlock()
	s.events = append(s.events, e.String())
}

// follow makes the kernel's table as it should be.
func (s *scene) follow() {
	s.state.Lock()
	defer s.state.Unlock()
	s.have = s.Monitor.Table(s.have)
}

func (s *scene) begin() {
	var ctx context.Context
	ctx, s.cancel = context.WithCancel(s.Context())
	s.done = make(chan error, 1)
	go func() { s.done <- s.Monitor.Run(ctx) }()
	synctest.Wait()
}

func (s *scene) end() {
	s.Helper()
	s.cancel()
	if err := <-s.done; !errors.Is(err, context.Canceled) {
		s.Errorf("Run: %v", err)
	}
}

func (s *scene) sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// weights returns the weights in the table; servers that are not in it are missing.
func (s *scene) weights() map[string]int {
	s.state.Lock()
	defer s.state.Unlock()
	all := map[string]int{}
	for _, server := range s.have.Services[0].RealServers {
		all[server.Addr.Addr().String()] = server.Weight
	}
	return all
}

// kernel returns the table that follows.
func (s *scene) kernel() lvs.Table {
	s.state.Lock()
	defer s.state.Unlock()
	return s.have
}

func (s *scene) is(what string, want map[string]int) {
	s.Helper()
	if diff := cmp.Diff(want, s.weights()); diff != "" {
		s.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestStart(t *testing.T) {
	f := newFake()
	f.set(0, errors.New("refused"))
	f.set(2, errors.New("refused"))
	p := Policy{Checks: []Check{{Probe: f, Interval: time.Second}}}
	have := tableOf(lvs.WLC, 5, 7)
	play(t, have, tableOf(lvs.WLC, 10, 20, 30, 40), p, func(s *scene) {
		synctest.Wait()
		if w := s.weights(); w["10.1.0.0"] != 5 || w["10.1.0.2"] != 0 || w["10.1.0.3"] != 0 {
			t.Errorf("at the start %v", w)
		}
		s.sleep(time.Second + settling)
		s.is("when each has answered once", map[string]int{"10.1.0.0": 5, "10.1.0.1": 20, "10.1.0.2": 0, "10.1.0.3": 40})
		s.sleep(2 * time.Second)
		s.is("when three failures have decided", map[string]int{"10.1.0.0": 0, "10.1.0.1": 20, "10.1.0.2": 0, "10.1.0.3": 40})
	})
}

func TestFailAndRecover(t *testing.T) {
	for _, failed := range []Consequence{Quiesce, Remove} {
		t.Run(string(failed), func(t *testing.T) {
			f := newFake()
			c := Check{Probe: f, Interval: time.Second, Timeout: 500 * time.Millisecond, Rise: 2, Fall: 3}
			want := tableOf(lvs.WLC, 10, 20)
			play(t, want, want, Policy{Checks: []Check{c}, Failed: failed}, func(s *scene) {
				s.sleep(5 * time.Second)
				s.is("both work", map[string]int{"10.1.0.0": 10, "10.1.0.1": 20})
				f.Lock()
				f.hang[rip(0)] = true
				last := f.asked[rip(0)][len(f.asked[rip(0)])-1]
				f.Unlock()
				// The first failing probe begins an interval after the last good one.
				s.sleep(time.Until(last.Add(c.Interval + 2*c.Interval + c.Timeout - time.Millisecond)))
				s.is("not yet", map[string]int{"10.1.0.0": 10, "10.1.0.1": 20})
				s.sleep(time.Millisecond + settling)
				out := map[string]int{"10.1.0.1": 20}
				if failed == Quiesce {
					out["10.1.0.0"] = 0
				}
				s.is("failed", out)
				f.Lock()
				f.hang[rip(0)] = false
				f.Unlock()
				s.sleep(2 * time.Second)
				s.is("works again", map[string]int{"10.1.0.0": 10, "10.1.0.1": 20})
				want := []string{"is up", "is up", "is down: health.fake: no answer in 500ms", "is up"}
				for i, text := range want {
					if i >= len(s.events) || !strings.Contains(s.events[i], text) {
						t.Fatalf("events %q, want %q", s.events, want)
					}
				}
			})
		})
	}
}

// What happens to a server that failed can differ from what happens to the others.
func TestFailedServers(t *testing.T) {
	f := newFake()
	c := Check{Probe: f, Interval: time.Second, Rise: 1, Fall: 1}
	want := tableOf(lvs.WLC, 10, 20, 30)
	own := map[netip.AddrPort]Consequence{rip(0): Quiesce, rip(2): Remove}
	play(t, want, want, Policy{Checks: []Check{c}, Failed: Remove, FailedServers: own}, func(s *scene) {
		s.sleep(2 * time.Second)
		s.is("all work", map[string]int{"10.1.0.0": 10, "10.1.0.1": 20, "10.1.0.2": 30})
		for n := range 3 {
			f.set(n, errors.New("refused"))
		}
		s.sleep(2 * time.Second)
		s.is("failed", map[string]int{"10.1.0.0": 0})
	})
}

// The state of a server never changes but by as many results in a row as the check says.
func TestHistories(t *testing.T) {
	for seed := range uint64(10_000) {
		r := rand.New(rand.NewPCG(seed, 1))
		rise, fall := 1+r.IntN(4), 1+r.IntN(4)
		j := judge{state: Unknown}
		var results []bool
		sticky := r.Float64()
		for range 100 {
			ok := r.IntN(2) == 0
			if len(results) > 0 && r.Float64() < sticky {
				ok = results[len(results)-1]
			}
			results = append(results, ok)
			was := j.state
			changed := j.note(ok, rise, fall)
			need := map[State]int{Up: rise, Down: fall}[j.state]
			if was == Unknown && j.state == Up {
				need = 1
			}
			tail := results[max(0, len(results)-need):]
			row := len(tail) == need && !slices.Contains(tail, j.state != Up)
			if changed != (was != j.state) || changed && !row {
				t.Fatalf("seed %d: %s became %s after %v, rise %d, fall %d", seed, was, j.state, results, rise, fall)
			}
			for _, s := range []State{Up, Down} {
				need := map[State]int{Up: rise, Down: fall}[s]
				if tail := results[max(0, len(results)-need):]; len(tail) == need && !slices.Contains(tail, s != Up) && j.state != s {
					t.Fatalf("seed %d: still %s after %v, rise %d, fall %d", seed, j.state, results, rise, fall)
				}
			}
		}
	}
}

func TestSpread(t *testing.T) {
	f := newFake()
	weights := make([]int, 10_000)
	for i := range weights {
		weights[i] = 1
	}
	want := tableOf(lvs.WLC, weights...)
	play(t, lvs.Table{}, want, Policy{Checks: []Check{{Probe: f, Interval: time.Second, Failing: 100 * time.Millisecond}}}, func(s *scene) {
		begun := time.Now()
		s.sleep(999 * time.Millisecond)
		buckets := make([]int, 20)
		for _, asked := range f.asked {
			buckets[int(asked[0].Sub(begun)/(50*time.Millisecond))]++
		}
		for i, n := range buckets {
			if n < 475 || n > 525 {
				t.Errorf("twentieth %d of the interval has %d first checks of 10,000", i, n)
			}
		}
	})
}

func TestLimit(t *testing.T) {
	sorry := lvs.RealServer{Addr: rip(99), Weight: 1}
	for _, c := range []struct {
		then  Action
		sorry []lvs.RealServer
		below map[string]int
	}{
		{KeepAll, nil, map[string]int{"10.1.0.0": 1, "10.1.0.1": 1, "10.1.0.2": 1, "10.1.0.3": 0}},
		{SorryServer, []lvs.RealServer{sorry}, map[string]int{"10.1.0.0": 0, "10.1.0.1": 0, "10.1.0.2": 0, "10.1.0.3": 0, "10.1.0.99": 1}},
		{Withdraw, nil, map[string]int{"10.1.0.0": 0, "10.1.0.1": 0, "10.1.0.2": 1, "10.1.0.3": 0}},
	} {
		t.Run(string(c.then), func(t *testing.T) {
			f := newFake()
			p := Policy{Checks: []Check{{Probe: f, Interval: time.Second}}, Limit: Limit{Share: 0.5, Hysteresis: 0.25, Then: c.then, Sorry: c.sorry}}
			want := tableOf(lvs.WLC, 1, 1, 1, 1)
			play(t, want, want, p, func(s *scene) {
				s.sleep(3 * time.Second)
				// A drained server counts as missing.
				if err := s.SetOverrides([]Override{{Service: web, Server: rip(3), Kind: Drain}}); err != nil {
					t.Fatal(err)
				}
				f.set(0, errors.New("refused"))
				s.sleep(5 * time.Second)
				s.is("half of them work", map[string]int{"10.1.0.0": 0, "10.1.0.1": 1, "10.1.0.2": 1, "10.1.0.3": 0})
				f.set(1, errors.New("refused"))
				s.sleep(5 * time.Second)
				s.is("below", c.below)
				f.set(1, nil)
				s.sleep(5 * time.Second)
				if !s.Status().Services[0].Below {
					t.Error("half of them end the action although the hysteresis asks for more")
				}
				f.set(0, nil)
				s.sleep(5 * time.Second)
				s.is("enough", map[string]int{"10.1.0.0": 1, "10.1.0.1": 1, "10.1.0.2": 1, "10.1.0.3": 0})
			})
		})
	}
}

func TestSlowStart(t *testing.T) {
	f := newFake()
	p := Policy{Checks: []Check{{Probe: f, Interval: time.Second}}, SlowStart: SlowStart{Window: 20 * time.Second}}
	want := tableOf(lvs.WLC, 1, 2)
	play(t, want, want, p, func(s *scene) {
		s.sleep(3 * time.Second)
		s.is("what had its weight does not ramp", map[string]int{"10.1.0.0": 1, "10.1.0.1": 2})
		f.set(0, errors.New("refused"))
		s.sleep(5 * time.Second)
		f.set(0, nil)
		var seen []int
		for range 30 {
			s.sleep(time.Second)
			w := s.weights()
			if w["10.1.0.1"] == 200 && (len(seen) == 0 || seen[len(seen)-1] != w["10.1.0.0"]) {
				seen = append(seen, w["10.1.0.0"])
			}
		}
		if len(seen) < 15 || seen[0] != 10 || !slices.IsSorted(seen) {
			t.Errorf("the weights of 100 were %d", seen)
		}
		s.is("ramped", map[string]int{"10.1.0.0": 1, "10.1.0.1": 2})
	})
}

func TestShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		table := tableOf(lvs.WLC, 1)
		other := table.Services[0]
		other.ID = lvs.TCP(netip.MustParseAddrPort("10.168.0.92:80"))
		table.Services = append(table.Services, other)
		p := Policy{Checks: []Check{{Probe: f}}}
		m, err := New(Options{})
		if err == nil {
			err = m.Set(table, map[lvs.ServiceID]Policy{web: p, other.ID: p})
		}
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
		defer cancel()
		_ = m.Run(ctx)
		if n := len(f.asked[rip(0)]); n != 5 {
			t.Errorf("asked %d times in 9 s at an interval of 2 s", n)
		}
		for _, s := range m.Status().Services {
			if s.Servers[0].State != Up {
				t.Errorf("%s", s.Servers[0])
			}
		}
	})
}

// What a probe does wrong is a failure of its server alone.
func TestBadProbes(t *testing.T) {
	bad := probeFunc(func(ctx context.Context, t Target) (Answer, error) {
		switch t.Server {
		case rip(0):
			panic("oops")
		case rip(1):
			time.Sleep(time.Minute)
		}
		return Answer{}, nil
	})
	want := tableOf(lvs.WLC, 1, 1, 1)
	play(t, want, want, Policy{Checks: []Check{{Probe: bad, Interval: time.Second}}}, func(s *scene) {
		s.sleep(10 * time.Second)
		s.is("two are bad", map[string]int{"10.1.0.0": 0, "10.1.0.1": 0, "10.1.0.2": 1})
		text := s.Status().String()
		for _, want := range []string{"the probe panicked: oops", "the probe does not end"} {
			if !strings.Contains(text, want) {
				t.Errorf("no %q in\n%s", want, text)
			}
		}
	}, time.Minute)
}

type probeFunc func(context.Context, Target) (Answer, error)

func (f probeFunc) Probe(ctx context.Context, t Target) (Answer, error) { return f(ctx, t) }
func (f probeFunc) MarshalText() ([]byte, error)                        { return fmt.Appendf(nil, "%p", f), nil }

// A new table keeps what is known of checks that stay the same.
func TestReload(t *testing.T) {
	f := newFake()
	p := Policy{Checks: []Check{{Probe: f, Interval: time.Second}}}
	f.set(0, errors.New("refused"))
	want := tableOf(lvs.WLC, 1, 1)
	play(t, want, want, p, func(s *scene) {
		s.sleep(5 * time.Second)
		s.is("one failed", map[string]int{"10.1.0.0": 0, "10.1.0.1": 1})
		if err := s.Set(tableOf(lvs.WLC, 3, 3, 3), map[lvs.ServiceID]Policy{web: p}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w := s.weights()
		if w["10.1.0.0"] != 0 || w["10.1.0.1"] != 3 {
			t.Errorf("after the new table %v", w)
		}
		s.sleep(5 * time.Second)
		s.is("with the new one", map[string]int{"10.1.0.0": 0, "10.1.0.1": 3, "10.1.0.2": 3})
	})
}
