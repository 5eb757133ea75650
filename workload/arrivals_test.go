package workload

import (
	"math"
	"testing"
	"time"

	"github.com/golvs/lvs"
)

// Daily arrivals are few at night and many at noon, the next day as well.
func TestDaily(t *testing.T) {
	w := Workload{
		Service: web, Duration: 48 * time.Minute, Arrivals: Daily(10, 50, 24*time.Minute), Clients: Clients{Count: 1000},
		Lifetime: Fixed(time.Second), Samples: 48, Seed: 1,
	}
	_, r := run1(t, lvs.Service{ID: web, Scheduler: lvs.RR}, lvs.DR(), w, 1)
	for minute, rate := range map[int]float64{0: 10, 5: 30, 11: 50, 12: 50, 18: 30, 23: 10, 24: 10, 36: 50} {
		// Five standard deviations of a Poisson distribution, and what the rate changes in a minute.
		if got := float64(r.Samples[minute].Arrived) / 60; math.Abs(got-rate) > 5*math.Sqrt(rate/60)+2.7 {
			t.Errorf("%.1f connections a second in minute %d, want about %v", got, minute, rate)
		}
	}
	if mean := float64(r.Arrived) / w.Duration.Seconds(); math.Abs(mean-w.Arrivals.Rate()) > 1 {
		t.Errorf("%.1f connections a second on average, want %v", mean, w.Arrivals.Rate())
	}
}

func TestDailyRefused(t *testing.T) {
	sim := newSim(t, lvs.Service{ID: web, Scheduler: lvs.RR}, lvs.DR(), 1)
	for _, a := range []Arrivals{
		Daily(-1, 5, time.Hour), Daily(6, 5, time.Hour), Daily(0, 0, time.Hour), Daily(math.NaN(), 5, time.Hour),
		Daily(1, math.Inf(1), time.Hour), Daily(1, 5, 0), Daily(1, 5, -time.Hour),
	} {
		w := usual()
		w.Arrivals = a
		refused(t, sim, w, "Arrivals")
	}
}
