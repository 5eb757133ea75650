package health

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golvs/lvs"
)

// broken is a probe of one server, which can be broken in each way.
type broken struct {
	Name string
	mu   sync.Mutex
	how  string
	was  string    // how the last probe found it
	at   time.Time // when the first probe began that found it as it is
}

func (b *broken) Probe(ctx context.Context, _ Target) (Answer, error) {
	b.mu.Lock()
	how := b.how
	if how != b.was {
		b.was, b.at = how, time.Now()
	}
	b.mu.Unlock()
	switch how {
	case "refuses":
		return Answer{}, errors.New("refused")
	case "panics":
		panic("oops")
	case "hangs":
		<-ctx.Done()
		return Answer{}, ctx.Err()
	case "ignores its context":
		time.Sleep(10 * time.Second)
	}
	return Answer{}, nil
}

func (b *broken) set(how string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.how = how
}

func (b *broken) seen() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.at
}

// A failure is acted upon within interval x (fall - 1) + timeout + 100 ms of the beginning
// of the first probe that fails, and a recovery within interval x rise + 100 ms of it.
func TestPrompt(t *testing.T) {
	const slack = 100 * time.Millisecond
	r := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		c := Check{
			Interval: time.Duration(500+r.IntN(3000)) * time.Millisecond,
			Timeout:  time.Duration(100+r.IntN(400)) * time.Millisecond,
			Rise:     1 + r.IntN(4),
			Fall:     1 + r.IntN(4),
		}
		if c.Failing = c.Interval; r.IntN(2) == 0 {
			c.Failing = c.Timeout + time.Duration(r.IntN(500))*time.Millisecond
		}
		phase := time.Duration(r.Int64N(int64(c.Interval)))
		for _, how := range []string{"refuses", "panics", "hangs", "ignores its context"} {
			name := fmt.Sprintf("%s every %s then %s, timeout %s, rise %d, fall %d", how, c.Interval, c.Failing, c.Timeout, c.Rise, c.Fall)
			t.Run(name, func(t *testing.T) {
				b := &broken{Name: "broken"}
				c := c
				c.Probe = b
				want := tableOf(lvs.WLC, 7)
				play(t, want, want, Policy{Checks: []Check{c}}, func(s *scene) {
					s.sleep(5*c.Interval + phase)
					s.is("it works", map[string]int{"10.1.0.0": 7})
					b.set(how)
					began := s.until(0)
					took, most := time.Since(b.seen()), c.Failing*time.Duration(c.Fall-1)+c.Timeout+slack
					if how == "ignores its context" { // each is given time to notice that it has ended
						most += c.Timeout + time.Duration(c.Fall)*grace
					}
					if took > most {
						t.Errorf("the failure took %s, want at most %s", took, most)
					}
					if took := time.Since(began); took > c.Interval+most {
						t.Errorf("since it broke it took %s, want at most %s", took, c.Interval+most)
					}
					s.sleep(phase)
					b.set("")
					if began = s.until(7); how == "ignores its context" {
						return // the probe must return first
					}
					if took, most := time.Since(began), c.Failing*time.Duration(c.Rise)+slack; took > most {
						t.Errorf("the recovery took %s, want at most %s", took, most)
					}
				}, 20*time.Second)
			})
		}
	}
}

// until waits until the server has a weight, and returns when it began to wait.
func (s *scene) until(weight int) (began time.Time) {
	s.Helper()
	began = time.Now()
	for s.weights()["10.1.0.0"] != weight {
		if time.Since(began) > time.Minute {
			s.Fatalf("the weight is still not %d:\n%s", weight, s.Status())
		}
		s.sleep(time.Millisecond)
	}
	return began
}

// What events and changes lead to delays no probe that is due later.
func TestCallbacksDelayNoProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		busy := func() { time.Sleep(150 * time.Millisecond) }
		m, err := New(Options{OnEvent: func(Event) { busy() }, OnChange: busy})
		if err == nil {
			err = m.Set(tableOf(lvs.WLC, 1, 1), map[lvs.ServiceID]Policy{web: {Checks: []Check{{Probe: f, Interval: time.Second}}}})
		}
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- m.Run(ctx) }()
		for i := range 10 {
			time.Sleep(5 * time.Second)
			var fails error
			if i%2 == 0 {
				fails = errors.New("refused")
			}
			f.set(0, fails)
		}
		cancel()
		<-done
		asked := f.asked[rip(1)][1:] // the first one waits for the first call of OnChange
		for i := 1; i < len(asked); i++ {
			if d := asked[i].Sub(asked[0]) - time.Duration(i)*time.Second; d != 0 {
				t.Fatalf("probe %d of %d began %s late", i, len(asked), d)
			}
		}
	})
}

