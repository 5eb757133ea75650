package lvs

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"syscall"
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

// A fault applies to its operation, and not to another that shares its command of the
// kernel.
func TestFaultAppliesToItsOp(t *testing.T) {
	sim, c := simulatedClient(t)
	for _, tt := range []struct {
		op             Op
		other, applies func() error
	}{
		{
			OpListServices,
			func() error { _, err := c.Service(t.Context(), webID); return err },
			func() error { _, err := c.Services(t.Context()); return err },
		},
		{
			OpGetService,
			func() error { _, err := c.Services(t.Context()); return err },
			func() error { _, err := c.Service(t.Context(), webID); return err },
		},
		{
			OpZeroCounters,
			func() error { return c.ZeroAllCounters(t.Context()) },
			func() error { return c.ZeroCounters(t.Context(), webID) },
		},
		{
			OpZeroAllCounters,
			func() error { return c.ZeroCounters(t.Context(), webID) },
			func() error { return c.ZeroAllCounters(t.Context()) },
		},
	} {
		must(t, sim.Inject(SimFault{Op: tt.op, Errno: ENOMEM}))
		if err := tt.other(); err != nil {
			t.Errorf("%s: another operation fails: %v", tt.op, err)
		}
		var e *Error
		if err := tt.applies(); !errors.As(err, &e) || e.Op != tt.op || e.Errno != ENOMEM {
			t.Errorf("%s: %v", tt.op, err)
		}
	}
	for _, op := range []Op{OpPutService, OpSnapshot, OpApply, "make-coffee"} {
		ofKind(t, string(op), sim.Inject(SimFault{Op: op}), ErrInvalid)
	}
}

// A fault of a host applies to resources that are equal in the fields that it sets.
func TestHostFaultAppliesToResources(t *testing.T) {
	lo, eth0 := Address{Interface: "lo", Prefix: hostPrefix(vip4)}, Address{Interface: "eth0", Prefix: hostPrefix(vip4)}
	forward := Sysctl{SysctlIPForward, "1"}
	for _, tt := range []struct {
		fault Resource
		all   []Resource // that it applies to
	}{
		{nil, []Resource{lo, eth0, forward}},
		{Address{}, []Resource{lo, eth0}},
		{Address{Interface: "lo"}, []Resource{lo}},
		{Address{Interface: "lo", Prefix: hostPrefix(webRIP.Addr())}, nil},
		{Sysctl{Key: SysctlIPForward}, []Resource{forward}},
		{Sysctl{Value: "0"}, nil},
		{forward, []Resource{forward}},
		{Module{}, nil},
	} {
		var got []Resource
		for _, r := range []Resource{lo, eth0, forward} {
			if (&SimHostFault{Resource: tt.fault}).appliesTo(r) {
				got = append(got, r)
			}
		}
		if !slices.Equal(got, tt.all) {
			t.Errorf("%#v applies to %v, want %v", tt.fault, got, tt.all)
		}
	}
}

// Refusals of a host have the errno of the fault, as those of the kernel do.
func TestHostFaultErrno(t *testing.T) {
	s, h := simulatedHost(t)
	must(t, s.InjectHost(SimHostFault{Resource: Sysctl{Key: SysctlConntrack}, Errno: EROFS}))
	must(t, h.SetSysctl(t.Context(), SysctlIPForward, "1"))
	err := h.SetSysctl(t.Context(), SysctlConntrack, "1")
	ofKind(t, "a read-only file", err, ErrPermission)
	if !errors.Is(err, EROFS) || !errors.Is(err, syscall.EROFS) {
		t.Errorf("%v does not match EROFS", err)
	}
	ofKind(t, "negative Times", s.InjectHost(SimHostFault{Times: -1}), ErrInvalid)
	ofKind(t, "an errno that is too large", s.InjectHost(SimHostFault{Errno: 4096}), ErrInvalid)
}
