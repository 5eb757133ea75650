package lvs

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

// allCalls are all methods of a host and of what belongs to it.
func allCalls(h *Host, plan SetupPlan) map[string]func(context.Context) error {
	setup := Setup{forwarding(false, "")}
	return map[string]func(context.Context) error{
		"Sysctl":          func(ctx context.Context) error { _, err := h.Sysctl(ctx, SysctlIPForward); return err },
		"SetSysctl":       func(ctx context.Context) error { return h.SetSysctl(ctx, SysctlIPForward, "1") },
		"SysctlInt":       func(ctx context.Context) error { _, err := h.SysctlInt(ctx, SysctlConntrack); return err },
		"EnsureSysctl":    func(ctx context.Context) error { _, err := h.EnsureSysctl(ctx, SysctlConntrack, "1"); return err },
		"Plan":            func(ctx context.Context) error { _, err := h.Plan(ctx, setup); return err },
		"Plan of nothing": func(ctx context.Context) error { _, err := h.Plan(ctx, nil); return err },
		"Apply":           func(ctx context.Context) error { return h.Apply(ctx, plan) },
		"Apply nothing":   func(ctx context.Context) error { return h.Apply(ctx, SetupPlan{}) },
		"Undo":            func(ctx context.Context) error { _, err := h.Undo(ctx, plan); return err },
		"Undo nothing":    func(ctx context.Context) error { _, err := h.Undo(ctx, SetupPlan{}); return err },
		"Check":           func(ctx context.Context) error { _, err := h.Check(ctx, CheckOptions{Setup: setup}); return err },
		"Check nothing":   func(ctx context.Context) error { _, err := h.Check(ctx, CheckOptions{}); return err },
		"Facts":           func(ctx context.Context) error { _, err := h.State(ctx); return err },
		"Connections": func(ctx context.Context) error {
			_, err := CollectConnections(h.Connections(ctx, ConnectionFilter{}))
			return err
		},
		"Explain": func(ctx context.Context) error {
			_, err := h.Explain(ctx, Flow{Client: netip.MustParseAddrPort("10.168.0.1:1"), VIP: netip.MustParseAddrPort("10.168.0.91:80")})
			return err
		},
		"SimulatorFrom": func(ctx context.Context) error {
			_, _, err := SimulatorFrom(ctx, h, SimOptions{})
			return err
		},
		"Client": func(ctx context.Context) error { _, err := h.Client().Services(ctx); return err },
		"Close":  func(context.Context) error { return h.Close() },
	}
}

// allClosed expects ErrClosed of all calls.
func allClosed(t *testing.T, h *Host, plan SetupPlan) {
	t.Helper()
	for name, call := range allCalls(h, plan) {
		if err := call(context.Background()); !errors.Is(err, ErrClosed) || !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s: got %v, want ErrClosed", name, err)
		}
	}
}

func TestClosedHost(t *testing.T) {
	s, h := simulatedHost(t)
	plan, err := h.Plan(context.Background(), Setup{forwarding(false, "")})
	must(t, err)
	before := s.dump()
	must(t, h.Close())
	allClosed(t, h, plan)
	if diff := cmp.Diff(before, s.dump()); diff != "" {
		t.Errorf("a closed host changed its namespace (-before +after):\n%s", diff)
	}
}

// closeDuring closes a host, and returns when the end of Apply is due.
func closeDuring(h *Host) (closed chan error) {
	closed = make(chan error, 1)
	go func() { closed <- h.Close() }()
	<-h.life.Done()
	return closed
}

