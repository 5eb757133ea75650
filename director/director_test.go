package director

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golvs/lvs"
)

// Tables that come right after each other are applied as one: the last.
func TestUpdatesAreCoalesced(t *testing.T) {
	play(t, Options{MaxRemoval: 1}, func(s *scene) {
		s.run()
		for n := range 100 {
			s.set(webTable(1, n+2))
		}
		pass(time.Second)
		s.has("after 100 tables", webTable(1, 101))
		s.reported("after 100 tables", "Applied: applied 3 steps")

		s.set(webTable(1, 101))
		pass(time.Second)
		if looks := s.d.Status().Counts.Looks; looks != 1 {
			s.Errorf("%d looks after the same table again", looks)
		}
		s.set(webTable(1, 102))
		pass(settle / 2)
		s.set(webTable(1, 103))
		pass(settle)
		s.reported("after two more", "Applied: applied 2 steps")
		if c := s.d.Status().Counts; c.Looks != 2 || c.Applied != 2 || c.Changes != 5 {
			s.Errorf("counts: %+v", c)
		}
	})
}

// That is so even if the table is looked at all the time.
func TestUpdatesAreCoalescedBetweenLooks(t *testing.T) {
	play(t, Options{Resync: 10 * time.Millisecond}, func(s *scene) {
		s.run()
		for n := range 30 {
			s.set(webTable(1, n+2))
			pass(settle/10 - time.Millisecond)
		}
		pass(time.Second)
		if applied := s.kinds()["Applied"]; applied != 3 {
			s.Errorf("%d tables were applied in %s", applied, 3*settle)
		}
	})
}

// Without a table nothing is wanted, which is not the same as an empty table.
func TestNothingIsWantedAtFirst(t *testing.T) {
	play(t, Options{Table: lvs.TableOptions{Scope: lvs.ScopeAll(), Prune: true}, MaxRemoval: 1}, func(s *scene) {
		s.do(lvs.AddService(service(web).Service))
		s.run()
		pass(time.Hour)
		s.has("without a wanted table", webTable())
		if looks := s.d.Status().Counts.Looks; looks != 0 {
			s.Errorf("%d looks at the table", looks)
		}
		s.set(table())
		pass(time.Second)
		s.has("after an empty table", table())
	})
}

func TestTableThatCannotBeWanted(t *testing.T) {
	play(t, Options{Table: lvs.TableOptions{Scope: lvs.ScopeServices(web)}}, func(s *scene) {
		s.run()
		s.set(webTable(1))
		pass(time.Second)
		for _, bad := range []lvs.Table{table(service(web, 1, 1)), table(service(dns, 1)), {Services: make([]lvs.TableService, 1)}} {
			if err := s.d.Set(bad); !errors.Is(err, lvs.ErrInvalid) {
				s.Errorf("%s: %v", bad, err)
			}
		}
		var all *lvs.TableError
		if err := s.d.Set(table(service(dns, 1, 1), service(web, 2, 2))); !errors.As(err, &all) || len(all.Problems) != 2 {
			s.Errorf("not all problems are listed: %v", err)
		}
		pass(time.Minute)
		s.has("after tables that were refused", webTable(1))
		s.inSync("after tables that were refused", true)
	})
}

// The caller may change its table after Set.
func TestSetCopies(t *testing.T) {
	play(t, Options{}, func(s *scene) {
		s.run()
		mine := webTable(1)
		s.set(mine)
		mine.Services[0].RealServers[0].Weight = 9
		mine.Services[0].Scheduler = lvs.SH
		pass(time.Second)
		s.has("after a change of the caller's table", webTable(1))
	})
}

func TestSources(t *testing.T) {
	play(t, Options{Source: Fixed(webTable(1))}, func(s *scene) {
		s.run()
		pass(time.Second)
		s.has("from a fixed table", webTable(1))
		s.stop()
		s.direct(Options{Source: Fixed(webTable(1, 2, 3))})
		s.set(webTable(1))
		s.run()
		pass(time.Second)
		s.has("set before Run", webTable(1))
		s.set(webTable(1, 2))
		pass(time.Second)
		s.has("after Set", webTable(1, 2))
	})
	play(t, Options{}, func(s *scene) {
		updates := make(chan Update) // of the bubble, so that waiting for it lets time pass
		s.direct(Options{Source: Channel(updates)})
		s.run()
		updates <- Update{Table: webTable(1)}
		updates <- Update{Table: webTable(1, 2)}
		pass(time.Second)
		s.has("from a channel", webTable(1, 2))
		updates <- Update{Table: table(service(web, 1, 1))}
		pass(time.Second)
		s.reported("after a table that is not valid", "Applied", "SourceBroken")
		if got := s.d.Status().Source; got == "" {
			s.Error("the status does not say that the source is broken")
		}
		updates <- Update{Table: webTable(1, 2)}
		close(updates)
		pass(time.Minute)
		s.reported("after a good one", "SourceRecovered")
		if got := s.d.Status().Source; got != "" {
			s.Errorf("the status still says %q", got)
		}
		s.has("after the channel was closed", webTable(1, 2))
	})
}

func TestRunIsTheOnlyOne(t *testing.T) {
	play(t, Options{Source: Fixed(webTable(1))}, func(s *scene) {
		s.run()
		pass(time.Second)
		if err := s.d.Run(s.Context()); !errors.Is(err, errRunning) {
			s.Errorf("a second Run returned %v", err)
		}
		if !s.d.Status().Running {
			s.Error("the status says that it is not running")
		}
		s.stop()
		if s.d.Status().Running {
			s.Error("the status says that it is running")
		}
		s.has("after the end", webTable(1))
		s.do(lvs.RemoveService(web))
		s.run()
		pass(time.Second)
		s.has("after a second run", webTable(1))
	})
}

