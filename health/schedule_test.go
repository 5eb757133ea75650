package health

import (
	"testing"
	"time"

	"github.com/golvs/lvs"
)

// Servers that have failed and recovered together are not asked together.
func TestSpreadStays(t *testing.T) {
	const servers = 1000
	f := newFake()
	hang := func(all bool) {
		f.Lock()
		defer f.Unlock()
		for i := range servers {
			f.hang[rip(i)] = all
		}
	}
	c := Check{Probe: f, Interval: 10 * time.Second, Failing: time.Second, Timeout: 500 * time.Millisecond}
	want := tableOf(lvs.WLC, make([]int, servers)...)
	play(t, want, want, Policy{Checks: []Check{c}}, func(s *scene) {
		s.sleep(20 * time.Second)
		hang(true)
		s.sleep(30*time.Second + 300*time.Millisecond)
		hang(false)
		s.sleep(30 * time.Second)
		begun := time.Now()
		s.sleep(c.Interval - time.Millisecond)
		tenths := make([]int, 10)
		f.Lock()
		defer f.Unlock()
		for _, asked := range f.asked {
			for _, at := range asked {
				if !at.Before(begun) {
					tenths[at.Sub(begun)/time.Second]++
				}
			}
		}
		for i, n := range tenths {
			if n < 95 || n > 105 {
				t.Errorf("tenth %d of the interval has %d checks of %d", i, n, servers)
			}
		}
	})
}