// A host is closed during each step of Apply, which takes back what it did.
func TestCloseDuringApply(t *testing.T) {
	ctx := context.Background()
	for _, name := range []string{"DR real server", "NAT director", "IPIP real server 4 in 6", "encrypted director"} {
		setup := mustSetup(t, caseOf(name))
		for i := range setup {
			t.Run(fmt.Sprintf("%s %d", name, i), func(t *testing.T) {
				s, h := simulatedHost(t)
				for _, other := range setup {
					if m, ok := other.Want.(Module); ok {
						s.LoadModule(m.Name)
					}
				}
				plan, err := h.Plan(ctx, setup)
				must(t, err)
				if !plan.Steps[i].HasChanges() {
					return
				}
				before := s.dump()
				var closed chan error
				must(t, s.InjectHost(SimHostFault{Resource: plan.Steps[i].Left, Before: func() { closed = closeDuring(h) }}))
				err = h.Apply(ctx, plan)
				if i < len(setup)-1 && !errors.Is(err, ErrClosed) {
					t.Errorf("Apply: got %v, want ErrClosed", err)
				}
				must(t, <-closed)
				if diff := cmp.Diff(before, s.dump()); err != nil && diff != "" {
					t.Errorf("(-before +after):\n%s", diff)
				}
				allClosed(t, h, plan)
			})
		}
	}
}

// Close ends an Undo that is under way after the step that it is at: another host
// finishes it.
func TestCloseDuringUndo(t *testing.T) {
	ctx := context.Background()
	s, h := simulatedHost(t)
	before := s.dump()
	plan, err := h.Plan(ctx, mustSetup(t, caseOf("DR real server")))
	must(t, err)
	must(t, h.Apply(ctx, plan))
	var closed chan error
	must(t, s.InjectHost(SimHostFault{Resource: Address{}, Before: func() { closed = closeDuring(h) }}))
	if _, err := h.Undo(ctx, plan); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
	must(t, <-closed)
	other := s.Host()
	defer other.Close()
	if kept, err := other.Undo(ctx, plan); err != nil || len(kept) != 0 {
		t.Errorf("%v, kept %v", err, kept)
	}
	if diff := cmp.Diff(before, s.dump()); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

// Of many that close a host, one does; all return when it is closed.
func TestCloseByMany(t *testing.T) {
	ctx := context.Background()
	s, h := simulatedHost(t)
	plan, err := h.Plan(ctx, mustSetup(t, caseOf("DR real server")))
	must(t, err)
	before := s.dump()
	const many = 8
	errs := make(chan error, many)
	must(t, s.InjectHost(SimHostFault{Resource: Address{}, Before: func() {
		for range many {
			go func() {
				err := h.Close()
				if diff := cmp.Diff(before, s.dump()); diff != "" {
					t.Errorf("Close returned early (-before +after):\n%s", diff)
				}
				errs <- err
			}()
		}
		<-h.life.Done()
	}}))
	if err := h.Apply(ctx, plan); !errors.Is(err, ErrClosed) {
		t.Errorf("Apply: got %v, want ErrClosed", err)
	}
	all := make([]error, many)
	for i := range all {
		all[i] = <-errs
	}
	if n := len(slices.DeleteFunc(all, func(err error) bool { return errors.Is(err, ErrClosed) })); n != 1 || all[0] != nil {
		t.Errorf("%d were not ErrClosed: %v", n, all[:n])
	}
}

// Close waits for a call that is inside the kernel although its caller gave it up.
func TestCloseAwaitsAbandoned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, h := simulatedHost(t)
		ctx, cancel := context.WithCancel(context.Background())
		letGo := make(chan struct{})
		must(t, s.InjectHost(SimHostFault{Resource: Sysctl{}, Before: func() { cancel(); <-letGo }}))
		if err := h.SetSysctl(ctx, SysctlIPForward, "1"); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want Canceled", err)
		}
		isClosed := false
		go func() {
			must(t, h.Close())
			isClosed = true
		}()
		synctest.Wait()
		if isClosed {
			t.Error("Close did not wait")
		}
		close(letGo)
		synctest.Wait()
		if !isClosed {
			t.Error("Close waits for ever")
		}
		if value, err := s.Host().Sysctl(context.Background(), SysctlIPForward); value != "1" {
			t.Errorf("%s, %v", value, err)
		}
	})
}
