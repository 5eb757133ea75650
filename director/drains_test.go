package director

import (
	"testing"
	"time"

	"github.com/golvs/lvs"
)

// minute drains for at most a minute.
var minute = lvs.TableOptions{Drain: time.Minute, Prune: true}

// drain runs the Director of webTable(1, 2), whose server 2 is not wanted any more when
// it has a connection.
func (s *scene) drain() *lvs.SimConn {
	s.Helper()
	s.run()
	pass(time.Second)
	conn := s.connect(2)
	s.set(webTable(1))
	return conn
}

// A real server that is not wanted any more keeps its connections until they end, and
// is removed within a second after that.
func TestDrainEndsWithItsConnections(t *testing.T) {
	play(t, Options{Table: minute, Source: Fixed(webTable(1, 2))}, func(s *scene) {
		conn := s.drain()
		pass(30 * time.Second)
		s.hasWeights("while a connection lasts", 1, 0)
		s.inSync("while a connection lasts", true)
		s.reported("while a connection lasts", "Applied", "Applied", "DrainBegan: tcp://10.168.0.91:80 -> 10.1.0.2:80 draining")
		if drains := s.d.Status().Drains; len(drains) != 1 || time.Until(drains[0].Deadline) > 31*time.Second {
			s.Errorf("drains: %v", drains)
		}
		if err := conn.Reset(); err != nil {
			s.Fatal(err)
		}
		pass(11 * time.Second) // that the kernel remembers it
		s.has("after it ended", webTable(1))
		s.reported("after it ended", "DrainEnded: tcp://10.168.0.91:80 -> 10.1.0.2:80 drained")
		if got := s.d.Status(); len(got.Drains) != 0 || got.Counts.Drains != 1 || got.Counts.Ended != 1 {
			s.Errorf("status: %s", got)
		}
	})
}

func TestDrainEndsAtItsDeadline(t *testing.T) {
	play(t, Options{Table: minute, Source: Fixed(webTable(1, 2))}, func(s *scene) {
		s.drain()
		pass(settle + time.Minute - time.Millisecond)
		s.hasWeights("just before the deadline", 1, 0)
		s.take()
		pass(2 * time.Millisecond)
		s.hasWeights("just after the deadline", 1)
		s.reported("just after the deadline", "DrainEnded: tcp://10.168.0.91:80 -> 10.1.0.2:80 removed after 1m0s, at the deadline: 1 connection")
	})
}

// A draining real server that is wanted again serves at once.
func TestDrainIsTakenBack(t *testing.T) {
	play(t, Options{Table: minute, Source: Fixed(webTable(1, 2))}, func(s *scene) {
		conn := s.drain()
		pass(time.Second)
		s.hasWeights("draining", 1, 0)
		s.take()
		s.set(webTable(1, 2))
		pass(settle)
		s.hasWeights("wanted again", 1, 1)
		s.reported("wanted again", "Applied", "DrainEnded: tcp://10.168.0.91:80 -> 10.1.0.2:80 is wanted again")
		pass(time.Hour)
		s.has("an hour later", webTable(1, 2))
		if err := conn.Send(1); err == nil {
			s.Log("the connection lasted an hour without a packet")
		}
	})
}

// A draining service keeps its address until its connections have ended.
func TestServiceDrains(t *testing.T) {
	play(t, Options{Table: minute, MaxRemoval: 1, Source: Fixed(table(service(web, 1, 2), service(dns, 1)))}, func(s *scene) {
		s.run()
		pass(time.Second)
		conn := s.connect(2)
		s.set(table(service(dns, 1)))
		pass(30 * time.Second)
		s.hasWeights("while a connection lasts", 0, 0)
		if err := conn.Send(1); err != nil {
			s.Errorf("the connection is cut: %v", err)
		}
		s.inSync("while a connection lasts", true)
		pass(40 * time.Second)
		s.has("after the deadline", table(service(dns, 1)))
		s.reported("after the deadline", "Applied", "Applied", "DrainBegan", "DrainEnded: tcp://10.168.0.91:80 removed after 1m0s")
	})
}

