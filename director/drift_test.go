package director

import (
	"slices"
	"testing"
	"time"

	"github.com/golvs/lvs"
)

// weigh returns the change that gives a real server of a service another weight.
func weigh(id lvs.ServiceID, server, weight int) lvs.Change {
	s := lvs.NewRealServer(rip(id, server), lvs.DR())
	s.Weight = weight
	return lvs.UpdateRealServer(id, s)
}

// What other programs do in scope is put right at the next look, and reported.
func TestDriftIsRepaired(t *testing.T) {
	want := table(service(web, 1, 2, 3), service(dns, 1))
	play(t, Options{Source: Fixed(want)}, func(s *scene) {
		s.run()
		pass(time.Second)
		s.reported("at first", "Applied")
		s.do(
			weigh(web, 1, 7),
			lvs.RemoveRealServer(web, rip(web, 2)),
			lvs.AddRealServer(web, lvs.NewRealServer(rip(web, 9), lvs.DR())),
			lvs.UpdateService(lvs.Service{ID: web, Scheduler: lvs.SH}),
			lvs.RemoveService(dns),
			lvs.AddService(service(ftp).Service), // out of scope
		)
		pass(29 * time.Second)
		s.inSync("before the next look", true)
		pass(time.Second)
		s.inSync("after the next look", true)
		s.reported("after the next look",
			"Drift: tcp://10.168.0.91:80: another program changed it from tcp://10.168.0.91:80 rr to tcp://10.168.0.91:80 sh; repaired",
			"Drift: tcp://10.168.0.91:80 -> 10.1.0.1:80: another program changed it from 10.1.0.1:80 dr weight 1 to 10.1.0.1:80 dr weight 7; repaired",
			"Drift: tcp://10.168.0.91:80 -> 10.1.0.2:80: another program removed it: it was 10.1.0.2:80 dr weight 1; repaired",
			"Drift: tcp://10.168.0.91:80 -> 10.1.0.9:80: another program added it: 10.1.0.9:80 dr weight 1; repaired",
			"Drift: udp://10.168.0.91:53: another program removed it: it was udp://10.168.0.91:53 rr; repaired",
			"Applied",
		)
		s.has("after the repair", table(service(web, 1, 3, 2), service(dns, 1), service(ftp)))
		if c := s.d.Status().Counts; c.Drifts != 5 || c.Repairs != 5 {
			s.Errorf("counts: %+v", c)
		}
	})
}

// What the options leave to other programs is reported and kept.
func TestDriftIsKept(t *testing.T) {
	for _, test := range []struct {
		name   string
		o      Options
		change lvs.Change
		report string
	}{
		{"weights", Options{Table: lvs.TableOptions{KeepWeights: true}}, weigh(web, 1, 7), "from 10.1.0.1:80 dr weight 1 to 10.1.0.1:80 dr weight 7; kept"},
		{"a service in scope", Options{Table: lvs.TableOptions{Scope: lvs.ScopeAll()}}, lvs.AddService(service(dns).Service), "added it: udp://10.168.0.91:53 rr; kept"},
		{
			"a real server of a shared service", Options{Shared: true, StateFile: t.TempDir() + "/state"},
			lvs.AddRealServer(web, lvs.NewRealServer(rip(web, 9), lvs.DR())), "added it: 10.1.0.9:80 dr weight 1; kept",
		},
		{
			"a field of a shared service", Options{Shared: true, StateFile: t.TempDir() + "/state"},
			lvs.UpdateService(lvs.Service{ID: web, Scheduler: lvs.RR, Persistence: lvs.Persistence{Timeout: time.Minute}}), "persistent 1m0s; kept",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.o.Source = Fixed(webTable(1, 2))
			play(t, test.o, func(s *scene) {
				s.run()
				pass(time.Second)
				s.reported("at first", "Applied")
				s.do(test.change)
				pass(time.Hour)
				s.reported("after an hour", test.report)
				s.inSync("after an hour", true)
				if c := s.d.Status().Counts; c.Drifts != 1 || c.Repairs != 0 || c.Applied != 1 {
					s.Errorf("counts: %+v", c)
				}
			})
		})
	}
}

// Without Shared, whatever is in scope and not wanted goes, whoever added it.
func TestExclusiveScopeIsPruned(t *testing.T) {
	o := Options{Table: lvs.TableOptions{Scope: lvs.ScopeAll(), Prune: true}, Source: Fixed(webTable(1, 2, 3))}
	play(t, o, func(s *scene) {
		s.run()
		pass(time.Second)
		s.do(lvs.AddService(service(dns).Service), lvs.AddRealServer(dns, service(dns, 1).RealServers[0]))
		pass(time.Minute)
		s.has("after a service was added", webTable(1, 2, 3))
		s.reported("after a service was added", "Applied", "added it: udp://10.168.0.91:53 rr; repaired", "Applied")
	})
}

