package lvs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/golvs/lvs/internal/testbed"
)

// A setup is applied, twice, does what its commands do, and is undone, twice.
func TestSetupApplyAndUndo(t *testing.T) {
	ctx := context.Background()
	for _, c := range setupCases {
		t.Run(c.name, func(t *testing.T) {
			setup := mustSetup(t, c)
			g := newHostGround(t, setup)
			g.Load(t, c.modules...)
			h, dump := g.Open(t), g.Dump
			if slices.Contains([]string{"DR director", "NAT director", "NAT director IPv6", "IPIP real server 4 in 6"}, c.name) {
				dump = g.DumpAll
			}
			before := dump(t)
			plan, err := h.Plan(ctx, setup)
			must(t, err)
			testbed.Unchanged(t, "Plan", before, dump(t))
			if c.nat && !g.HasNAT() {
				if err := h.Apply(ctx, plan); !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "nft_chain_nat") {
					t.Errorf("without nftables: got %v, want ErrUnsupported with what to do", err)
				}
				testbed.Unchanged(t, "a setup that failed", before, dump(t))
				return
			}
			for range 2 {
				must(t, h.Apply(ctx, plan))
			}
			if again, err := h.Plan(ctx, setup); err != nil || again.HasChanges() {
				t.Fatalf("after Apply there is still to do, %v:\n%s", err, again)
			}
			g.Commands(t, plan)
			later := g.Open(t)
			for range 2 {
				undone(t, later, saved(t, plan))
			}
			testbed.Unchanged(t, "Undo", before, dump(t))
		})
	}
}

// fewInKernels returns the setups of some names, and all of them on a simulated host:
// a kernel takes seconds for each change that is tried.
func fewInKernels(names ...string) (few []setupCase) {
	for _, c := range setupCases {
		if !testbed.Inside() || slices.Contains(names, c.name) {
			few = append(few, c)
		}
	}
	return few
}

// A process can die at any change: another one undoes what it did, or finishes it.
func TestSetupKilled(t *testing.T) {
	ctx := context.Background()
	names := []string{"NAT director", "IPIP real server 4 in 6"}
	if testbed.IsNewest() { // the others take several times as long to start a process
		names = append(names, "DR real server", "IPIP real server")
	}
	for _, c := range fewInKernels(names...) {
		for _, end := range []string{"undo", "apply"} {
			t.Run(c.name+" "+end, func(t *testing.T) {
				setup := mustSetup(t, c)
				g := newHostGround(t, setup)
				g.Load(t, c.modules...)
				h := g.Open(t)
				before := g.Dump(t)
				plan, err := h.Plan(ctx, setup)
				must(t, err)
				for after, died := 0, true; died; after++ {
					died = g.Die(t, plan, after)
					if end == "apply" {
						again := saved(t, plan)
						if hasKeys(plan) {
							again = plan
						}
						if err := h.Apply(ctx, again); err != nil {
							t.Fatalf("killed after %d changes, then applied: %v", after, err)
						}
						if again, err := h.Plan(ctx, setup); err != nil || again.HasChanges() {
							t.Fatalf("killed after %d changes, there is still to do, %v:\n%s", after, err, again)
						}
					}
					undone(t, h, saved(t, plan))
					testbed.Unchanged(t, fmt.Sprintf("death after %d changes", after), before, g.Dump(t))
				}
			})
		}
	}
}

// When any change fails, the error names the setting, and the host is as before.
func TestSetupFails(t *testing.T) {
	ctx := context.Background()
	kinds := []struct{ err, kind error }{{syscall.EPERM, ErrPermission}, {syscall.EROFS, ErrPermission}, {syscall.EINVAL, ErrInvalid}}
	for _, c := range fewInKernels("DR director", "NAT director IPv6", "IPIP real server 4 in 6", "encrypted real server 6 in 4") {
		t.Run(c.name, func(t *testing.T) {
			setup := mustSetup(t, c)
			g := newHostGround(t, setup)
			g.Load(t, c.modules...)
			before := g.Dump(t)
			plan, err := g.Open(t).Plan(ctx, setup)
			must(t, err)
			for n, err := 0, errDead; err != nil; n++ {
				k := kinds[n%len(kinds)]
				h := g.Open(t)
				failAfter(h, n, func() error { return &fs.PathError{Op: "change", Path: "it", Err: k.err} }, true)
				if err = h.Apply(ctx, plan); err == nil {
					undone(t, g.Open(t), plan)
				} else if !errors.Is(err, k.kind) || !namesStep(err, plan) {
					t.Fatalf("change %d: got %v, want %v of a step", n, err, k.kind)
				}
				testbed.Unchanged(t, fmt.Sprintf("failure of change %d", n), before, g.Dump(t))
			}
		})
	}
}

// namesStep reports whether an error has the command of a step that changes something.
// The command of a new device's state begins as that of the wanted one.
func namesStep(err error, plan SetupPlan) bool {
	return slices.ContainsFunc(plan.Steps, func(s SetupStep) bool {
		command, _, _ := strings.Cut(s.Requirement.Want.String(), " up")
		return s.HasChanges() && strings.Contains(err.Error(), command)
	})
}

// A second Apply that fails leaves what the first one did.
func TestApplyTwiceFailsGently(t *testing.T) {
	ctx := context.Background()
	g := newHostGround(t)
	h := g.Open(t)
	plan := mustApply(t, h, mustSetup(t, caseOf("DR real server")))
	good := g.Dump(t)
	must(t, h.SetSysctl(ctx, "net.ipv4.conf.lo.arp_announce", "0")) // as it was found
	failing := g.Open(t)
	failAfter(failing, 0, func() error { return fs.ErrPermission }, true)
	if err := failing.Apply(ctx, plan); !errors.Is(err, ErrPermission) || !strings.Contains(err.Error(), "conf.lo.arp_announce") {
		t.Errorf("got %v, want ErrPermission", err)
	}
	must(t, h.Apply(ctx, plan))
	testbed.Unchanged(t, "Apply", good, g.Dump(t))
}

func TestApplyEndsWithContext(t *testing.T) {
	g := newHostGround(t)
	h := g.Open(t)
	before := g.Dump(t)
	plan, err := h.Plan(context.Background(), mustSetup(t, caseOf("DR real server")))
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	failAfter(h, 2, func() error { cancel(); return nil }, true)
	if err := h.Apply(ctx, plan); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	testbed.Unchanged(t, "an Apply that was cancelled", before, g.Dump(t))
}

// Many goroutines plan, apply and undo at once.
func TestSetupByManyGoroutines(t *testing.T) {
	ctx := context.Background()
	g := newHostGround(t)
	h := g.Open(t)
	before := g.Dump(t)
	many, rounds := 8, 20
	if testbed.Inside() {
		rounds = 3
	}
	errs := make(chan error)
	for i := range many {
		go func() {
			vip := netip.AddrFrom4([4]byte{10, 168, 0, byte(100 + i)})
			errs <- func() error {
				for range rounds {
					plan, err := h.Plan(ctx, Setup{{Want: vipAddress(vip, "eth0", "")}})
					if err == nil {
						err = h.Apply(ctx, plan)
					}
					if err != nil {
						return err
					}
					if _, err := h.Undo(ctx, plan); err != nil {
						return err
					}
				}
				return nil
			}()
		}()
	}
	for range many {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	testbed.Unchanged(t, "Undo of all", before, g.Dump(t))
}