// A second Run goes on with the table that was set during the first, and with what was
// wrong then.
func TestSecondRunRemembers(t *testing.T) {
	play(t, Options{Source: Fixed(webTable(1, 2, 3))}, func(s *scene) {
		s.run()
		pass(time.Second)
		s.set(webTable(1))
		pass(time.Second)
		s.stop()
		s.do(lvs.RemoveRealServer(web, rip(web, 3)))
		s.run()
		pass(time.Second)
		s.has("after a second run", webTable(1))
		if got := s.d.Status(); !got.InSync || got.Refused != "" {
			s.Errorf("after a second run: %s", got)
		}
	})
	path := filepath.Join(t.TempDir(), "table.json")
	play(t, Options{Source: File{Path: path}}, func(s *scene) {
		s.run()
		pass(time.Second)
		s.stop()
		if err := os.WriteFile(path, []byte(one), 0o600); err != nil {
			s.Fatal(err)
		}
		s.run()
		pass(2 * time.Second)
		s.reported("after the file came", "SourceBroken", "SourceRecovered", "Applied")
		if got := s.d.Status(); !got.InSync || got.Source != "" {
			s.Errorf("after the file came: %s", got)
		}
	})
}

func TestClosedClientEndsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, err := lvs.NewSimulator(lvs.SimOptions{Clock: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		client := sim.Client()
		d, err := New(client, Options{Source: Fixed(webTable(1))})
		if err != nil {
			t.Fatal(err)
		}
		client.Close()
		if err := d.Run(t.Context()); !errors.Is(err, lvs.ErrClosed) {
			t.Errorf("Run returned %v", err)
		}
	})
}

func TestOptionsThatCannotWork(t *testing.T) {
	sim, err := lvs.NewSimulator(lvs.SimOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(nil, Options{}); !errors.Is(err, lvs.ErrInvalid) {
		t.Errorf("without a client: %v", err)
	}
	for field, o := range map[string]Options{
		"MaxRemoval":  {MaxRemoval: 1.5},
		"MaxRemoval ": {MaxRemoval: -0.1},
		"MaxRemoval.": {MaxRemoval: math.NaN()},
		"Resync":      {Resync: -1},
		"Backoff":     {Backoff: -1},
		"MaxBackoff":  {MaxBackoff: -1},
		"Timeout":     {Timeout: -1},
		"Table.Last":  {Table: lvs.TableOptions{Last: &lvs.TableState{}}},
		"Shared":      {Shared: true},
		"Drain":       {Table: lvs.TableOptions{Drain: -1}},
		"Source.Path": {Source: File{}},
		"Source":      {Source: Channel(nil)},
		"services":    {Source: Fixed(webTable(1, 1))},
		"services ":   {Source: Fixed(webTable(1)), Table: lvs.TableOptions{Scope: lvs.ScopeServices(dns)}},
	} {
		name, _, _ := strings.Cut(strings.TrimRight(field, " ."), ".")
		if _, err := New(sim.Client(), o); !errors.Is(err, lvs.ErrInvalid) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// Events are logged, those that need attention as warnings.
func TestLogger(t *testing.T) {
	var text strings.Builder
	o := Options{Source: Fixed(webTable(1)), Logger: slog.New(slog.NewTextHandler(&text, nil))}
	play(t, o, func(s *scene) {
		s.run()
		pass(time.Second)
		s.do(weigh(web, 1, 7))
		pass(time.Minute)
		for _, want := range []string{`level=INFO msg="director: applied 2 steps"`, `level=WARN msg="director: tcp://10.168.0.91:80 -> 10.1.0.1:80: another program`} {
			if !strings.Contains(text.String(), want) {
				s.Errorf("the log has no %q:\n%s", want, text.String())
			}
		}
	})
}

// With a host, the plans of events say what their steps do to clients there.
func TestNotesOfHost(t *testing.T) {
	play(t, Options{}, func(s *scene) {
		host := s.sim.Host()
		defer host.Close()
		s.direct(Options{Table: lvs.TableOptions{Host: host}, Source: Fixed(webTable(1, 2))})
		s.run()
		pass(time.Second)
		s.take()
		s.set(webTable(1))
		pass(time.Second)
		events := s.take()
		if len(events) != 1 {
			s.Fatalf("events: %v", events)
		}
		if plan := events[0].(Applied).Plan; len(plan.Steps) != 1 || len(plan.Steps[0].Notes) == 0 {
			s.Errorf("the plan has no notes: %s", plan)
		}
		s.stop()
	})
}

// goroutinesAbove returns how many goroutines there are beyond a number. One that has
// handed over its last result needs a moment more to end, so it waits for them.
func goroutinesAbove(most int) int {
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > most && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	return max(0, runtime.NumGoroutine()-most)
}

// Run starts no goroutine, whatever its source is, and leaves none behind.
func TestNoGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, source := range []Source{nil, Fixed(webTable(1)), Channel(make(chan Update)), File{Path: t.TempDir() + "/none"}} {
		sim, err := lvs.NewSimulator(lvs.SimOptions{Clock: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		client := sim.Client()
		d, err := New(client, Options{Source: source})
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Set(webTable(1, 2)); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- d.Run(ctx) }()
		for d.Status().Counts.Applied == 0 {
			time.Sleep(time.Millisecond)
		}
		if more := goroutinesAbove(before + 1); more > 0 {
			t.Errorf("%T: %d goroutines beside that of Run", source, more)
		}
		cancel()
		<-done
		client.Close()
	}
	if left := goroutinesAbove(before); left > 0 {
		t.Errorf("%d goroutines are left", left)
	}
}
