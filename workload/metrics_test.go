package workload

import (
	"math"
	"testing"
	"time"
)

func near(got, want float64) bool { return math.Abs(got-want) < 1e-9*max(1, math.Abs(want)) }

// Each value is computed by hand.
func TestImbalanceOf(t *testing.T) {
	for _, c := range []struct {
		name   string
		values []float64
		want   Imbalance
	}{
		{"none", nil, Imbalance{}},
		{"zeros", []float64{0, 0}, Imbalance{}},
		{"equal", []float64{7, 7, 7}, Imbalance{1, 0, 1}},
		{"one has all", []float64{0, 0, 0, 8}, Imbalance{4, math.Sqrt(3), 0.25}},
		// Mean 4, deviations -2, 0 and 2: sqrt(8/3)/4; 12²/(3·56).
		{"2, 4, 6", []float64{2, 4, 6}, Imbalance{1.5, math.Sqrt(8.0/3) / 4, 144.0 / 168}},
	} {
		got := ImbalanceOf(c.values...)
		if !near(got.GreatestOverMean, c.want.GreatestOverMean) || !near(got.CV, c.want.CV) || !near(got.Jain, c.want.Jain) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestPerDue(t *testing.T) {
	// 2 of 1 due and 3 of 3 due are 2 and 1; the server that is due nothing does not count.
	got := perDue([]float64{2, 3, 5}, []float64{1, 3, 0})
	if !near(got.GreatestOverMean, 2/1.5) || !near(got.CV, 0.5/1.5) || !near(got.Jain, 9.0/10) {
		t.Errorf("got %v", got)
	}
}

func TestLeastMoved(t *testing.T) {
	for _, c := range []struct {
		from, to []float64
		want     float64
	}{
		{[]float64{0.5, 0.5}, []float64{0.5, 0.5}, 0},
		{[]float64{0.25, 0.25, 0.25, 0.25}, []float64{0, 1.0 / 3, 1.0 / 3, 1.0 / 3}, 0.25}, // one leaves
		{[]float64{0.5, 0.5}, []float64{0.25, 0.25, 0.5}, 0.5},                             // one of weight 2 comes
		{[]float64{0.75, 0.25}, []float64{0.5, 0.5}, 0.25},                                 // weights change
	} {
		if got := leastMoved(c.from, c.to); !near(got, c.want) {
			t.Errorf("from %v to %v: got %v, want %v", c.from, c.to, got, c.want)
		}
	}
}

func TestHistogram(t *testing.T) {
	var h histogram
	if h.times() != (Times{}) {
		t.Errorf("of nothing: %v", h.times())
	}
	for i := range 1000 {
		h.add(time.Duration(i+1) * time.Millisecond)
	}
	got := h.times()
	if !near(got.Mean, 0.5005) || !near(got.Longest, 1) || math.Abs(got.P50-0.5) > 0.5/64 || math.Abs(got.P99-0.99) > 0.99/64 {
		t.Errorf("of 1 to 1000 ms: %+v", got)
	}
	for _, d := range []time.Duration{0, 1, 63, 64, 65, 127, 128, 1000, time.Second, forever} {
		if up := upTo(slot(d)); up < d || (slot(d) > 0 && upTo(slot(d)-1) >= d) {
			t.Errorf("%d is in slot %d, up to %d", d, slot(d), up)
		}
	}
}

// Eight connections of three clients, one after the other, by hand.
func TestAffinity(t *testing.T) {
	a := newAffinity(3)
	a.came(0, 0)
	a.came(0, 1) // switched
	a.came(1, 1)
	a.came(1, 1)
	if got := a.ordinary(); !near(got, 0.5) {
		t.Errorf("ordinarily %v switch, want 1 of 2", got)
	}
	a.begin()
	a.came(0, 0)    // moved
	a.came(0, 1)    // no more the first connection of the period
	a.wasRefused(1) // had a server
	a.came(1, 0)    // came already
	a.wasRefused(2) // never had a server
	a.came(2, 0)    // the first of all
	if a.returned != 2 || a.moved != 1 || a.refused != 1 {
		t.Errorf("%d returned, %d moved, %d were refused; want 2, 1, 1", a.returned, a.moved, a.refused)
	}
	a.begin()
	a.begin()
	a.came(0, 0) // stayed away for a whole period
	if a.returned+a.moved != 0 {
		t.Errorf("%d returned, %d moved; want none", a.returned, a.moved)
	}
}
