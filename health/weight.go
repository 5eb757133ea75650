package health

import (
	"math"
	"slices"
	"time"

	"github.com/golvs/lvs"
)

// scaled are the schedulers with which the weights of all servers of a service may be
// multiplied: only their ratios count.
var scaled = []lvs.Scheduler{lvs.WRR, lvs.WLC, lvs.SED, lvs.NQ}

// fine is the least weight that can be divided well enough.
const fine = 100

// scaleOf returns by what the weights of servers are multiplied, so that the least of
// them can be divided: 1 if none is to be.
func scaleOf(scheduler lvs.Scheduler, weights []Weight) int {
	least, most, divided := maxWeight, 1, false
	for _, w := range weights {
		if w.Configured > 0 {
			least, most = min(least, w.Configured), max(most, w.Configured)
		}
		divided = divided || w.share() > 0 && w.share() < 1
	}
	if !divided || least >= fine || !slices.Contains(scaled, scheduler) {
		return 1
	}
	return max(1, min((fine+least-1)/least, maxWeight/most))
}

// share returns what is left of the configured weight.
func (w Weight) share() float64 { return w.Operator * w.Reported * w.Ramp }

// of sets the effective weight to the product of what it is made of.
func (w *Weight) of(scale int) {
	w.Scale = scale
	exact := float64(w.Configured) * float64(scale) * w.share()
	w.Effective = min(int(math.Round(exact)), maxWeight)
	if exact > 0 {
		w.Effective = max(1, w.Effective) // a share is not a refusal
	}
}

// hold sets the effective weight for another reason.
func (w *Weight) hold(weight int, why string) { w.Effective, w.Held = weight, why }

// steps returns in how many steps weights rise with a scheduler.
func steps(scheduler lvs.Scheduler) int {
	if scheduler == lvs.MH {
		return 4 // each step moves clients
	}
	return 20
}

// at returns the share of its weight that a server has some time after it began to work,
// and how long it keeps it; 0 is for good.
func (s SlowStart) at(elapsed time.Duration, scheduler lvs.Scheduler) (share float64, rest time.Duration) {
	if elapsed >= s.Window || s.Window <= 0 {
		return 1, 0
	}
	n := steps(scheduler)
	step := int(int64(max(0, elapsed)) * int64(n) / int64(s.Window))
	end := time.Duration((int64(step+1)*int64(s.Window) + int64(n) - 1) / int64(n))
	from, curve := s.From, s.Curve
	if from == 0 {
		from = 0.1
	}
	if curve == 0 {
		curve = 1
	}
	return max(from, math.Pow(float64(step)/float64(n), 1/curve)), end - elapsed
}

// load is the share that a server asks for, as it is used.
type load struct {
	share float64
	at    time.Time // when it was taken; zero before the first report
}

// use returns the share in use.
func (l load) use() float64 {
	if l.at.IsZero() {
		return 1
	}
	return l.share
}

// take follows a report, and reports whether the share in use changed. A server that asks
// for no connections at all gets none at once.
func (l *load) take(asked float64, p Load, now time.Time) (changed bool) {
	was := l.use()
	step := asked - was
	if asked > 0 && was > 0 {
		if math.Abs(step) < p.DeadBand {
			step = 0
		}
		if p.Slew > 0 && !l.at.IsZero() {
			most := p.Slew * now.Sub(l.at).Seconds()
			step = max(-most, min(most, step))
		}
	}
	l.share, l.at = was+step, now
	return step != 0
}
