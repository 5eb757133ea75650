package director

import (
	"fmt"
	"testing"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/health"
)

// A Director that is started again during slow start, at any time and however often, goes
// on with it: no weight jumps, and none falls.
func TestStartedAgainInSlowStart(t *testing.T) {
	for _, scheduler := range []lvs.Scheduler{lvs.WRR, lvs.WLC, lvs.MH} {
		for _, failed := range []health.Consequence{health.Quiesce, health.Remove} {
			t.Run(fmt.Sprint(scheduler, " ", failed), func(t *testing.T) { playSlowStart(t, scheduler, failed) })
		}
	}
}

// playSlowStart starts the Director again every 16 s of slow start. With MH, a step takes 15.
func playSlowStart(t *testing.T, scheduler lvs.Scheduler, failed health.Consequence) {
	dir := t.TempDir()
	o := Options{StateFile: dir + "/state", OverridesFile: dir + "/overrides"}
	step := 0.051
	if scheduler == lvs.MH {
		step = 0.251
	}
	play(t, o, func(s *scene) {
		var b backends
		want := wrrTable(1, 2, 1)
		want.Services[0].Scheduler = scheduler
		u := b.checked(want, func(p *health.Policy) {
			p.Failed, p.SlowStart = failed, health.SlowStart{Window: time.Minute}
		})
		s.update(u)
		s.run()
		pass(2 * time.Minute)
		s.hasServers("before", 1, 2, 1)
		b.breaks(2)
		pass(fall)
		b.breaks()
		pass(rise + 50*time.Millisecond)
		was, restarts := 0.0, 0
		for begun, next := time.Now(), time.Now().Add(16*time.Second); was < 1; pass(50 * time.Millisecond) {
			if time.Now().After(next) {
				s.stop()
				s.direct(o)
				s.update(u)
				s.run()
				restarts++
				next = next.Add(16 * time.Second)
			}
			weights := s.weightsOf(1, 2, 3)
			is := float64(weights[1]) / float64(weights[0]) / 2
			if weights[2] != weights[0] || is < was-1e-9 || was > 0 && is > was+step {
				t.Fatalf("after %s and %d restarts: weights %v, a share of %g after %g", time.Since(begun), restarts, weights, is, was)
			}
			if was = is; time.Since(begun) > 3*time.Minute {
				t.Fatalf("after %d restarts, the share is still %g", restarts, is)
			}
		}
		if restarts < 2 {
			t.Errorf("only %d restarts", restarts)
		}
		pass(rise)
		s.hasServers("in the end", 1, 2, 1)
	})
}

// weightsOf returns the weights of real servers of web, by their numbers; 0 without one.
func (s *scene) weightsOf(servers ...int) []int {
	s.Helper()
	have, err := s.other.RealServers(s.Context(), web)
	if err != nil {
		s.Fatal(err)
	}
	all := make([]int, len(servers))
	for i, n := range servers {
		for _, server := range have {
			if server.Addr == rip(web, n) {
				all[i] = server.Weight
			}
		}
	}
	return all
}
