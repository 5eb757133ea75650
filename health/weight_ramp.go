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

	// rampStepsMH is the same for MH, where clients move at each step: with the weight that
	// a server begins with, it has four.
	rampStepsMH = 3

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
	return s.curve(float64(begun) / float64(s.Window)), begun - elapsed + min(step, s.Window-begun)
}

// curve returns the share after a part of the window.
func (s SlowStart) curve(part float64) float64 {
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
