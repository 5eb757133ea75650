package health

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/golvs/lvs"
)

// When enough servers work again, those whose probes succeed already are used until they
// have risen, or until one fails; others lose their weight at once. None starts slowly.
func TestKeepAllEnds(t *testing.T) {
	for _, failed := range []Consequence{Quiesce, Remove} {
		t.Run(string(failed), func(t *testing.T) {
			f := newFake()
			p := Policy{
				Checks: []Check{{Probe: f, Interval: time.Second, Rise: 3, Fall: 3}}, Failed: failed,
				Limit:     Limit{Count: 2, Hysteresis: 1, Then: KeepAll},
				SlowStart: SlowStart{Window: time.Minute},
			}
			want := tableOf(lvs.WLC, 10, 10, 10, 10, 10, 10)
			out := func(kept map[string]int, servers ...string) map[string]int {
				all := map[string]int{"10.1.0.0": 10, "10.1.0.1": 10, "10.1.0.2": 10}
				for server, weight := range kept {
					all[server] = weight
				}
				for _, server := range servers {
					if failed == Quiesce {
						all[server] = 0
					}
				}
				return all
			}
			play(t, want, want, p, func(s *scene) {
				s.sleep(3 * time.Second)
				for i := range 6 {
					f.set(i, errors.New("refused"))
				}
				s.sleep(5 * time.Second)
				s.is("panic", map[string]int{"10.1.0.0": 10, "10.1.0.1": 10, "10.1.0.2": 10, "10.1.0.3": 10, "10.1.0.4": 10, "10.1.0.5": 10})
				for i := range 3 {
					f.set(i, nil)
				}
				s.sleep(time.Second) // each has been asked once
				f.set(3, nil)
				f.set(4, nil)
				s.sleep(time.Second) // and twice
				s.limitEnds()
				s.is("two are rising", out(map[string]int{"10.1.0.3": 10, "10.1.0.4": 10}, "10.1.0.5"))
				f.set(4, errors.New("refused"))
				s.sleep(time.Second + settling)
				s.is("one fails again", out(map[string]int{"10.1.0.3": 10}, "10.1.0.4", "10.1.0.5"))
				f.set(4, nil)
				s.sleep(5 * time.Second)
				w := s.weights()
				if w["10.1.0.3"] != w["10.1.0.0"] || w["10.1.0.4"] == 0 || w["10.1.0.4"]*3 > w["10.1.0.0"] {
					t.Errorf("the one that rose has its weight, and the one that failed starts slowly: %v", w)
				}
			})
		})
	}
}

// limitEnds waits until a service is above its limit.
func (s *scene) limitEnds() {
	s.Helper()
	for begun := time.Now(); s.Status().Services[0].Below; s.sleep(time.Millisecond) {
		if time.Since(begun) > time.Minute {
			s.Fatalf("still below:\n%s", s.Status())
		}
	}
}

// Servers that sorry servers stood in for come back together: slow start is for one beside
// others that are busy.
func TestSorryServerEnds(t *testing.T) {
	f := newFake()
	p := Policy{
		Checks:    []Check{{Probe: f, Interval: time.Second}},
		Limit:     Limit{Count: 2, Then: SorryServer, Sorry: []lvs.RealServer{{Addr: rip(99), Weight: 1}}},
		SlowStart: SlowStart{Window: time.Minute},
	}
	want := tableOf(lvs.WLC, 10, 10, 10)
	play(t, want, want, p, func(s *scene) {
		s.sleep(3 * time.Second)
		for i := range 3 {
			f.set(i, errors.New("refused"))
		}
		s.sleep(5 * time.Second)
		s.is("none works", map[string]int{"10.1.0.0": 0, "10.1.0.1": 0, "10.1.0.2": 0, "10.1.0.99": 1})
		f.set(0, nil)
		s.sleep(30 * time.Second)
		f.set(1, nil)
		s.limitEnds()
		s.is("two work", map[string]int{"10.1.0.0": 10, "10.1.0.1": 10, "10.1.0.2": 0})
		f.set(2, nil)
		s.sleep(3 * time.Second)
		s.is("the third starts slowly", map[string]int{"10.1.0.0": 100, "10.1.0.1": 100, "10.1.0.2": 10})
	})
}

// crossed returns what the events since the last call say of the limit of web.
func (s *scene) crossed() (all []string) {
	s.state.Lock()
	defer s.state.Unlock()
	for _, e := range s.events {
		if text, ok := strings.CutPrefix(e, web.String()+": "); ok {
			all = append(all, text)
		}
	}
	s.events = nil
	return all
}

// The first event of a limit says on which side a service is, when that is known, and so
// does the first one with another action.
func TestLimitIsToldFirst(t *testing.T) {
	f := newFake()
	policy := func(then Action) Policy {
		return Policy{Checks: []Check{{Probe: f, Interval: time.Second}}, Limit: Limit{Count: 2, Then: then}}
	}
	want := tableOf(lvs.WLC, 1, 1, 1)
	f.set(0, errors.New("refused"))
	play(t, want, want, policy(Withdraw), func(s *scene) {
		told := func(when string, want ...string) {
			t.Helper()
			s.sleep(10 * time.Second)
			if diff := cmp.Diff(want, s.crossed()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", when, diff)
			}
		}
		told("at the start", "enough servers work, 2 servers")
		told("later")
		s.restart(want, policy(Withdraw))
		told("after a restart", "enough servers work, 2 servers")
		if err := s.Set(want, map[lvs.ServiceID]Policy{web: policy(Withdraw)}); err != nil {
			t.Fatal(err)
		}
		told("after the same policy")
		f.set(1, errors.New("refused"))
		told("when it fails", "too few servers work, 1 server: withdraw until it is 2 servers")
		if err := s.Set(want, map[lvs.ServiceID]Policy{web: policy(Report)}); err != nil {
			t.Fatal(err)
		}
		told("with another action", "too few servers work, 1 server: report until it is 2 servers")
		s.restart(want, policy(Report))
		told("after a restart", "too few servers work, 1 server: report until it is 2 servers")
		if err := s.Set(want, map[lvs.ServiceID]Policy{web: {Checks: policy(Report).Checks}}); err != nil {
			t.Fatal(err)
		}
		told("without a limit", "enough servers work, 1 server")
		told("later")
	})
}
