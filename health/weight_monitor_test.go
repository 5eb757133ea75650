package health

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golvs/lvs"
)

// TestRestartOfThree holds that servers have the same ratios after a restart, whichever of
// them is judged first.
func TestRestartOfThree(t *testing.T) {
	f := newFake()
	p := Policy{Checks: []Check{{Probe: f, Interval: time.Second}}, SlowStart: SlowStart{Window: time.Minute}}
	play(t, tableOf(lvs.WLC, 100, 200, 37), tableOf(lvs.WLC, 1, 2, 1), p, func(s *scene) {
		was := 37
		for range 200 {
			s.sleep(20 * time.Millisecond)
			w := s.weights()
			a, b, c := w["10.1.0.0"], w["10.1.0.1"], w["10.1.0.2"]
			if a != 100 || b != 200 || c < was || c > was+5 {
				t.Fatalf("the weights are %v after %d", w, was)
			}
			was = c
		}
		s.sleep(time.Minute)
		s.is("all have all", map[string]int{"10.1.0.0": 1, "10.1.0.1": 2, "10.1.0.2": 1})
	})
}

// TestRestartBesideAnOverride holds that an operator's share is not taken for the scale of
// the table.
func TestRestartBesideAnOverride(t *testing.T) {
	for _, o := range []Override{
		{Service: web, Server: rip(1), Kind: Scale, Share: 1.5},
		{Service: web, Server: rip(1), Kind: Scale, Share: 0.667},
		{Service: web, Server: rip(1), Kind: Pin, Weight: 7},
	} {
		f := newFake()
		p := Policy{Checks: []Check{{Probe: f, Interval: time.Second}}, SlowStart: SlowStart{Window: time.Minute}}
		pinned := int(math.Round(o.operated().of(1) * 100))
		have, want := tableOf(lvs.WLC, 100, pinned, 50), tableOf(lvs.WLC, 1, 1, 1)
		play(t, have, want, p, func(s *scene) {
			s.have = have
			s.restart(want, p, o)
			for range 100 {
				s.sleep(20 * time.Millisecond)
				s.is(o.String(), map[string]int{"10.1.0.0": 100, "10.1.0.1": pinned, "10.1.0.2": 50})
			}
		})
	}
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
			f.say(0, Answer{Share: share, Reported: true})
			s.sleep(2 * time.Second)
			s.is("asked", map[string]int{"10.1.0.0": int(share * 100), "10.1.0.1": 100})
		}
		f.set(0, errors.New("refused"))
		s.sleep(5 * time.Second)
		s.is("failed", map[string]int{"10.1.0.0": 0, "10.1.0.1": 1})
	})
}

// TestOneFailureOfAReport holds that a check which fails once takes its report not back.
func TestOneFailureOfAReport(t *testing.T) {
	busy, idle := newFake(), newFake()
	idle.Name = "idle"
	busy.say(0, Answer{Share: 0.2, Reported: true})
	idle.say(0, Answer{Share: 0.9, Reported: true})
	p := Policy{Checks: []Check{{Probe: busy, Interval: time.Second}, {Probe: idle, Interval: time.Second}}}
	play(t, tableOf(lvs.WLC, 100), tableOf(lvs.WLC, 100), p, func(s *scene) {
		s.sleep(3 * time.Second)
		busy.set(0, errors.New("refused"))
		for range 40 {
			s.sleep(50 * time.Millisecond)
			s.is("the least share", map[string]int{"10.1.0.0": 20})
		}
		s.sleep(3 * time.Second)
		s.is("failed", map[string]int{"10.1.0.0": 0})
	})
}

// TestUnpinnedAfterRestart holds that a weight that an operator set meets no slow start.
func TestUnpinnedAfterRestart(t *testing.T) {
	f := newFake()
	p := Policy{Checks: []Check{{Probe: f, Interval: time.Second}}, SlowStart: SlowStart{Window: time.Minute}}
	have, want := tableOf(lvs.WLC, 100, 20), tableOf(lvs.WLC, 100, 100)
	play(t, have, want, p, func(s *scene) {
		s.have = have
		s.restart(want, p, Override{Service: web, Server: rip(1), Kind: Pin, Weight: 80})
		s.sleep(3 * time.Second)
		s.is("pinned", map[string]int{"10.1.0.0": 100, "10.1.0.1": 80})
		if err := s.SetOverrides(nil); err != nil {
			t.Fatal(err)
		}
		s.sleep(time.Second)
		s.is("not pinned", map[string]int{"10.1.0.0": 100, "10.1.0.1": 100})
	})
}

// TestChecksChangeBesideReports holds that a server that asks for more than its weight
// does not stand for the scale of the table.
func TestChecksChangeBesideReports(t *testing.T) {
	f := newFake()
	f.say(1, Answer{Share: 3, Reported: true})
	p := Policy{Checks: []Check{{Probe: f, Interval: time.Second}}}
	want := tableOf(lvs.WLC, 1, 1)
	play(t, want, want, p, func(s *scene) {
		s.sleep(3 * time.Second)
		for i := range 100 {
			if i == 3 {
				other := newFake()
				other.Name = "other"
				p.Checks = append(p.Checks, Check{Probe: other})
				if err := s.Set(want, map[lvs.ServiceID]Policy{web: p}); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
			}
			s.is(fmt.Sprint("look ", i), map[string]int{"10.1.0.0": 100, "10.1.0.1": 300})
			s.sleep(50 * time.Millisecond)
		}
	})
}

// TestReportsEnd holds that a server that reports no share any more gets all of its weight
// again, as fast as the policy lets it, also if another check has taken the place of the
// one that reported.
func TestReportsEnd(t *testing.T) {
	f, other := newFake(), newFake()
	other.Name = "other"
	f.say(0, Answer{Reported: true})
	f.say(1, Answer{Share: 0.5, Reported: true})
	policy := func(probe Probe) Policy {
		return Policy{Checks: []Check{{Probe: probe, Interval: time.Second}}, Load: Load{Slew: 0.1}}
	}
	want := tableOf(lvs.WLC, 100, 100)
	play(t, want, want, policy(f), func(s *scene) {
		s.sleep(3 * time.Second)
		s.is("reported", map[string]int{"10.1.0.0": 0, "10.1.0.1": 50})
		f.say(1, Answer{})
		s.sleep(2 * time.Second)
		s.is("on the way", map[string]int{"10.1.0.0": 0, "10.1.0.1": 70})
		if err := s.Set(want, map[lvs.ServiceID]Policy{web: policy(other)}); err != nil {
			t.Fatal(err)
		}
		s.sleep(20 * time.Second)
		s.is("in the end", map[string]int{"10.1.0.0": 100, "10.1.0.1": 100})
		if w := s.Status().Services[0].Servers[0].Weight; w.Scale != 1 {
			t.Errorf("the weight is still divided: %+v", w)
		}
	})
}
