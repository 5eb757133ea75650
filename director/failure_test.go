package director

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/golvs/lvs"
)

// inject makes calls of the simulator go wrong.
func (s *scene) inject(f lvs.SimFault) {
	s.Helper()
	if err := s.sim.Inject(f); err != nil {
		s.Fatal(err)
	}
}

// failures returns the errors of failed attempts since the last call.
func (s *scene) failures() (all []error) {
	for _, e := range s.take() {
		if failed, ok := e.(ApplyFailed); ok {
			all = append(all, failed.Err)
		}
	}
	return all
}

// Attempts that fail become rarer, up to one in a minute, and the first success ends
// that.
func TestBackoffAfterFailures(t *testing.T) {
	for _, fault := range []lvs.SimFault{
		{Op: lvs.OpListServices, Errno: lvs.EPERM},
		{Op: lvs.OpAddService, Errno: lvs.EPERM},
		{Op: lvs.OpAddService, Errno: lvs.ENOMEM},
	} {
		t.Run(string(fault.Op)+" "+fault.Errno.Error(), func(t *testing.T) {
			fault.Times = 1000
			play(t, Options{Source: Fixed(webTable(1)), Resync: time.Second}, func(s *scene) {
				s.inject(fault)
				s.run()
				pass(10 * time.Minute)
				errs := s.failures()
				if n := len(errs); n < 14 || n > 18 {
					s.Errorf("%d attempts in ten minutes", n)
				}
				if fault.Errno == lvs.EPERM && !errors.Is(errs[0], lvs.ErrPermission) {
					s.Errorf("the error is %v", errs[0])
				}
				got := s.d.Status()
				if got.InSync || got.Error == "" || got.Counts.Failures != len(errs) || time.Until(got.Retry) <= 0 || time.Until(got.Retry) > time.Minute {
					s.Errorf("status: %s", got)
				}
			})
		})
	}
}

func TestRecoveryAfterFailures(t *testing.T) {
	play(t, Options{Source: Fixed(webTable(1))}, func(s *scene) {
		s.inject(lvs.SimFault{Op: lvs.OpAddRealServer, Errno: lvs.ENOMEM, Times: 4})
		s.run()
		pass(20 * time.Second)
		s.has("after four failures", webTable(1))
		if got := s.d.Status(); !got.InSync || got.Error != "" || !got.Retry.IsZero() || got.Counts.Failures != 4 {
			s.Errorf("status: %s", got)
		}
		s.take()
		s.inject(lvs.SimFault{Op: lvs.OpAddRealServer, Errno: lvs.ENOMEM})
		s.set(webTable(1, 2))
		pass(settle + 1100*time.Millisecond)
		s.has("a second after the next failure", webTable(1, 2))
	})
}

// A table that cannot be applied does not keep the next one waiting.
func TestNewTableDoesNotWait(t *testing.T) {
	bad := table(service(web, 1))
	bad.Services[0].Scheduler = "none-such"
	play(t, Options{Source: Fixed(bad)}, func(s *scene) {
		s.run()
		pass(5 * time.Minute)
		if errs := s.failures(); !errors.Is(errors.Join(errs...), lvs.ErrScheduler) {
			s.Errorf("errors: %v", errs)
		}
		s.set(webTable(1))
		pass(time.Second)
		s.has("a second after another table", webTable(1))
	})
}

// A plan that no longer fits is made again at once, and with back-off if that goes on.
func TestStalePlans(t *testing.T) {
	play(t, Options{Source: Fixed(webTable(1, 2))}, func(s *scene) {
		s.run()
		pass(time.Second)
		s.take()
		weight := 1
		change := func() { weight++; s.do(weigh(web, 1, weight)) }
		s.inject(lvs.SimFault{Op: lvs.OpListServices}) // of the first reading
		s.inject(lvs.SimFault{Op: lvs.OpListServices})
		s.inject(lvs.SimFault{Op: lvs.OpListServices, Before: change})
		s.set(webTable(1, 2, 3))
		pass(time.Second)
		s.has("after one stale plan", webTable(1, 2, 3))
		if got := s.d.Status(); got.Counts.Stale != 1 || got.Counts.Failures != 0 {
			s.Errorf("status: %s", got)
		}
		s.take()
		s.inject(lvs.SimFault{Op: lvs.OpListServices, Before: change, Times: 1 << 30})
		s.set(webTable(1, 2, 3, 4))
		pass(10 * time.Minute)
		if errs := s.failures(); len(errs) < 10 || len(errs) > 20 || !errors.Is(errs[0], lvs.ErrStale) && !errors.Is(errs[0], lvs.ErrUnstable) {
			s.Errorf("%d failures: %v", len(errs), errs)
		}
	})
}

// A change whose outcome is not known is looked at again.
func TestUnknownOutcome(t *testing.T) {
	play(t, Options{Source: Fixed(webTable(1)), Timeout: time.Second}, func(s *scene) {
		s.inject(lvs.SimFault{Op: lvs.OpAddRealServer, LoseReply: true})
		s.run()
		pass(10 * time.Second)
		s.has("after a reply was lost", webTable(1))
		s.inSync("after a reply was lost", true)
		got := s.kinds()
		if got["ApplyFailed"] != 1 || got["Drift"] != 0 {
			s.Errorf("events: %v", got)
		}
	})
}

