package health

import (
	"cmp"
	"math"
	"time"

	"github.com/golvs/lvs"
)

const (
	defaultFrom  = 0.1
	defaultCurve = 1

	// rampSteps is how often a weight rises on the way to all of it. A step is a change of
	// the table.
	rampSteps = 20

	// rampStepsMH is the same for MH, where clients move at each step. Its shares are
	// quarters, because it finds places for weights that have a common divisor in fewer
	// turns, and then moves fewer clients.
	rampStepsMH = 4

	// shortestStep keeps a short window from changing the table all the time.
	shortestStep = 100 * time.Millisecond
)

// ramp is the slow start of one server. The zero value is that of one that has all of its
// weight.
type ramp struct {
	began time.Time
	least float64 // the share that the server had already
}

// at returns the share of its weight that a server has, and after how long the share may
// change; 0 is never: slow start is over.
func (r ramp) at(now time.Time, s SlowStart, scheduler lvs.Scheduler) (share float64, rest time.Duration) {
	if r.began.IsZero() {
		return 1, 0
	}
	share, rest = s.at(now.Sub(r.began), scheduler)
	return max(share, r.least), rest
}

// resume returns the slow start of a server that was found with a part of its whole weight.
// It goes on from the last step that gives no more than that. The weight stays until the
// next step is due.
func (s SlowStart) resume(now time.Time, weight int, whole float64, scheduler lvs.Scheduler) ramp {
	switch {
	case s.Window == 0:
		return ramp{}
	case weight <= 0:
		return ramp{began: now}
	case weight >= rounded(whole):
		return ramp{}
	}
	elapsed, before := time.Duration(0), time.Duration(0)
	for {
		share, rest := s.at(elapsed, scheduler)
		if rounded(share*whole) > weight {
			return ramp{now.Add(-before), float64(weight) / whole}
		}
		before, elapsed = elapsed, elapsed+rest
	}
}

// at returns the share of its weight that a server has some time after it began to work,
// and after how long the share changes next; 0 is never: slow start is over.
func (s SlowStart) at(elapsed time.Duration, scheduler lvs.Scheduler) (share float64, rest time.Duration) {
	if elapsed >= s.Window {
		return 1, 0
	}
	elapsed = max(0, elapsed)
	step := s.Window / time.Duration(s.steps(scheduler))
	begun := elapsed.Truncate(step)
	end := begun + min(step, s.Window-begun)
	if scheduler == lvs.MH {
		return math.Ceil(rampStepsMH*s.curve(end)) / rampStepsMH, end - elapsed
	}
	return s.curve(begun), end - elapsed
}

// curve returns the share some time after the beginning.
func (s SlowStart) curve(elapsed time.Duration) float64 {
	part := float64(elapsed) / float64(s.Window)
	from, curve := cmp.Or(s.From, defaultFrom), cmp.Or(s.Curve, defaultCurve)
	return max(from, math.Pow(part, 1/curve))
}

// steps returns in how many steps a weight rises.
func (s SlowStart) steps(scheduler lvs.Scheduler) int {
	most := rampSteps
	if scheduler == lvs.MH {
		most = rampStepsMH
	}
	return max(1, min(most, int(s.Window/shortestStep)))
}
