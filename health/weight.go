package health

import (
	"math"

	"github.com/golvs/lvs"
)

// standing is what decides about the weight of a real server, and whether it counts for
// the limit of its service.
type standing struct {
	configured int      // its weight in the wanted table
	had        int      // its weight in the kernel's table, of an Unknown one when it was first seen; -1 if not there
	state      State    // what its checks say together
	override   Override // that counts now; the zero value is none
	asks       bool     // whether it asks for shares
	reported   float64  // the share that it asks for, as load.use says; 1 if it says nothing
	ramp       float64  // of slow start, as SlowStart.at says; 1 when it is over
}

// Reasons why a weight is not the product of its factors: [Weight.Held].
const (
	heldDrained = "drained"
	heldPinned  = "pinned"
	heldFailed  = "failed"
	heldUnknown = "not checked yet"
	heldSorry   = "sorry server"
	heldKeepAll = "keep all"
)

// weigh returns the weights that the servers of a service should have, in the same order.
// Then is the action of the service's limit while too few servers work, and "" otherwise.
//
// Weights are kept in the same ratio to each other, whatever their scale, also while some
// servers have been judged and others still have what a former program gave them.
func weigh(scheduler lvs.Scheduler, then Action, servers []standing) []Weight {
	weights := make([]Weight, len(servers))
	for i, s := range servers {
		weights[i] = s.weight(scheduler, then)
	}
	kept := keptScale(scheduler, servers, weights)
	scale := max(scaleOf(scheduler, servers, weights), kept)
	for i, s := range servers {
		s.fill(&weights[i], scale, kept)
	}
	return weights
}

// weight returns the factors, and what holds the weight; Scale and Effective are missing.
func (s standing) weight(scheduler lvs.Scheduler, then Action) Weight {
	w := Weight{Configured: s.configured, Operator: 1, Reported: 1, Ramp: 1, Held: s.held(then)}
	if s.override.Kind == Scale {
		w.Operator = s.override.Share
	}
	if followsShares(scheduler) || s.reported == 0 {
		w.Reported = s.reported
	}
	switch {
	case w.Held == heldKeepAll:
		w.Reported = 1
	case then != KeepAll && s.state == Up:
		// Where servers that failed are used with all of their weight, one that works must
		// not have less.
		w.Ramp = s.ramp
	}
	return w
}

// held returns why the weight is not the product of its factors; "" if it is. What an
// operator decided comes first, then what the limit says, then the checks.
func (s standing) held(then Action) string {
	switch {
	case s.override.Kind == Drain:
		return heldDrained
	case s.override.Kind == Pin:
		return heldPinned
	case then == SorryServer:
		return heldSorry
	case then == KeepAll && (s.state != Up || s.reported == 0):
		return heldKeepAll
	case s.state == Down:
		return heldFailed
	case s.state == Unknown:
		return heldUnknown
	}
	return ""
}

// fill sets Scale and Effective. Kept is the scale of the kernel's table.
func (s standing) fill(w *Weight, scale, kept int) {
	w.Scale = scale
	switch w.Held {
	case heldDrained, heldFailed, heldSorry:
		w.Effective = 0
	case heldPinned:
		w.Effective = rounded(float64(s.override.Weight) * float64(scale))
	case heldUnknown:
		w.Effective = 0
		if s.had > 0 {
			w.Effective = rounded(float64(s.had) * float64(scale) / float64(kept))
		}
	default:
		w.Effective = rounded(float64(w.Configured) * float64(scale) * w.share())
	}
}

// share returns the part of the configured weight that is left.
func (w Weight) share() float64 { return w.Operator * w.Reported * w.Ramp }

// rounded returns a weight that the kernel takes. What is more than nothing stays so: a
// small share is not a refusal.
func rounded(exact float64) int {
	if !(exact > 0) {
		return 0
	}
	return int(max(1, min(math.Round(exact), maxWeight)))
}
