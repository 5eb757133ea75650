package lvs

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
)

// hooks are functions that end otherwise than by returning.
var hooks = map[string]struct {
	do   func()
	want string
}{
	"panic":            {func() { panic("boom") }, "Before panicked: boom"},
	"panic with error": {func() { panic(context.Canceled) }, "context canceled"},
	"end of goroutine": {runtime.Goexit, "ended its goroutine"},
}

// A function of the caller's that does not return fails the call that it strikes, and
// the client and simulator stay usable.
func TestFaultWithoutReturn(t *testing.T) {
	for name, c := range hooks {
		t.Run(name, func(t *testing.T) {
			l, ctx := newSimLab(t, SimOptions{}), t.Context()
			var panicked *SimPanicError
			fails := func(err error) {
				t.Helper()
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v, want one with %q", err, c.want)
				}
				if errors.As(err, &panicked) != (name != "end of goroutine") {
					t.Errorf("got %v", err)
				}
			}
			must(t, l.Inject(SimFault{Op: OpListServices, Before: c.do}))
			_, err := l.client.Services(ctx)
			fails(err)
			must(t, l.Inject(SimFault{Op: OpAddService, Before: c.do}))
			add := AddService(Service{ID: simWeb, Scheduler: RR})
			fails(l.client.Do(ctx, AddService(Service{ID: FWMark(1), Scheduler: RR}), add))
			if list, err := l.client.Services(ctx); err != nil || len(list) != 0 {
				t.Errorf("services %v, %v", list, err)
			}
			must(t, l.client.Do(ctx, add))
		})
	}
}

func TestSettingFaultWithoutReturn(t *testing.T) {
	for name, c := range hooks {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			s, h := simulatedHost(t)
			before := s.dump()
			plan, err := h.Plan(ctx, mustSetup(t, caseOf("DR real server")))
			must(t, err)
			must(t, s.InjectHost(SimHostFault{Resource: Address{}, Before: c.do, Errno: EPERM}))
			if err := h.Apply(ctx, plan); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want one with %q", err, c.want)
			}
			if after := s.dump(); strings.Join(after, "\n") != strings.Join(before, "\n") {
				t.Errorf("the host is\n%s\nand was\n%s", after, before)
			}
			must(t, h.Apply(ctx, plan))
			must(t, h.Close())
		})
	}
}
