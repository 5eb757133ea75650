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
