package health

import (
	"fmt"
	"testing"
	"time"

	"github.com/golvs/lvs"
)

// everySlowStart returns slow starts of all kinds of curves.
func everySlowStart() (all []SlowStart) {
	for _, window := range []time.Duration{1, 150 * time.Millisecond, time.Second, 30 * time.Second, longestRamp} {
		for _, from := range []float64{0, 0.01, 0.5, 1} {
			for _, curve := range []float64{0, 0.1, 0.5, 2, 10} {
				all = append(all, SlowStart{Window: window, From: from, Curve: curve})
			}
		}
	}
	return all
}

// A weight that slow start gives is resumed where it gives it last: it is the same at
// once, and goes the same way from there.
func TestResumeFromAStep(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	for _, s := range everySlowStart() {
		for _, scheduler := range []lvs.Scheduler{lvs.WLC, lvs.MH} {
			for _, whole := range []float64{1, 4, 7, 12.5, 37, 100, 150, 300, 1_000_003, maxWeight} {
				at := func(elapsed time.Duration) (weight int, rest time.Duration) {
					share, rest := s.at(elapsed, scheduler)
					return rounded(share * whole), rest
				}
				for begun := time.Duration(0); begun < s.Window; {
					weight, rest := at(begun)
					end := begun + rest
					if next, _ := at(end); next != weight {
						r := s.resume(now, weight, whole, scheduler)
						for elapsed := begun; rest > 0; elapsed += rest {
							var want int
							want, rest = at(elapsed)
							share, left := r.at(now.Add(elapsed-begun), s, scheduler)
							if is := rounded(share * whole); is != want || left != rest {
								t.Fatalf("%+v, %s, whole %g: resumed after %s with %d, it has %d for %s after %s, want %d for %s", s, scheduler, whole, begun, weight, is, left, elapsed, want, rest)
							}
						}
					}
					begun = end
				}
			}
		}
	}
}

// Any weight stays when it is resumed, or rises to the first one of slow start, and ends
// at the whole weight within the window without falling.
func TestResumeFromAnyWeight(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	for _, s := range everySlowStart() {
		for _, scheduler := range []lvs.Scheduler{lvs.WLC, lvs.MH} {
			for _, whole := range []float64{1, 7, 12.5, 100, 300} {
				for weight := -1; weight <= int(whole)+1; weight++ {
					name := fmt.Sprintf("%+v, %s, %d of %g", s, scheduler, weight, whole)
					first, _ := s.at(0, scheduler)
					r := s.resume(now, weight, whole, scheduler)
					was := min(max(weight, rounded(first*whole)), rounded(whole))
					for at := time.Duration(0); ; {
						share, rest := r.at(now.Add(at), s, scheduler)
						is := rounded(share * whole)
						if is < was || at == 0 && is != was {
							t.Fatalf("%s: %d after %s, before %d", name, is, at, was)
						}
						if was = is; rest == 0 {
							break
						}
						at += rest
					}
					if was != rounded(whole) {
						t.Fatalf("%s: ended with %d", name, was)
					}
				}
			}
		}
	}
}

func TestResumeNothing(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	s := SlowStart{Window: time.Minute}
	for name, c := range map[string]struct {
		s      SlowStart
		weight int
		whole  float64
		want   ramp
	}{
		"no slow start":          {SlowStart{}, 1, 100, ramp{}},
		"all of its weight":      {s, 100, 100, ramp{}},
		"more than its weight":   {s, 101, 100, ramp{}},
		"no weight":              {s, 0, 100, ramp{began: now}},
		"not in the table":       {s, -1, 100, ramp{began: now}},
		"a weight of none":       {s, 5, 0, ramp{}},
		"nothing of nothing":     {s, 0, 0, ramp{began: now}},
		"the middle of the line": {s, 50, 100, ramp{now.Add(-30 * time.Second), 0.5}},
	} {
		if got := c.s.resume(now, c.weight, c.whole, lvs.WLC); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
