package director

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/health"
)

// notebook is a file that the programs of hooks write to.
type notebook struct {
	*testing.T
	path string
	seen int // bytes that text has returned
}

func newNotebook(t *testing.T) *notebook {
	return &notebook{T: t, path: filepath.Join(t.TempDir(), "notes")}
}

// writer returns a hook whose program writes its name, the real server and its state, and
// before that waits while the file of hold is there.
func (n *notebook) writer(name string) health.HookOptions {
	const script = `while [ -e "$2" ]; do sleep 0.01; done; echo "$0 $LVS_SERVER $LVS_STATE" >> "$1"`
	return health.HookOptions{Path: "/bin/sh", Args: []string{"-c", script, name, n.path, n.path + ".hold"}}
}

// hold makes programs wait until release is called.
func (n *notebook) hold() (release func()) {
	n.Helper()
	if err := os.WriteFile(n.path+".hold", nil, 0o600); err != nil {
		n.Fatal(err)
	}
	return func() {
		if err := os.Remove(n.path + ".hold"); err != nil {
			n.Fatal(err)
		}
	}
}

// text returns what was written since the last call.
func (n *notebook) text() string {
	n.Helper()
	text, err := os.ReadFile(n.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		n.Fatal(err)
	}
	news := string(text[n.seen:])
	n.seen = len(text)
	return news
}

// Hooks run for the events that they ask for, and what goes wrong with one is an event and
// in the status.
func TestHooks(t *testing.T) {
	notes := newNotebook(t)
	hooks := health.Hooks{"all": notes.writer("all"), "gone": notes.writer("gone"), "fails": {Path: "/bin/false"}, "missing": {Path: "/no/such/program"}}
	gone := hooks["gone"]
	gone.States = []string{"down"}
	hooks["gone"] = gone
	fails := hooks["fails"]
	fails.Servers = append(fails.Servers, rip(web, 2))
	hooks["fails"] = fails
	missing := hooks["missing"]
	missing.Events = []health.EventKind{health.KindLimitCrossed}
	hooks["missing"] = missing
	play(t, Options{}, func(s *scene) {
		var b backends
		u := b.checked(wrrTable(1, 1))
		u.Hooks = hooks
		s.update(u)
		s.run()
		pass(rise)
		if got := line(s.take()[0]); !strings.Contains(got, "HookFailed: hook missing: /no/such/program cannot be run") {
			s.Errorf("a program that is missing: %s", got)
		}
		if got := notes.text(); strings.Count(got, "all 10.1.0.1:80 up\n") != 1 || strings.Count(got, "all 10.1.0.2:80 up\n") != 1 || strings.Contains(got, "gone") {
			s.Errorf("when all work: %q", got)
		}
		s.take()
		b.breaks(2)
		pass(fall)
		if got := notes.text(); len(got) != len("all 10.1.0.2:80 down\ngone 10.1.0.2:80 down\n") || !strings.Contains(got, "gone 10.1.0.2:80 down\n") {
			s.Errorf("when one failed: %q", got)
		}
		if got := s.kinds(); got["HookFailed"] != 1 {
			s.Errorf("events: %v", got)
		}
		status := s.d.Status()
		for _, want := range []string{"hook all: 3 runs\n", "hook fails: 2 runs, 2 failed: /bin/false exited with status 1\n", "hook gone: 1 run\n", "hook missing: 0 runs\n"} {
			if !strings.Contains(status.String(), want) {
				s.Errorf("no %q in\n%s", want, status)
			}
		}
		s.stop()
		s.run() // with the same hooks
		pass(time.Second)
		b.breaks()
		pass(rise)
		if got := notes.text(); got != "all 10.1.0.2:80 up\n" {
			s.Errorf("in another run: %q", got)
		}
		bad := u
		bad.Hooks = health.Hooks{"x": {Path: "x"}}
		if err := s.d.Update(bad); !errors.Is(err, lvs.ErrInvalid) || !strings.HasPrefix(err.Error(), "hooks[x].path: ") {
			s.Errorf("a hook that cannot work: %v", err)
		}
	})
}

