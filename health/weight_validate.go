package health

import (
	"math"
	"slices"
	"time"

	"github.com/golvs/lvs"
)

// useless says why slow start is refused with a scheduler, with what a new server beside
// four with 2,500 connections each gets of the next 1,000, and with the clients that move.
var useless = map[lvs.Scheduler]string{
	lvs.RR:    "looks at no weights: a new server among five gets 200 of the next 1,000 connections whatever its weight",
	lvs.LC:    "looks at no weights: a new server gets all of the next 1,000 connections whatever its weight, until it has as many as the others",
	lvs.SH:    "finds servers by a table that any other weight changes: all clients would move at each step",
	lvs.DH:    "looks at no weights",
	lvs.FO:    "uses the server of the greatest weight alone: a smaller one gets nothing until it is the greatest",
	lvs.OVF:   "fills servers in the order of their weights: a smaller weight is another limit, not a smaller share",
	lvs.LBLC:  "keeps the clients of a destination on one server, and a weight counts only when that one is chosen",
	lvs.LBLCR: "keeps the clients of a destination on a set of servers, and a weight counts only when one is added",
	lvs.TWOS:  "picks the better of two at random: a small weight makes a server rare, and it then wins whenever it is drawn",
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
