package director

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"

	"github.com/golvs/lvs/health"
)

// HookFailed is a hook whose program cannot be run or did not do its work, or that dropped
// events because too many were waiting for it.
type HookFailed struct {
	Hook string // its name
	Err  error  // what went wrong
}

func (HookFailed) event() {}

// String returns which hook failed, and why.
func (e HookFailed) String() string {
	return fmt.Sprintf("hook %s: %s", e.Hook, strings.TrimPrefix(e.Err.Error(), "health: "))
}

// maxHookFailures is how many failures of hooks wait to be reported while Run is busy. The
// status counts all.
const maxHookFailures = 1000

// beginHooks runs the hooks of an earlier Run, and makes it possible to run others, until
// end is called.
func (r *run) beginHooks(ctx context.Context) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	r.runHook = func(h *health.Hook) {
		r.hooksRunning.Go(func() { _ = h.Run(ctx) }) // it ends with its context, or when it is finished
	}
	for _, h := range r.hooks {
		r.runHook(h)
	}
	return func() { cancel(); r.hooksRunning.Wait() }
}

// setHooks makes these the hooks. One that has the name of another takes over what waits
// for that, and one that is not wanted any more runs for what waits for it.
func (r *run) setHooks(wanted health.Hooks) {
	next := make(map[string]*health.Hook, len(wanted))
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		o, h := wanted[name], r.hooks[name]
		if h == nil {
			h, _ = health.NewHook(o, r.hookFailed(name)) // cannot fail: check has validated it
			r.runHook(h)
		} else {
			_ = h.Set(o) // likewise
		}
		next[name] = h
		if _, err := exec.LookPath(o.Path); err != nil {
			r.emit(HookFailed{name, fmt.Errorf("%s cannot be run: %w", o.Path, errors.Unwrap(err))})
		}
	}
	for name, h := range r.hooks {
		if next[name] == nil {
			h.Finish()
		}
	}
	r.mu.Lock()
	r.hooks = next
	r.mu.Unlock()
}

// hookFailed returns what reports the failures of a hook.
func (r *run) hookFailed(name string) func(error) {
	d := r.Director // outlives the run
	return func(err error) {
		d.ask(func(a *asked) {
			if len(a.hookFailures) < maxHookFailures {
				a.hookFailures = append(a.hookFailures, HookFailed{name, err})
			}
		})
	}
}

// reportChecked reports an event of the checks, to the hooks as well.
func (r *run) reportChecked(e health.Event) {
	for _, h := range r.hooks {
		h.OnEvent(e)
	}
	r.emit(Health{e})
}

// hookStatus returns how the hooks are doing; nil without one.
func (d *Director) hookStatus() map[string]health.HookStatus {
	if len(d.hooks) == 0 {
		return nil
	}
	all := make(map[string]health.HookStatus, len(d.hooks))
	for name, h := range d.hooks {
		all[name] = h.Status()
	}
	return all
}
