package workload

import (
	"math"
	"math/bits"
	"time"
)

// Imbalance measures in three ways how unequal numbers are. The zero value is the
// imbalance of no numbers, or of zeros.
type Imbalance struct {
	// GreatestOverMean is the greatest number over the mean: 1 if all are equal, and n
	// if one of n has all. It is how much larger than the average the greatest server
	// must be.
	GreatestOverMean float64 `json:"greatestOverMean"`

	// CV is the coefficient of variation, the standard deviation over the mean:
	// 0 when all are equal.
	CV float64 `json:"cv"`

	// Jain is Jain's index of fairness: 1 when all are equal, 1/n when one of n
	// has all.
	Jain float64 `json:"jain"`
}

// ImbalanceOf returns the imbalance of numbers that are not negative.
func ImbalanceOf(values ...float64) Imbalance {
	var sum, squares, greatest float64
	for _, v := range values {
		sum += v
		squares += v * v
		greatest = max(greatest, v)
	}
	if sum == 0 {
		return Imbalance{}
	}
	n := float64(len(values))
	mean := sum / n
	var deviation float64
	for _, v := range values {
		deviation += (v - mean) * (v - mean)
	}
	return Imbalance{
		GreatestOverMean: greatest / mean,
		CV:               math.Sqrt(deviation/n) / mean,
		Jain:             sum * sum / (n * squares),
	}
}

// perDue returns the imbalance of what servers have, each divided by what it is
// due. Servers that are due nothing do not count.
func perDue(has, due []float64) Imbalance {
	var values []float64
	for i := range has {
		if due[i] > 0 {
			values = append(values, has[i]/due[i])
		}
	}
	return ImbalanceOf(values...)
}

// shares returns each part of the sum; zeros, if the sum is 0.
func shares(values []float64) []float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	out := make([]float64, len(values))
	for i, v := range values {
		if sum > 0 {
			out[i] = v / sum
		}
	}
	return out
}

// leastMoved returns the least share that must move for shares to change from one
// slice to the other: the sum of all gains. The shorter slice continues with zeros.
func leastMoved(from, to []float64) float64 {
	sum := 0.0
	for i, share := range to {
		if i < len(from) {
			share -= from[i]
		}
		sum += max(0, share)
	}
	return sum
}

// Times are how long connections took from their arrival to their end, waiting
// included, in seconds.
type Times struct {
	Mean    float64 `json:"mean"`    // arithmetic; 0 when none ended
	P50     float64 `json:"p50"`     // half of them took at most this
	P99     float64 `json:"p99"`     // 99 of 100 took at most this
	Longest float64 `json:"longest"` // of all
}

// histogram counts times so that quantiles are exact to 1 in 64.
type histogram struct {
	counts  [64 * 64]int
	n       int
	sum     float64 // seconds
	longest time.Duration
}

func (h *histogram) add(d time.Duration) {
	h.counts[slot(d)]++
	h.n++
	h.sum += d.Seconds()
	h.longest = max(h.longest, d)
}

// slot returns the highest bit of a time with the six below it.
func slot(d time.Duration) int {
	if d < 64 {
		return int(d)
	}
	shift := bits.Len64(uint64(d)) - 7
	return 64*(shift+1) + int(d>>shift)&63
}

// upTo returns the longest time of a slot.
func upTo(slot int) time.Duration {
	if slot < 64 {
		return time.Duration(slot)
	}
	shift := slot/64 - 1
	return time.Duration(64+slot%64+1)<<shift - 1
}

func (h *histogram) quantile(q float64) float64 {
	want := int(math.Ceil(q * float64(h.n)))
	for i, n := range h.counts {
		if want -= n; want <= 0 {
			return min(upTo(i), h.longest).Seconds()
		}
	}
	return h.longest.Seconds()
}

func (h *histogram) times() Times {
	if h.n == 0 {
		return Times{}
	}
	return Times{
		Mean: h.sum / float64(h.n), P50: h.quantile(0.5), P99: h.quantile(0.99), Longest: h.longest.Seconds(),
	}
}
