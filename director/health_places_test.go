package director

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/health"
)

// clientsOf returns which real servers of web clients get, by their numbers; 0 is none.
func (s *scene) clientsOf() (servers []int) {
	s.Helper()
	for client := range 2000 {
		flow := lvs.Flow{Client: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, byte(client >> 8), byte(client)}), 1000), VIP: web.AddrPort()}
		conn, err := s.sim.Connect(flow)
		if err != nil {
			servers = append(servers, 0)
			continue
		}
		servers = append(servers, int(conn.Server().Addr().As4()[3]))
		if err := conn.Reset(); err != nil {
			s.Fatal(err)
		}
	}
	pass(time.Minute) // their entries end
	return servers
}

// moved returns the share of clients that get another real server, in percent.
func moved(a, b []int) int {
	n := 0
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return (100*n + len(a)/2) / len(a)
}

// With schedulers that hash, a real server that failed and works again has its clients
// again if it was quiesced, or the order is exact. One that was removed comes behind the
// others, so that with sh most clients get another one than before. While one is quiesced
// without a fallback, its clients are refused.
func TestHealthPlaces(t *testing.T) {
	for _, test := range []struct {
		scheduler lvs.Scheduler
		weight    int // of each
		flags     lvs.SchedulerFlags
		failed    health.Consequence
		exact     bool

		away, refused, back int // percent of the clients
	}{
		{lvs.SH, 1, 0, health.Quiesce, false, 20, 20, 0},
		{lvs.SH, 1, lvs.HashFallback, health.Quiesce, false, 20, 0, 0},
		{lvs.SH, 3, 0, health.Quiesce, false, 81, 8, 0},
		{lvs.SH, 1, 0, health.Remove, false, 80, 0, 80},
		{lvs.SH, 1, 0, health.Remove, true, 80, 0, 0},
		{lvs.MH, 1, 0, health.Quiesce, false, 19, 19, 0},
		{lvs.MH, 1, lvs.HashFallback, health.Quiesce, false, 19, 0, 0},
		{lvs.MH, 1, 0, health.Remove, false, 19, 0, 0},
		{lvs.MH, 1, 0, health.Remove, true, 19, 0, 0},
	} {
		t.Run(fmt.Sprint(test.scheduler, test.weight, test.flags, test.failed, test.exact), func(t *testing.T) {
			play(t, Options{Table: lvs.TableOptions{ExactOrder: test.exact}}, func(s *scene) {
				var b backends
				want := wrrTable(slices.Repeat([]int{test.weight}, 5)...)
				want.Services[0].Scheduler, want.Services[0].SchedulerFlags = test.scheduler, test.flags
				s.update(b.checked(want, func(p *health.Policy) { p.Failed = test.failed }))
				s.run()
				pass(5 * time.Second)
				before := s.clientsOf()
				b.breaks(2)
				pass(fall)
				away := s.clientsOf()
				b.breaks()
				pass(rise)
				back := s.clientsOf()
				refused := 0
				for _, server := range away {
					if server == 0 {
						refused++
					}
				}
				if slices.Contains(before, 0) || slices.Contains(back, 0) {
					s.Error("clients are refused while all work")
				}
				got := [3]int{moved(before, away), (100*refused + len(away)/2) / len(away), moved(before, back)}
				if want := [3]int{test.away, test.refused, test.back}; got != want {
					s.Errorf("%d %% of the clients had another server while one failed, %d %% none, and %d %% afterwards; want %v", got[0], got[1], got[2], want)
				}
				if is, want := slices.Contains(s.d.Status().Misordered, web), test.failed == health.Remove && !test.exact; is != want {
					s.Errorf("misordered is %t in\n%s", is, s.d.Status())
				}
			})
		})
	}
}
