package health

import (
	"math"
	"slices"

	"github.com/golvs/lvs"
)

// ratios are the schedulers for which weights have no meaning but their ratio.
var ratios = []lvs.Scheduler{lvs.WRR, lvs.WLC, lvs.SED, lvs.NQ}

const (
	// fine is the least weight that is divided, so that a share is good to a hundredth.
	fine = 100

	// buckets is the length of SH's table. It gives each server as many in turn as its
	// weight, so that greater weights leave the last servers without any.
	buckets = 256

	// turns is the least weight that is divided for MH, where possible without a scale
	// beyond mostTurns. A server has as many turns in a round as its weight, so that
	// greater weights move more clients.
	turns     = rampStepsMH
	mostTurns = 10
)

// followsShares reports whether a smaller weight makes a server get fewer connections,
// and moves none of its clients.
func followsShares(scheduler lvs.Scheduler) bool {
	return slices.Contains(ratios, scheduler) || scheduler == lvs.LBLC || scheduler == lvs.LBLCR || scheduler == lvs.TWOS
}

// scales reports whether weights may be multiplied.
func scales(scheduler lvs.Scheduler) bool {
	return slices.Contains(ratios, scheduler) || scheduler == lvs.MH || scheduler == lvs.SH
}

// scaleOf returns by what the weights of all servers of a service are multiplied, so that
// those can be divided that have a share; 1 if none has, or if weights are not ratios.
func scaleOf(scheduler lvs.Scheduler, servers []standing, weights []Weight) int {
	least := math.MaxInt
	for i, w := range weights {
		if w.divided() || servers[i].mayDivide(scheduler, w) {
			least = min(least, w.Configured)
		}
	}
	if least == math.MaxInt {
		return 1
	}
	switch {
	case slices.Contains(ratios, scheduler):
		return max(1, min(divisible(least, fine), largestScale(weights)))
	case scheduler == lvs.MH:
		return leastScale(weights, divisible(least, turns), mostTurns)
	case scheduler == lvs.SH:
		return leastScale(weights, 1, buckets/max(1, total(weights)))
	}
	return 1
}

// divided reports whether the weight is another part of the configured one than all or
// nothing.
func (w Weight) divided() bool {
	return w.Held == "" && w.Configured > 0 && w.share() > 0 && w.share() != 1
}

// mayDivide reports whether the server asks for shares. All of its weight is a share too:
// all servers would be written each time when it asks for a little less, and for all again.
func (s standing) mayDivide(scheduler lvs.Scheduler, w Weight) bool {
	return s.asks && followsShares(scheduler) && w.Held == "" && w.Configured > 0
}

// divisible returns the scale that makes the least weight that is divided great enough. It
// does not depend on shares, so that it stays while they change.
func divisible(least, enough int) int {
	return max(1, (enough-1)/least+1)
}

// largestScale returns the greatest scale at which the kernel takes all weights.
func largestScale(weights []Weight) int {
	most := 1.0
	for _, w := range weights {
		most = max(most, float64(w.Configured)*max(1, w.share()))
	}
	return int(maxWeight / most)
}

// leastScale returns the scale between two at which rounding changes the shares
// least, the smallest if several are as good.
func leastScale(weights []Weight, from, most int) int {
	best, least := from, math.Inf(1)
	for scale := from; scale <= most; scale++ {
		if wrong := roundingError(weights, scale); wrong < least-1e-9 {
			best, least = scale, wrong
		}
	}
	return best
}

// roundingError returns the greatest difference that rounding makes to a share.
func roundingError(weights []Weight, scale int) float64 {
	wrong := 0.0
	for _, w := range weights {
		if w.divided() {
			exact := float64(w.Configured) * float64(scale)
			wrong = max(wrong, math.Abs(float64(rounded(exact*w.share()))/exact-w.share()))
		}
	}
	return wrong
}

// total returns the sum of the configured weights, at most that of the kernel.
func total(weights []Weight) int {
	sum := 0.0
	for _, w := range weights {
		sum += float64(w.Configured)
	}
	return int(min(sum, maxWeight))
}

// keptScale returns the scale of the weights that servers keep until they are judged; 1 if
// none does. A program that ended during slow start left it in the kernel's table, and
// without it the first server that is judged would get a hundredth of what the others have.
func keptScale(servers []standing, weights []Weight) int {
	scale := 1
	for i, w := range weights {
		if w.Held == heldUnknown && servers[i].found.weight > 0 {
			scale = max(scale, servers[i].found.scale)
		}
	}
	return scale
}