// Servers that are being asked do not fail because Run ends.
func TestEndIsNoFailure(t *testing.T) {
	f := newFake()
	p := Policy{Checks: []Check{{Probe: f, Interval: time.Second, Fall: 1}}}
	want := tableOf(lvs.WLC, 1, 2)
	play(t, want, want, p, func(s *scene) {
		s.sleep(2 * time.Second)
		s.state.Lock()
		s.events = nil
		s.state.Unlock()
		for range 50 {
			f.Lock()
			f.hang[rip(0)], f.hang[rip(1)] = true, true
			f.Unlock()
			s.sleep(900 * time.Millisecond) // one of them, at least, is being asked
			s.end()
			f.Lock()
			f.hang[rip(0)], f.hang[rip(1)] = false, false
			f.Unlock()
			s.begin()
			s.sleep(2 * time.Second)
		}
		for _, e := range s.events {
			t.Error(e)
		}
		s.is("nothing failed", map[string]int{"10.1.0.0": 1, "10.1.0.1": 2})
	})
}

// Run returns although probes do not, and another Run begins.
func TestEndDoesNotWaitForEver(t *testing.T) {
	p := Policy{Checks: []Check{{Probe: probeFunc(func(context.Context, Target) (Answer, error) {
		time.Sleep(time.Hour)
		return Answer{}, nil
	})}}}
	want := tableOf(lvs.WLC, 1)
	play(t, want, want, p, func(s *scene) {
		for i := range 3 {
			s.sleep(time.Minute)
			begun := time.Now()
			s.end()
			if took := time.Since(begun); took > patience {
				t.Errorf("Run returned %s after its context had ended", took)
			}
			if left := s.Status().Left; left != i+1 {
				t.Errorf("%d probes are left, want %d", left, i+1)
			}
			s.begin()
		}
		broken := 0
		for _, e := range s.events {
			if e == "tcp://10.168.0.91:80 -> 10.1.0.0:80: the probe health.probeFunc is broken: it does not end: no answer in 1s" {
				broken++
			}
		}
		if broken != 1 {
			t.Errorf("%d events of the probe that does not end, want 1: %q", broken, s.events)
		}
	}, 2*time.Hour)
}

// However often tables are replaced, the probes that do not end stay bounded.
func TestLeftIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		begun, release := 0, make(chan struct{})
		p := probeFunc(func(context.Context, Target) (Answer, error) {
			mu.Lock()
			begun++
			mu.Unlock()
			<-release
			return Answer{}, nil
		})
		m, err := New(Options{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- m.Run(ctx) }()
		const servers = 2000
		for i := range 20 {
			c := Check{Probe: p, Interval: time.Second + time.Duration(i)}
			if err := m.Set(tableOf(lvs.WLC, make([]int, servers)...), map[lvs.ServiceID]Policy{web: {Checks: []Check{c}}}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Second)
		}
		if most := mostLeft + servers; begun > most {
			t.Errorf("%d probes have begun that do not end, want at most %d", begun, most)
		}
		close(release)
		time.Sleep(5 * time.Second)
		if m.Status().Left != 0 {
			t.Errorf("%d probes are left after all have returned", m.Status().Left)
		}
		if s := m.Status().Services[0].Servers[0]; s.State != Up {
			t.Errorf("when they work again: %s", s)
		}
		cancel()
		<-done
	})
}

// The first changes of a service, which come in one moment, are acted upon together, and
// those that follow them together again.
func TestFirstChangesSoon(t *testing.T) {
	f := newFake()
	want := tableOf(lvs.WLC, 1, 1, 1, 1)
	play(t, want, want, Policy{Checks: []Check{{Probe: f, Interval: time.Hour, Fall: 1}}}, func(s *scene) {
		s.sleep(time.Hour)
		m := s.Monitor
		fail := func(server int) {
			m.mu.Lock()
			defer m.mu.Unlock()
			for _, w := range m.watches {
				if w.target.Server == rip(server) {
					now := time.Now()
					m.take(w, now, now, finding{failed: "refused"})
				}
			}
		}
		for _, step := range []struct {
			server int
			rest   time.Duration
			want   map[string]int
		}{
			{0, 0, map[string]int{"10.1.0.0": 1, "10.1.0.1": 1, "10.1.0.2": 1, "10.1.0.3": 1}},
			{1, moment, map[string]int{"10.1.0.0": 0, "10.1.0.1": 0, "10.1.0.2": 1, "10.1.0.3": 1}},
			{2, moment, map[string]int{"10.1.0.0": 0, "10.1.0.1": 0, "10.1.0.2": 1, "10.1.0.3": 1}},
			{3, settling, map[string]int{"10.1.0.0": 0, "10.1.0.1": 0, "10.1.0.2": 0, "10.1.0.3": 0}},
		} {
			fail(step.server)
			s.sleep(step.rest)
			s.is(fmt.Sprintf("after server %d failed", step.server), step.want)
		}
	})
}
