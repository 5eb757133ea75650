package director

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/health"
	"github.com/golvs/lvs/internal/testbed"
)

// A Director that is killed at any of its calls, while real servers fail and an operator
// drains one, is followed by one that changes no weight that no check asked for: whoever
// works keeps its weight, and whoever does not stays without until it works again.
func TestKilledWhileServersFail(t *testing.T) {
	for _, failed := range []health.Consequence{health.Quiesce, health.Remove} {
		calls := playFailing(t, failed, 0)
		if calls < 8 {
			t.Errorf("%s: only %d calls were made", failed, calls)
		}
		for at := 1; at <= calls; at += testbed.Stride() {
			t.Run(fmt.Sprint(failed, " ", at), func(t *testing.T) { playFailing(t, failed, at) })
		}
	}
}

// playFailing lets two of four real servers fail and one of them work again, kills the
// Director at one of its calls, and returns how many it made.
func playFailing(t *testing.T, failed health.Consequence, at int) int {
	dir := t.TempDir()
	o := Options{Table: lvs.TableOptions{Drain: time.Minute}, StateFile: dir + "/state", OverridesFile: dir + "/overrides"}
	k := &killer{state: o.StateFile, at: at}
	play(t, o, func(s *scene) {
		k.scene = s
		var b backends
		u := b.checked(wrrTable(4, 3, 2, 1), func(p *health.Policy) { p.Failed = failed })
		s.update(u)
		s.run()
		pass(10 * time.Second)
		s.hasServers("before", 4, 3, 2, 1)
		k.watchCalls()
		killed := false
		watch := func(d time.Duration, may map[int][]int) {
			s.Helper()
			for range d / (50 * time.Millisecond) {
				pass(50 * time.Millisecond)
				if k.dead.Load() {
					killed = true
					k.stop()
					if err := os.WriteFile(k.state, k.saved, 0o600); err != nil {
						s.Fatal(err)
					}
					k.dead.Store(false)
					k.direct(o)
					s.update(u)
					s.run()
				}
				k.over.Store(true) // what the test asks the kernel
				s.mayHave(may)
				k.over.Store(false)
			}
		}
		b.breaks(1, 2)
		if err := PutOverride(o.OverridesFile, health.Override{Service: web, Server: rip(web, 3), Kind: health.Drain}); err != nil {
			s.Fatal(err)
		}
		watch(10*time.Second, map[int][]int{1: {4, 0, -1}, 2: {3, 0, -1}, 3: {2, 0}, 4: {1}})
		b.breaks(2)
		watch(10*time.Second, map[int][]int{1: {4, 0, -1}, 2: {0, -1}, 3: {0}, 4: {1}})
		watch(10*time.Second, map[int][]int{1: {4}, 2: {0, -1}, 3: {0}, 4: {1}})
		if killed != (at > 0) {
			s.Errorf("killed: %t", killed)
		}
		k.over.Store(true)
	})
	return int(k.calls.Load())
}

// mayHave requires that each real server of web has one of some weights; -1 is none.
func (s *scene) mayHave(weights map[int][]int) {
	s.Helper()
	is := map[int]int{}
	servers, err := s.other.RealServers(s.Context(), web)
	if err != nil {
		s.Fatal(err)
	}
	for _, server := range servers {
		is[int(server.Addr.Addr().As4()[3])] = server.Weight
	}
	for n, may := range weights {
		weight, exists := is[n]
		if !exists {
			weight = -1
		}
		ok := false
		for _, m := range may {
			ok = ok || m == weight
		}
		if !ok {
			s.Errorf("real server %d has weight %d, may have %v", n, weight, may)
		}
	}
}