// Without Prune, a service that was wanted stays and is listed, with a state file and
// without one.
func TestUnwantedServiceStays(t *testing.T) {
	for _, state := range []string{"", t.TempDir() + "/state"} {
		play(t, Options{StateFile: state}, func(s *scene) {
			s.set(table(service(web, 1), service(dns, 1)))
			s.run()
			pass(time.Second)
			s.set(webTable(1))
			pass(time.Hour)
			s.set(webTable(1, 2))
			pass(time.Hour)
			s.has("in the end", table(service(web, 1, 2), service(dns, 1)))
			if got := s.d.Status(); !slices.Equal(got.Unwanted, []lvs.ServiceID{dns}) || !got.InSync {
				s.Errorf("with the state file %q: %s", state, got)
			}
		})
	}
}

// Services that come into scope or leave it have not drifted.
func TestScopeChangesAreNotDrift(t *testing.T) {
	play(t, Options{MaxRemoval: 1}, func(s *scene) {
		s.do(lvs.AddService(service(dns).Service))
		s.run()
		for _, want := range []lvs.Table{webTable(1), table(service(web, 1), service(dns, 1)), webTable(1), webTable(1, 2)} {
			s.set(want)
			pass(time.Minute)
		}
		if got := s.kinds(); got["Drift"] != 0 || got["Applied"] == 0 {
			s.Errorf("events: %v", got)
		}
	})
}

// Another program that undoes each repair makes the repairs rarer, to one a minute, and
// the table is as wanted soon after it stops.
func TestNoFight(t *testing.T) {
	o := Options{Source: Fixed(webTable(1, 2)), Resync: time.Second}
	play(t, o, func(s *scene) {
		s.run()
		pass(time.Second)
		s.take()
		start := time.Now()
		var repairs []time.Duration
		for time.Since(start) < 10*time.Minute {
			s.do(lvs.PutRealServer(web, weighed(1, 7)))
			pass(300 * time.Millisecond)
			for _, e := range s.take() {
				if _, ok := e.(Applied); ok {
					repairs = append(repairs, time.Since(start))
				}
			}
		}
		if n := len(repairs); n < 12 || n > 18 {
			s.Errorf("%d repairs in ten minutes: %v", n, repairs)
		}
		last := len(repairs) - 1
		if between := repairs[last] - repairs[last-1]; between < 30*time.Second {
			s.Errorf("the last two repairs were %s apart", between)
		}
		pass(time.Minute + time.Second)
		s.hasWeights("a minute after the other program stopped", 1, 1)
		s.inSync("a minute after the other program stopped", true)

		// Peace for as long as that makes repairs prompt again.
		pass(2 * time.Minute)
		s.do(weigh(web, 1, 7))
		pass(time.Second)
		s.hasWeights("at the next look", 1, 1)
		s.do(weigh(web, 1, 7))
		pass(2 * time.Second)
		s.hasWeights("once more", 1, 1)
	})
}

func weighed(server, weight int) lvs.RealServer {
	s := lvs.NewRealServer(rip(web, server), lvs.DR())
	s.Weight = weight
	return s
}

// A drift that has to wait is reported as delayed, and once it is repaired.
func TestDelayedDrift(t *testing.T) {
	o := Options{Source: Fixed(webTable(1, 2)), Resync: time.Second, Backoff: 10 * time.Second}
	play(t, o, func(s *scene) {
		s.run()
		pass(time.Second)
		s.do(weigh(web, 1, 7))
		pass(time.Second)
		s.reported("after the first", "Applied", "weight 7; repaired", "Applied")
		s.do(weigh(web, 1, 8))
		pass(5 * time.Second)
		s.reported("after the second", "weight 8; delayed")
		s.inSync("after the second", false)
		if retry := time.Until(s.d.Status().Retry); retry < time.Second || retry > 10*time.Second {
			s.Errorf("the next attempt is in %s", retry)
		}
		pass(10 * time.Second)
		s.reported("later", "weight 8; repaired", "Applied")
		s.inSync("later", true)
		if c := s.d.Status().Counts; c.Drifts != 2 || c.Repairs != 2 {
			s.Errorf("counts: %+v", c)
		}

		// A new wanted table does not wait, nor does Look.
		s.do(weigh(web, 1, 9))
		pass(2 * time.Second)
		s.set(webTable(1, 2, 3))
		pass(settle)
		s.hasWeights("after a new table", 1, 1, 1)
		s.do(weigh(web, 1, 9))
		pass(2 * time.Second)
		s.d.Look()
		pass(0)
		s.hasWeights("after Look", 1, 1, 1)
	})
}

