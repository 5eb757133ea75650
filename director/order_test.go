package director

import (
	"testing"
	"time"

	"github.com/golvs/lvs"
)

// moveBack removes real servers of web and adds them again, as another program, which
// the kernel does behind all others.
func (s *scene) moveBack(servers ...int) {
	s.Helper()
	for _, n := range servers {
		s.do(lvs.RemoveRealServer(web, rip(web, n)), lvs.AddRealServer(web, weighed(n, 1)))
	}
}

// Another program that moves real servers is reported, once. They stay there, because
// moving them back would cut connections.
func TestMovedServersAreReported(t *testing.T) {
	play(t, Options{Source: Fixed(webTable(1, 2, 3, 4))}, func(s *scene) {
		s.run()
		pass(time.Second)
		s.take()
		s.moveBack(2, 1)
		pass(time.Hour)
		s.reported("after two were moved",
			"10.1.0.1:80: another program moved it behind others: it is 10.1.0.1:80 dr weight 1; kept",
			"10.1.0.2:80: another program moved it behind others: it is 10.1.0.2:80 dr weight 1; kept",
		)
		s.has("after two were moved", webTable(3, 4, 2, 1))
		s.inSync("after two were moved", true)
		if got := s.d.Status(); len(got.Misordered) != 1 || got.Counts.Drifts != 2 || got.Counts.Repairs != 0 {
			s.Errorf("status: %s", got)
		}

		s.moveBack(3)
		s.do(weigh(web, 3, 7), lvs.RemoveRealServer(web, rip(web, 2)))
		pass(time.Minute)
		s.reported("after one was moved and changed",
			"10.1.0.2:80: another program removed it", "10.1.0.3:80: another program changed it", "Applied")
		s.has("after one was moved and changed", webTable(4, 1, 3, 2))
		pass(time.Hour)
		s.reported("after the Director's own changes")
	})
}

// With ExactOrder they are moved back, and ever less often if another program moves them
// each time.
func TestMovedServersAreMovedBack(t *testing.T) {
	o := Options{Source: Fixed(webTable(1, 2, 3)), Table: lvs.TableOptions{ExactOrder: true}, Resync: time.Second}
	play(t, o, func(s *scene) {
		s.run()
		pass(time.Second)
		s.take()
		s.moveBack(1) // so that the plan moves 2 and 3
		pass(time.Second)
		s.has("after one was moved", webTable(1, 2, 3))
		s.reported("after one was moved", "10.1.0.1:80: another program moved it behind others: it is 10.1.0.1:80 dr weight 1; repaired", "Applied")
		pass(2 * time.Minute)
		s.reported("two minutes later")

		for range 600 {
			s.moveBack(1)
			pass(time.Second)
		}
		if applied := s.kinds()["Applied"]; applied < 8 || applied > 20 {
			s.Errorf("%d repairs in ten minutes", applied)
		}
		pass(time.Minute)
		s.has("after the other program stopped", webTable(1, 2, 3))
	})
}
