package lvs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golvs/lvs/internal/testbed"
	"golang.org/x/sys/unix"
)

// addressesHere lists the addresses of the namespace that this process began in.
func addressesHere(t *testing.T) string {
	t.Helper()
	h, err := OpenHost(context.Background(), InNamespace("/proc/1/ns/net"))
	must(t, err)
	defer h.Close()
	all, err := h.network.Addresses()
	must(t, err)
	return fmt.Sprint(all)
}

func TestHostClosed(t *testing.T) {
	ctx := context.Background()
	ns, other := setupGround(t)
	name := filepath.Join(t.TempDir(), "ns")
	bind(t, ns, name)
	for how, open := range map[string]func() (*Host, error){
		"by name":       func() (*Host, error) { return OpenHost(ctx, InNamespace(name)) },
		"by descriptor": func() (*Host, error) { return OpenHost(ctx, InNamespaceFile(ns.File)) },
		"of the thread": func() (h *Host, err error) {
			err = ns.Do(func() error { h, err = OpenHost(ctx); return err })
			return h, err
		},
	} {
		t.Run(how, func(t *testing.T) {
			here, there := addressesHere(t), ns.Dump()
			h, err := open()
			must(t, err)
			plan, err := h.Plan(ctx, Setup{{Want: Address{Interface: "lo", Prefix: hostPrefix(vip4)}, Why: ""}, {Want: SourceNAT{From: inner4}, Why: ""}, {Want: FOUPort{Port: 6080}}})
			must(t, err)
			must(t, h.Close())
			allClosed(t, h, plan)
			testbed.Unchanged(t, "calls on a closed host, here", here, addressesHere(t))
			testbed.Unchanged(t, "calls on a closed host, there", there, ns.Dump())
		})
	}
	if _, err := other.State(ctx); err != nil {
		t.Errorf("another host of the namespace: %v", err)
	}
}

// Close comes at any time during an Apply of 200 addresses: all of them are there
// or none, and none is in the namespace of this process.
func TestHostCloseRacesApply(t *testing.T) {
	ctx := context.Background()
	ns, other := setupGround(t)
	var setup Setup
	for i := range 200 {
		vip := netip.AddrFrom4([4]byte{10, 77, byte(i >> 8), byte(i)})
		setup = append(setup, Requirement{Want: Address{Interface: "lo", Prefix: hostPrefix(vip)}})
	}
	here := addressesHere(t)
	const rounds = 5
	ended := 0
	for round := range rounds {
		h, err := OpenHost(ctx, InNamespaceFile(ns.File))
		must(t, err)
		plan, err := h.Plan(ctx, setup)
		must(t, err)
		var puts atomic.Int32
		when := int32(round * 220 / rounds)
		inside := h.guard.inside
		h.guard.inside = func(fn func() error) error {
			if puts.Add(1) == when+1 {
				go h.Close()
			}
			return inside(fn)
		}
		err = h.Apply(ctx, plan)
		must(t, ignoreClosed(h.Close()))
		all, lerr := other.network.Addresses()
		must(t, lerr)
		switch n := strings.Count(fmt.Sprint(all), "10.77."); {
		case err != nil && (!errors.Is(err, ErrClosed) || n != 0):
			t.Errorf("round %d: %v, and %d addresses were left", round, err, n)
		case err == nil && n != len(setup):
			t.Errorf("round %d: %d addresses of %d", round, n, len(setup))
		}
		if err == nil {
			undone(t, other, plan)
		} else {
			ended++
		}
		testbed.Unchanged(t, "a closed host, here", here, addressesHere(t))
	}
	if ended == 0 {
		t.Error("no Apply was ended by Close")
	}
}