// Another program that takes a drain back is overruled, rarely.
func TestDrainTakenBackByAnotherProgram(t *testing.T) {
	play(t, Options{Table: minute, Source: Fixed(webTable(1, 2))}, func(s *scene) {
		s.drain()
		pass(time.Second)
		s.take()
		s.do(weigh(web, 2, 5))
		pass(time.Second)
		s.hasWeights("after another program gave it a weight", 1, 0)
		s.reported("after another program gave it a weight", "DrainEnded: tcp://10.168.0.91:80 -> 10.1.0.2:80 is wanted again",
			"from 10.1.0.2:80 dr weight 0 to 10.1.0.2:80 dr weight 5; repaired", "Applied", "DrainBegan")
		writes := s.d.Status().Counts.Changes
		for range 600 {
			if err := lvs.Ignore(s.other.Do(s.Context(), weigh(web, 2, 5)), lvs.ErrNoRealServer); err != nil {
				s.Fatal(err)
			}
			pass(time.Second)
		}
		if writes = s.d.Status().Counts.Changes - writes; writes > 20 {
			s.Errorf("%d changes in ten minutes of a fight", writes)
		}
		pass(3 * time.Minute)
		s.has("after the other program stopped", webTable(1))
	})
}

// Each drain that began ends, even if the table is looked at more often than drains are.
func TestDrainsBeginAndEnd(t *testing.T) {
	o := Options{
		Table:  lvs.TableOptions{Drain: 10 * time.Second},
		Resync: 70 * time.Millisecond, MaxBackoff: time.Second, Source: Fixed(webTable(1, 2)),
	}
	play(t, o, func(s *scene) {
		s.drain()
		for range 5 {
			pass(3 * time.Second)
			s.do(weigh(web, 2, 5))
		}
		pass(15 * time.Second)
		s.has("in the end", webTable(1))
		if got := s.kinds(); got["DrainBegan"] < 5 || got["DrainBegan"] != got["DrainEnded"] {
			s.Errorf("events: %v", got)
		}
	})
}

// A restart goes on with drains, with the time that they have left.
func TestDrainsSurviveRestart(t *testing.T) {
	o := Options{Table: minute, StateFile: t.TempDir() + "/state", Source: Fixed(webTable(1))}
	first := o
	first.Source = Fixed(webTable(1, 2))
	play(t, first, func(s *scene) {
		s.drain()
		pass(20*time.Second + settle)
		s.stop()
		s.hasWeights("after the end", 1, 0)
		s.take()
		pass(10 * time.Second)
		s.direct(o)
		s.run()
		pass(29 * time.Second)
		s.hasWeights("a second before the deadline", 1, 0)
		s.inSync("a second before the deadline", true)
		s.reported("a second before the deadline")
		pass(2 * time.Second)
		s.has("after the deadline", webTable(1))
		s.reported("after the deadline", "DrainEnded: tcp://10.168.0.91:80 -> 10.1.0.2:80 removed after 1m0s")
	})
}

// Drains go on even if no table is wanted yet, such as when a file is missing.
func TestDrainsGoOnWithoutTable(t *testing.T) {
	o := Options{Table: minute, StateFile: t.TempDir() + "/state", Source: Fixed(webTable(1, 2))}
	play(t, o, func(s *scene) {
		s.drain()
		pass(time.Second)
		s.stop()
		o.Source = nil
		s.direct(o)
		s.run()
		pass(2 * time.Minute)
		s.has("without a wanted table", webTable(1))
	})
}

// A removal that fails is tried again.
func TestDrainedServerCannotBeRemoved(t *testing.T) {
	play(t, Options{Table: minute, Source: Fixed(webTable(1, 2))}, func(s *scene) {
		s.run()
		pass(time.Second)
		s.take()
		if err := s.sim.Inject(lvs.SimFault{Op: lvs.OpRemoveRealServer, Errno: lvs.ENOMEM, Times: 3}); err != nil {
			s.Fatal(err)
		}
		s.set(webTable(1))
		pass(10 * time.Second)
		s.has("after three failures", webTable(1))
		s.reported("after three failures", "Applied", "DrainBegan", "ApplyFailed", "ApplyFailed", "ApplyFailed", "DrainEnded")
	})
}
