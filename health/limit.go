package health

import (
	"fmt"
	"math"
)

// tally is how much of a service works, in the unit of its limit.
type tally struct {
	works   float64 // what works
	unknown float64 // what may, because its checks have not decided yet
	all     float64 // what all servers are
}

// isZero reports whether nothing is limited.
func (l Limit) isZero() bool { return l.Share == 0 && l.Count == 0 && l.Weight == 0 }

// amount returns how much of a service that is, in words.
func (l Limit) amount(n float64) string {
	switch {
	case l.Share > 0:
		return fmt.Sprintf("%.3g %% of the servers", 100*n)
	case l.Weight > 0:
		return fmt.Sprintf("a weight of %.4g", n)
	case n == 1:
		return "1 server"
	}
	return fmt.Sprintf("%.4g servers", n)
}

// tally returns how much of a service works.
func (l Limit) tally(servers []standing) tally {
	var t tally
	for _, s := range servers {
		n := 1.0
		switch {
		case l.Share > 0:
			n /= float64(len(servers))
		case l.Weight > 0:
			n = float64(s.configured)
		}
		t.all += n
		switch {
		case s.missing():
		case s.override.kind == Pin || s.state == Up:
			t.works += n
		default:
			t.unknown += n
		}
	}
	return t
}

// missing reports whether a server gets no connections, whoever decided it.
func (s standing) missing() bool {
	if s.override.of(s.configured) == 0 {
		return true
	}
	return s.override.kind != Pin && (s.state == Down || s.reported == 0)
}

// least returns what must work.
func (l Limit) least() float64 {
	return l.Share + float64(l.Count) + float64(l.Weight) // one of them is set
}

// needed returns what must work to be above the limit: Hysteresis more than the least if
// the service was below it, but no more than all servers have.
func (l Limit) needed(was bool, t tally) float64 {
	if !was {
		return l.least()
	}
	return max(l.least(), min(l.least()+l.Hysteresis, t.all))
}

// below reports whether too little works, given whether it was so before. What is not
// known yet changes nothing: a service that starts is not below its limit until so many
// servers have failed that the others cannot suffice, and one that is below stays so
// until enough servers are known to work.
func (l Limit) below(was bool, t tally) bool {
	switch {
	case l.isZero():
		return false
	case was:
		return less(t.works, l.needed(true, t))
	}
	return less(t.works+t.unknown, l.needed(false, t))
}

// reached reports whether enough is known to work.
func (l Limit) reached(t tally) bool { return !l.isZero() && !less(t.works, l.least()) }

// less compares sums of shares, which are not exact.
func less(a, b float64) bool { return a < b-1e-9*math.Max(1, math.Abs(b)) }
