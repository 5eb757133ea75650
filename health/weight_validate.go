package health

import (
	"math"
	"slices"
	"time"

	"github.com/golvs/lvs"
)

// useless says why slow start is refused with a scheduler. Its numbers are what a new server
// beside four with 2,500 connections each gets of the next 1,000, and how many of 10,000
// clients move. A test has them from the simulator.
var useless = map[lvs.Scheduler]string{
	lvs.RR:    "looks at no weight: a new server beside four gets 200 of the next 1,000 connections at any weight",
	lvs.LC:    "looks at no weight: a new server beside four with 2,500 connections each gets 1,000 of the next 1,000 at any weight",
	lvs.DH:    "looks at the destination alone: a new server beside four gets 200 of the next 1,000 connections to 100 destinations at any weight",
	lvs.SH:    "finds other servers for most clients at each step: 81 % move when a fifth server is added, and in four steps 77 %, 78 %, 79 % and 80 %",
	lvs.FO:    "uses the server of the greatest weight alone: a new server gets 0 of the next 1,000 connections at a tenth of its weight, and then all",
	lvs.OVF:   "takes weights as numbers of connections: a new server gets 11 of the next 1,000 at a weight of 10, and then no more",
	lvs.LBLC:  "looks at weights only when a destination is new: a new server beside four gets 1,000 of the next 1,000 connections to new destinations at a tenth of its weight",
	lvs.LBLCR: "looks at weights only when a destination is new: a new server beside four gets 1,000 of the next 1,000 connections to new destinations at a tenth of its weight",
	lvs.TWOS:  "draws servers by weight and does not flood a new one: beside four with 2,500 connections each, it gets 391 of the next 1,000 with all of its weight",
}

// longestRamp is the longest window of slow start.
const longestRamp = 24 * time.Hour

// validate returns an error that names the field within SlowStart if it does not suit the
// scheduler.
func (s SlowStart) validate(scheduler lvs.Scheduler) error {
	switch {
	case s.Window < 0 || s.Window > longestRamp:
		return invalid("Window", "%s is out of range [0s, %s]", s.Window, longestRamp)
	case s.Window == 0 && (s.From != 0 || s.Curve != 0):
		return invalid("Window", "must be set where From or Curve is")
	case !(s.From >= 0 && s.From <= 1): // a NaN is neither
		return invalid("From", "%g is out of range [0, 1]", s.From)
	case s.Curve != 0 && !(s.Curve >= 0.1 && s.Curve <= 10):
		return invalid("Curve", "%g is out of range [0.1, 10]", s.Curve)
	case s.Window == 0 || scheduler == lvs.MH || slices.Contains(ratios, scheduler):
		return nil
	}
	why, ok := useless[scheduler]
	if !ok {
		why = "is not one whose use of weights is known"
	}
	return invalid("Window", "slow start does not suit %s, which %s; use it with wrr, wlc, sed, nq or mh", scheduler, why)
}

// validate returns an error that names the field within Load if weights cannot follow
// shares with the scheduler.
func (l Load) validate(scheduler lvs.Scheduler) error {
	switch {
	case !(l.DeadBand >= 0 && l.DeadBand <= 1): // a NaN is neither
		return invalid("DeadBand", "%g is out of range [0, 1]", l.DeadBand)
	case !(l.Slew >= 0 && l.Slew <= math.MaxFloat64):
		return invalid("Slew", "%g is not a number from 0", l.Slew)
	case l.DeadBand > 0 && !followsShares(scheduler):
		return l.unused("DeadBand", scheduler)
	case l.Slew > 0 && !followsShares(scheduler):
		return l.unused("Slew", scheduler)
	}
	return nil
}

// unused returns the error of a field that has no effect.
func (l Load) unused(field string, scheduler lvs.Scheduler) error {
	return invalid(field, "weights do not follow shares with %s, but for a share of 0; use wrr, wlc, sed, nq, lblc, lblcr or twos", scheduler)
}