// onSimulator returns a director of a new simulator. Programs run in real time, so it is
// not in a scene.
func onSimulator(t *testing.T) *Director {
	t.Helper()
	sim, err := lvs.NewSimulator(lvs.SimOptions{Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	client := sim.Client()
	t.Cleanup(func() { client.Close() })
	d, err := New(client, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Other hooks lose no event: one that changes goes on with what waits, and one that is not
// wanted any more runs for that.
func TestHooksChange(t *testing.T) {
	notes := newNotebook(t)
	d := onSimulator(t)
	var b backends
	update := func(hooks health.Hooks) {
		t.Helper()
		u := b.checked(wrrTable(1, 1, 1, 1), func(p *health.Policy) {
			p.Checks[0].Interval, p.Checks[0].Timeout = 20*time.Millisecond, 10*time.Second
		})
		u.Hooks = hooks
		if err := d.Update(u); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	ended := make(chan error)
	go func() { ended <- d.Run(ctx) }()
	await := func(what string, is func() bool) {
		t.Helper()
		for !is() {
			if ctx.Err() != nil {
				t.Fatalf("%s does not come: %s\n%q", what, d.Status(), notes.text())
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	wrote := func(want string) {
		t.Helper()
		got := ""
		await(want, func() bool { got += notes.text(); return len(got) >= len(want) })
		if got != want {
			t.Errorf("the programs wrote %q, want %q", got, want)
		}
	}
	waits := func(name string, n int) {
		t.Helper()
		await("an event that waits", func() bool { h := d.Status().Hooks[name]; return h.Running && h.Waiting == n })
	}
	down := func(o health.HookOptions) health.HookOptions { o.States = []string{"down"}; return o }

	update(health.Hooks{"a": down(notes.writer("old"))})
	await("the beginning", func() bool { return d.Status().InSync && d.Status().Hooks != nil })
	await("the first success", func() bool {
		s := d.Status().Health.Services
		return len(s) == 1 && s[0].Servers[0].State == health.Up && s[0].Servers[1].State == health.Up
	})
	release := notes.hold()
	b.breaks(1)
	waits("a", 0)
	b.breaks(1, 2)
	waits("a", 1)
	update(health.Hooks{"a": down(notes.writer("new")), "b": down(notes.writer("b"))})
	await("the other hooks", func() bool { return len(d.Status().Hooks) == 2 })
	waits("a", 1)
	release()
	wrote("old 10.1.0.1:80 down\nnew 10.1.0.2:80 down\n")

	release = notes.hold()
	b.breaks(1, 2, 3)
	waits("a", 0)
	waits("b", 0)
	update(nil)
	await("no hooks", func() bool { return d.Status().Hooks == nil })
	release()
	got := ""
	await("what waited", func() bool { got += notes.text(); return strings.Count(got, "\n") == 2 })
	if !strings.Contains(got, "b 10.1.0.3:80 down\n") || !strings.Contains(got, "new 10.1.0.3:80 down\n") {
		t.Errorf("after they were removed: %q", got)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// Hooks end with Run.
func TestHooksEnd(t *testing.T) {
	notes := newNotebook(t)
	release := notes.hold()
	defer release()
	d := onSimulator(t)
	var b backends
	u := b.checked(wrrTable(1), func(p *health.Policy) {
		p.Checks[0].Interval, p.Checks[0].Timeout = 20*time.Millisecond, 10*time.Second
	})
	u.Hooks = health.Hooks{"a": notes.writer("a")}
	if err := d.Update(u); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ended := make(chan error)
	go func() { ended <- d.Run(ctx) }()
	for !d.Status().Hooks["a"].Running && ctx.Err() == nil {
		time.Sleep(5 * time.Millisecond)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if s := d.Status().Hooks["a"]; s.Running || s.Runs != 1 || !strings.Contains(s.Error, "context canceled") {
		t.Errorf("after the end: %+v", s)
	}
}
