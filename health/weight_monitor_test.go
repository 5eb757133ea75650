package health

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/golvs/lvs"
)

// TestRestartInSlowStart holds that a program that begins where another one ended in slow
// start gives no server another part of the connections, but the one that was rising.
func TestRestartInSlowStart(t *testing.T) {
	f := newFake()
	p := Policy{Checks: []Check{{Probe: f, Interval: time.Second}}, SlowStart: SlowStart{Window: time.Minute}}
	play(t, tableOf(lvs.WLC, 100, 200, 37), tableOf(lvs.WLC, 1, 2, 1), p, func(s *scene) {
		for range 100 {
			s.sleep(20 * time.Millisecond)
			w := s.weights()
			a, b, c := w["10.1.0.0"], w["10.1.0.1"], w["10.1.0.2"]
			if a == 0 || b != 2*a || c != a && float64(c) != 0.37*float64(a) {
				t.Fatalf("the weights are %v", w)
			}
		}
		s.is("all are judged", map[string]int{"10.1.0.0": 1, "10.1.0.1": 2, "10.1.0.2": 1})
	})
}

// TestLimitWhileStarting holds that a program that starts does not act on a limit before
// it knows, and then at once.
func TestLimitWhileStarting(t *testing.T) {
	for name, have := range map[string]lvs.Table{"new": {}, "in the table": tableOf(lvs.WLC, 1, 1, 1, 1)} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			for i := range 3 {
				f.set(i, errors.New("refused"))
			}
			p := Policy{
				Checks: []Check{{Probe: f, Interval: time.Second, Fall: 5}},
				Limit:  Limit{Share: 0.5, Then: KeepAll},
			}
			play(t, have, tableOf(lvs.WLC, 1, 1, 1, 1), p, func(s *scene) {
				s.sleep(4 * time.Second)
				if s.Status().Services[0].Below {
					t.Error("below before it is known")
				}
				s.sleep(2 * time.Second)
				if !s.Status().Services[0].Below {
					t.Error("not below although three of four failed")
				}
				s.is("all are kept", map[string]int{"10.1.0.0": 1, "10.1.0.1": 1, "10.1.0.2": 1, "10.1.0.3": 1})
				crossed := slices.DeleteFunc(slices.Clone(s.events), func(e string) bool { return e == "" || e[:len(web.String())+1] != web.String()+":" })
				if len(crossed) != 1 {
					t.Errorf("events: %q", crossed)
				}
			})
		})
	}
}

// TestLoadKeepsTheScale holds that a server that asks for a little less, and for all
// again, changes no other weight.
func TestLoadKeepsTheScale(t *testing.T) {
	f := newFake()
	p := Policy{Checks: []Check{{Probe: f, Interval: time.Second}}}
	play(t, tableOf(lvs.WLC, 1, 1), tableOf(lvs.WLC, 1, 1), p, func(s *scene) {
		for _, share := range []float64{0.9, 1, 0.8, 1} {
			f.Lock()
			f.answer[rip(0)] = Answer{Share: share, Reported: true}
			f.Unlock()
			s.sleep(2 * time.Second)
			s.is("asked", map[string]int{"10.1.0.0": int(share * 100), "10.1.0.1": 100})
		}
		f.set(0, errors.New("refused"))
		s.sleep(5 * time.Second)
		s.is("failed", map[string]int{"10.1.0.0": 0, "10.1.0.1": 1})
	})
}
