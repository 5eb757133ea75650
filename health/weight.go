package health

import (
	"math"

	"github.com/golvs/lvs"
)

// standing is what decides about the weight of a real server, and whether it counts for
// the limit of its service.
type standing struct {
	configured int          // its weight in the wanted table
	found      kernelWeight // its weight in the kernel's table
	state      State        // what its checks say together
	rising     bool         // it serves although it failed: see member.rising
	override   operated     // what an operator decided
	asks       bool         // whether it asks for shares
	reported   float64      // the share that it asks for, as load.use says; 1 if it says nothing
	ramp       float64      // of slow start, as ramp.at says; 1 when it is over
}

// operated is the part of an override that decides. The zero value is that of none.
type operated struct {
	kind   OverrideKind
	share  float64
	weight int
}

// operated returns the part that decides.
func (o Override) operated() operated { return operated{o.Kind, o.Share, o.Weight} }

// of returns what an override makes of a weight, before checks and reports.
func (o operated) of(configured int) float64 {
	switch o.kind {
	case Drain:
		return 0
	case Pin:
		return float64(o.weight)
	case Scale:
		return float64(configured) * o.share
	}
	return float64(configured)
}

// Reasons why a weight is not the product of its factors: [Weight.Held].
const (
	heldDrained = "drained"
	heldPinned  = "pinned"
	heldFailed  = "failed"
	heldUnknown = "not checked yet"
	heldSorry   = "sorry server"
	heldKeepAll = "keep all"
	heldRising  = "rising"
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
	kept := keptScale(servers, weights)
	scale := max(scaleOf(scheduler, servers, weights), kept)
	for i, s := range servers {
		s.fill(&weights[i], scale)
	}
	return weights
}

// weight returns the factors, and what holds the weight; Scale and Effective are missing.
func (s standing) weight(scheduler lvs.Scheduler, then Action) Weight {
	w := Weight{Configured: s.configured, Operator: 1, Reported: 1, Ramp: 1, Held: s.held(then)}
	if s.override.kind == Scale {
		w.Operator = s.override.share
	}
	if followsShares(scheduler) || s.reported == 0 {
		w.Reported = s.reported
	}
	switch {
	case w.Held == heldKeepAll, w.Held == heldRising:
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
	case s.override.kind == Drain:
		return heldDrained
	case s.override.kind == Pin:
		return heldPinned
	case then == SorryServer:
		return heldSorry
	case then == KeepAll && (s.state != Up || s.reported == 0):
		return heldKeepAll
	case s.state == Down && s.rising:
		return heldRising
	case s.state == Down:
		return heldFailed
	case s.state == Unknown:
		return heldUnknown
	}
	return ""
}

// fill sets Scale and Effective.
func (s standing) fill(w *Weight, scale int) {
	w.Scale = scale
	switch w.Held {
	case heldDrained, heldFailed, heldSorry:
		w.Effective = 0
	case heldPinned:
		w.Effective = rounded(float64(s.override.weight) * float64(scale))
	case heldUnknown:
		w.Effective = rounded(float64(s.found.weight) * float64(scale) / float64(s.found.scale))
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
