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

// Probes that are due within a twentieth of their interval begin together, and none moves in
// the long run.
func TestBeginTogether(t *testing.T) {
	const servers, rounds = 200, 50
	f := newFake()
	want := tableOf(lvs.WLC, make([]int, servers)...)
	play(t, want, want, Policy{Checks: []Check{{Probe: f, Interval: time.Second}}}, func(s *scene) {
		s.sleep(rounds * time.Second)
		f.Lock()
		defer f.Unlock()
		moments := map[time.Time]bool{}
		for i := range servers {
			asked := f.asked[rip(i)]
			if n := len(asked); n < rounds || n > rounds+1 {
				t.Fatalf("%s was asked %d times in %d intervals", rip(i), n, rounds)
			}
			for n, at := range asked {
				moments[at] = true
				if late := at.Sub(asked[0]) - time.Duration(n)*time.Second; late.Abs() > time.Second/20 {
					t.Errorf("probe %d of %s is %s off its time", n, rip(i), late)
				}
			}
		}
		if most := 21 * rounds; len(moments) > most {
			t.Errorf("probes began at %d moments, want at most %d", len(moments), most)
		}
	})
}