// A kernel that does not return does not stop the Director for longer than Timeout.
func TestCallThatHangs(t *testing.T) {
	play(t, Options{Source: Fixed(webTable(1)), Timeout: 2 * time.Second}, func(s *scene) {
		s.inject(lvs.SimFault{Op: lvs.OpListServices, Delay: time.Minute})
		s.run()
		pass(3 * time.Second)
		if errs := s.failures(); len(errs) != 1 {
			s.Errorf("errors: %v", errs)
		}
		pass(3 * time.Second)
		s.has("while one call hangs", webTable(1))
		pass(time.Minute)
	})
}

// Without its state file the Director changes nothing.
func TestStateFileThatCannotBeUsed(t *testing.T) {
	dir := t.TempDir()
	play(t, Options{Source: Fixed(webTable(1)), StateFile: dir + "/none/state"}, func(s *scene) {
		s.run()
		pass(time.Minute)
		s.has("without a folder", table())
		if s.d.Status().Error == "" {
			s.Error("the status does not say why")
		}
		if err := os.Mkdir(dir+"/none", 0o700); err != nil {
			s.Fatal(err)
		}
		pass(time.Minute)
		s.has("with a folder", webTable(1))
	})
	if err := os.WriteFile(dir+"/state", []byte(`{"version": 7}`), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := New(new(lvs.Client), Options{StateFile: dir + "/state"})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Run(t.Context()); !errors.Is(err, lvs.ErrInvalid) {
		t.Errorf("Run with the state of another version returned %v", err)
	}
}

// A service of another program that is wanted from now on has not drifted, even if the
// first attempts fail.
func TestFailureIsNotDrift(t *testing.T) {
	play(t, Options{Source: Fixed(webTable(1))}, func(s *scene) {
		s.do(lvs.AddService(service(dns).Service))
		s.run()
		pass(time.Second)
		s.inject(lvs.SimFault{Op: lvs.OpAddRealServer, Errno: lvs.ENOMEM, Times: 3})
		s.set(table(service(web, 1, 2), service(dns, 1)))
		pass(time.Minute)
		if got := s.kinds(); got["Drift"] != 0 || got["ApplyFailed"] == 0 {
			s.Errorf("events: %v", got)
		}
	})
}

// A state that could not be written after a drain ended is written later.
func TestStateIsWrittenLater(t *testing.T) {
	dir := t.TempDir()
	o := Options{Table: minute, StateFile: dir + "/state", Source: Fixed(webTable(1, 2))}
	play(t, o, func(s *scene) {
		s.drain()
		pass(time.Second)
		if err := os.Rename(dir+"/state", dir+"/moved"); err != nil {
			s.Fatal(err)
		}
		if err := os.Mkdir(dir+"/state", 0o700); err != nil { // which cannot be replaced
			s.Fatal(err)
		}
		pass(time.Minute)
		s.has("after the drain", webTable(1))
		if got := s.d.Status(); got.Error == "" || len(got.Drains) != 0 {
			s.Errorf("status: %s", got)
		}
		if err := os.Remove(dir + "/state"); err != nil {
			s.Fatal(err)
		}
		pass(time.Minute)
		got, err := lvs.ReadTableState(dir + "/state")
		if want := (lvs.TableState{Applied: webTable(1)}); err != nil || !got.Equal(want) {
			s.Errorf("the state is %v, %v", got, err)
		}
		if got := s.d.Status(); got.Error != "" || !got.Retry.IsZero() || !got.InSync {
			s.Errorf("status: %s", got)
		}
	})
}

// What an attempt that failed has left is still the Director's when another table is
// wanted.
func TestFailureLosesNothing(t *testing.T) {
	for _, state := range []string{"", t.TempDir() + "/state"} {
		play(t, Options{Table: lvs.TableOptions{Prune: true}, StateFile: state, MaxRemoval: 1}, func(s *scene) {
			s.set(table(service(web, 1), service(dns, 1)))
			s.run()
			pass(time.Second)
			s.inject(lvs.SimFault{Op: lvs.OpRemoveService, Errno: lvs.ENOMEM})
			s.inject(lvs.SimFault{Op: lvs.OpAddRealServer, Errno: lvs.ENOMEM})
			s.set(table(service(web, 1), service(ftp, 1)))
			pass(settle)
			s.set(webTable(1))
			pass(time.Minute)
			s.has("in the end", webTable(1))
		})
	}
}

// A table that is as wanted from the beginning is the Director's from then on.
func TestTableThatIsThere(t *testing.T) {
	o := Options{Table: lvs.TableOptions{Prune: true}, StateFile: t.TempDir() + "/state", MaxRemoval: 1, Source: Fixed(webTable(1))}
	play(t, o, func(s *scene) {
		s.do(lvs.AddService(service(web).Service), lvs.AddRealServer(web, weighed(1, 1)))
		s.run()
		pass(time.Second)
		s.reported("at first")
		s.stop()
		o.Source = Fixed(table())
		s.direct(o)
		s.run()
		pass(time.Second)
		s.has("when nothing is wanted", table())
	})
}