// A program such as kube-router removes all services that it does not know, every few
// seconds.
func TestProgramThatDeletesWhatItDoesNotKnow(t *testing.T) {
	want := table(service(web, 1, 2), service(dns, 1))
	play(t, Options{Source: Fixed(want), Resync: time.Second}, func(s *scene) {
		s.run()
		pass(time.Second)
		for range 100 {
			if err := lvs.Ignore(s.other.Do(s.Context(), lvs.RemoveService(web), lvs.RemoveService(dns)), lvs.ErrNoService); err != nil {
				s.Fatal(err)
			}
			pass(5 * time.Second)
		}
		got := s.kinds()
		if got["Applied"] < 5 || got["Applied"] > 25 || got["Drift"] < 10 || got["ApplyFailed"] != 0 {
			s.Errorf("events in 500 s: %v", got)
		}
		pass(time.Minute)
		s.has("a minute after it stopped", want)
		s.inSync("a minute after it stopped", true)
	})
}

// Two Directors with scopes of their own never touch each other's services, whatever
// they want.
func TestTwoScopes(t *testing.T) {
	o := func(id lvs.ServiceID) Options {
		return Options{Table: lvs.TableOptions{Scope: lvs.ScopeServices(id), Prune: true}, MaxRemoval: 1, Resync: time.Second}
	}
	play(t, o(web), func(s *scene) {
		second := &scene{T: s.T, sim: s.sim, other: s.other}
		second.direct(o(dns))
		s.run()
		second.run()
		for n := range 50 {
			s.set(webTable(1, n+2))
			second.set(table(service(dns, n+1)))
			pass(time.Second)
			s.has("both applied", table(service(web, 1, n+2), service(dns, n+1)))
		}
		s.set(table())
		pass(time.Second)
		s.has("one empty", table(service(dns, 50)))
		for _, scene := range []*scene{s, second} {
			if got := scene.kinds(); got["Drift"] != 0 || got["ApplyFailed"] != 0 || got["Applied"] < 50 {
				s.Errorf("events: %v", got)
			}
		}
		second.stop()
	})
}

// Two Directors that want different things of one service undo each other's changes,
// rarely.
func TestTwoDirectorsOfOneService(t *testing.T) {
	play(t, Options{Source: Fixed(webTable(1, 2)), Resync: time.Second}, func(s *scene) {
		second := &scene{T: s.T, sim: s.sim, other: s.other}
		second.direct(Options{Source: Fixed(webTable(1, 3)), Resync: time.Second})
		s.run()
		second.run()
		pass(20 * time.Minute)
		for _, scene := range []*scene{s, second} {
			if got := scene.kinds(); got["Applied"] > 50 || got["Drift"] < 10 {
				s.Errorf("events: %v", got)
			}
		}
		second.stop()
		pass(2 * time.Minute)
		s.has("after the other ended", webTable(1, 2))
		s.inSync("after the other ended", true)
	})
}

// A repair that fails is reported, and so is its success later.
func TestUnrepairedDrift(t *testing.T) {
	play(t, Options{Source: Fixed(webTable(1, 2)), Resync: time.Second}, func(s *scene) {
		s.run()
		pass(time.Second)
		s.take()
		s.do(weigh(web, 1, 7))
		if err := s.sim.Inject(lvs.SimFault{Op: lvs.OpUpdateRealServer, Errno: lvs.ENOMEM, Times: 2}); err != nil {
			s.Fatal(err)
		}
		pass(10 * time.Second)
		s.reported("after 10 s", "weight 7; unrepaired", "ApplyFailed", "ApplyFailed", "weight 7; repaired", "Applied")
	})
}

// What another program changed in a service that goes has not stayed.
func TestDriftOfServiceThatGoes(t *testing.T) {
	play(t, Options{Source: Fixed(table(service(web, 1, 2), service(dns, 1))), Table: lvs.TableOptions{Prune: true}}, func(s *scene) {
		s.run()
		pass(time.Second)
		s.take()
		s.do(weigh(dns, 1, 7))
		s.set(webTable(1, 2))
		pass(time.Second)
		s.reported("after it is gone", "udp://10.168.0.91:53 -> 10.1.0.1:53: another program changed it from 10.1.0.1:53 dr weight 1 to 10.1.0.1:53 dr weight 7; repaired", "Applied")
	})
}

// A drift that is wanted by now was not repaired.
func TestWantedDrift(t *testing.T) {
	play(t, Options{Source: Fixed(webTable(1, 2))}, func(s *scene) {
		s.run()
		pass(time.Second)
		s.take()
		s.do(lvs.AddRealServer(web, weighed(3, 1)))
		s.set(webTable(1, 2, 3))
		pass(time.Second)
		s.reported("after it is wanted", "added it: 10.1.0.3:80 dr weight 1; kept")
		s.inSync("after it is wanted", true)
	})
}
