package director

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/internal/testbed"
)

// killer ends a Director at one of its calls, as SIGKILL ends a process: the kernel does
// nothing that was not done before, and the state file stays as it is at that moment.
type killer struct {
	*scene
	state string // path
	at    int    // the call that is not made; 0 for none
	calls atomic.Int32
	dead  atomic.Bool
	over  atomic.Bool // later calls are the test's own
	saved []byte
}

// watchCalls counts calls from now on, until one is the last.
func (k *killer) watchCalls() {
	k.inject(lvs.SimFault{Times: 1 << 30, Before: func() {
		switch {
		case k.over.Load():
			return
		case k.dead.Load():
			panic("killed")
		}
		if int(k.calls.Add(1)) == k.at {
			k.saved, _ = os.ReadFile(k.state)
			k.dead.Store(true)
			k.cancel()
			panic("killed")
		}
	}})
}

// restart begins another run with what the one before left, if it was killed. The
// wanted table comes some time later.
func (k *killer) restart(o Options, want lvs.Table, late time.Duration) bool {
	k.Helper()
	if !k.dead.Load() {
		return false
	}
	k.stop()
	if err := os.WriteFile(k.state, k.saved, 0o600); err != nil {
		k.Fatal(err)
	}
	k.dead.Store(false)
	k.direct(o)
	k.run()
	pass(late)
	k.set(want)
	return true
}

// A Director that is killed at any of its calls to the kernel is followed by one that
// brings the table to the same end. Drains end at the time at which they would have.
func TestKilledAtEveryCall(t *testing.T) {
	calls := playKilled(t, 0, 0)
	if calls < 40 {
		t.Errorf("only %d calls were made", calls)
	}
	for at := 1; at <= calls; at += testbed.Stride() {
		for _, late := range []time.Duration{0, 2 * time.Second} {
			t.Run(fmt.Sprint(at, " ", late), func(t *testing.T) { playKilled(t, at, late) })
		}
	}
}

// playKilled plays one change of a table, during which the Director is killed, and
// returns how many calls it made.
func playKilled(t *testing.T, at int, late time.Duration) int {
	before := table(service(web, 1, 2, 3, 4), service(dns, 1, 2))
	after := table(service(web, 1, 3, 4, 5, 6), service(ftp, 1))
	after.Services[0].RealServers[0].Weight = 3
	after.Services[0].Persistence.Timeout = time.Minute
	const drain = 10 * time.Second
	o := Options{Table: lvs.TableOptions{Drain: drain, Prune: true}, MaxRemoval: 1, StateFile: t.TempDir() + "/state"}
	k := &killer{state: o.StateFile, at: at}
	play(t, o, func(s *scene) {
		k.scene = s
		others := lvs.MustParseServiceID("tcp://10.168.0.99:80")
		s.do(lvs.AddService(service(others).Service))
		s.set(before)
		s.run()
		pass(time.Second)
		conn := s.connect(2)
		k.watchCalls()
		s.set(after)
		start := time.Now()
		killed := false
		until := func(d time.Duration) {
			for time.Since(start) < d {
				pass(50 * time.Millisecond)
				killed = killed || k.restart(o, after, late)
			}
		}
		until(settle + drain - 100*time.Millisecond)
		if err := conn.Send(1); err != nil && time.Since(start) < settle+drain {
			s.Errorf("a connection was cut before the deadline: %v", err)
		}
		until(settle + drain + late + time.Second)
		if killed != (at > 0) {
			s.Errorf("killed: %t", killed)
		}
		pass(time.Second)
		k.over.Store(true)
		s.has("in the end", table(after.Services[0], after.Services[1], service(others)))
		s.inSync("in the end", true)
		got, err := lvs.ReadTableState(o.StateFile)
		if want := (lvs.TableState{Applied: after}); err != nil || !got.Equal(want) {
			s.Errorf("the state is %v, %v", got, err)
		}
	})
	return int(k.calls.Load())
}

// The table stays as it is when the Director ends, in whatever it is doing.
func TestEndLeavesTheTable(t *testing.T) {
	for name, begin := range map[string]func(s *scene){
		"waiting for a table": func(s *scene) { s.run() },
		"before the first":    func(s *scene) { s.set(webTable(1)); s.run() },
		"in sync":             func(s *scene) { s.set(webTable(1)); s.run(); pass(time.Second) },
		"after a new table":   func(s *scene) { s.set(webTable(1, 2)); s.run(); pass(time.Second); s.set(webTable(1)) },
		"while a server leaves": func(s *scene) {
			s.set(webTable(1, 2))
			s.run()
			pass(time.Second)
			s.connect(2)
			s.set(webTable(1))
			pass(time.Second)
		},
		"waiting after a failure": func(s *scene) {
			s.inject(lvs.SimFault{Op: lvs.OpListServices, Errno: lvs.EPERM, Times: 3})
			s.set(webTable(1))
			s.run()
			pass(time.Second)
		},
		"in a call that hangs": func(s *scene) {
			s.inject(lvs.SimFault{Op: lvs.OpListServices, Delay: 30 * time.Second})
			s.set(webTable(1))
			s.run()
			pass(time.Second)
		},
		"while a table is refused": func(s *scene) {
			s.set(webTable(1, 2, 3))
			s.run()
			pass(time.Second)
			s.set(webTable(1))
			pass(time.Second)
		},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, Options{Table: minute, StateFile: t.TempDir() + "/state"}, func(s *scene) {
				begin(s)
				before, err := s.other.Snapshot(s.Context())
				if err != nil && !errors.Is(err, lvs.ErrPermission) {
					s.Fatal(err)
				}
				ended := time.Now()
				s.stop()
				if took := time.Since(ended); took != 0 {
					s.Errorf("Run returned %s after its context ended", took)
				}
				pass(31 * time.Second) // a call that hangs ends
				if err == nil {
					s.has("after the end", before.Table())
				}
			})
		})
	}
}