// Close comes at each of the calls that Apply makes: the host is as before.
func TestHostCloseAtEachStep(t *testing.T) {
	ctx := context.Background()
	ns, other := setupGround(t)
	setup := mustSetup(t, caseOf("DR real server"))
	here, before := addressesHere(t), ns.Dump()
	first, err := other.Plan(ctx, setup)
	must(t, err)
	for at := 0; ; at++ {
		h, err := OpenHost(ctx, InNamespaceFile(ns.File))
		must(t, err)
		plan, err := h.Plan(ctx, setup)
		must(t, err)
		if plan.String() != first.String() {
			t.Fatalf("closed at call %d, the host is not as before:\n%s", at-1, plan)
		}
		var closed chan error
		calls, inside := 0, h.guard.inside
		h.guard.inside = func(fn func() error) error {
			if calls == at {
				closed = closeDuring(h)
			}
			calls++
			return inside(fn)
		}
		err = h.Apply(ctx, plan)
		h.guard.inside = inside
		if closed == nil {
			must(t, err)
			undone(t, h, plan)
			must(t, h.Close())
			break
		}
		must(t, <-closed)
		if err == nil { // it was closed while the last setting was read
			undone(t, other, plan)
		} else if !errors.Is(err, ErrClosed) {
			t.Errorf("closed at call %d: %v", at, err)
		}
	}
	testbed.Unchanged(t, "all", before, ns.Dump())
	testbed.Unchanged(t, "all, here", here, addressesHere(t))
}

func ignoreClosed(err error) error {
	if errors.Is(err, ErrClosed) {
		return nil
	}
	return err
}

// bind gives a namespace a name, in place of the namespace that has it.
func bind(t *testing.T, ns *testbed.Namespace, name string) {
	t.Helper()
	if err := unix.Unmount(name, unix.MNT_DETACH); err != nil {
		must(t, os.WriteFile(name, nil, 0o600))
		t.Cleanup(func() { _ = unix.Unmount(name, unix.MNT_DETACH) })
	}
	must(t, unix.Mount(fmt.Sprintf("/proc/self/fd/%d", ns.File.Fd()), name, "", unix.MS_BIND, ""))
}

// rebinder is a log that does something at each step of what is logged.
type rebinder struct {
	slog.Handler
	rebind func()
}

func (r rebinder) Enabled(context.Context, slog.Level) bool {
	r.rebind()
	return true
}

// A name is bound to one namespace and then to another, between the steps of OpenHost,
// and removed: the host is all in one of them.
func TestHostIsInOneNamespace(t *testing.T) {
	testbed.InKernel(t)
	ctx := context.Background()
	a, b := testbed.New(t), testbed.New(t)
	spaces := map[string]*testbed.Namespace{"a": a, "b": b}
	for name, ns := range spaces {
		ns.Dummy(name)
		h, err := OpenHost(ctx, InNamespaceFile(ns.File))
		must(t, err)
		must(t, h.SetSysctl(ctx, SysctlIPForward, map[string]string{"a": "0", "b": "1"}[name]))
		must(t, h.Client().SetTimeouts(ctx, Timeouts{TCP: map[string]time.Duration{"a": 100e9, "b": 200e9}[name]}))
		must(t, h.Close())
	}
	name := filepath.Join(t.TempDir(), "ns")
	byName := InNamespace(name)
	for first, other := range map[string]string{"a": "b", "b": "a"} {
		bind(t, spaces[first], name)
		steps, isOpen := 0, false
		h, err := OpenHost(ctx, byName, WithLogger(slog.New(rebinder{slog.DiscardHandler, func() {
			if !isOpen {
				steps++
				bind(t, spaces[other], name)
			}
		}})))
		must(t, err)
		isOpen = true
		if steps == 0 {
			t.Error("the name was not bound to another namespace while the host was opened")
		}
		allIn(t, h, first)
		must(t, unix.Unmount(name, unix.MNT_DETACH))
		must(t, os.Remove(name))
		allIn(t, h, first)
		must(t, h.Close())
	}
}

// allIn expects each part of a host in a namespace.
func allIn(t *testing.T, h *Host, want string) {
	t.Helper()
	ctx := context.Background()
	timeouts, err := h.Client().Timeouts(ctx)
	must(t, err)
	forwards, err := h.Sysctl(ctx, SysctlIPForward)
	must(t, err)
	links, err := h.linkNames(ctx)
	must(t, err)
	got := fmt.Sprint(timeouts.TCP, " ", forwards, " ", strings.Contains(fmt.Sprint(links), want))
	if expected := map[string]string{"a": "1m40s 0 true", "b": "3m20s 1 true"}[want]; got != expected {
		t.Errorf("in namespace %s: got %s, want %s", want, got, expected)
	}
}
