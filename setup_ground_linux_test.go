package lvs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/golvs/lvs/internal/testbed"
)

// kernelHost is a network namespace of the kernel that the tests run in.
type kernelHost struct {
	ns *testbed.Namespace
	h  *Host
}

func newKernelHost(t testing.TB, modules ...string) hostGround {
	t.Helper()
	loadModules(t, modules...) // first: they add devices to namespaces that are made later
	ns, h := setupGround(t)
	return &kernelHost{ns, h}
}

// setupGround is a host with eth0 and eth1 in a kernel.
func setupGround(t testing.TB) (*testbed.Namespace, *Host) {
	t.Helper()
	testbed.InKernel(t)
	ns := testbed.New(t)
	ns.Dummy("eth0", eth0Address4, eth0Address6)
	ns.Dummy("eth1", eth1Address4, eth1Address6)
	h, err := OpenHost(context.Background(), InNamespaceFile(ns.File))
	must(t, err)
	t.Cleanup(func() { h.Close() })
	awaitRoutes(t, h, 8) // two of each device's own, and one of its link
	return ns, h
}

// awaitRoutes waits for the routes to the host's own IPv6 addresses, which the kernel
// makes a moment after them.
func awaitRoutes(t testing.TB, h *Host, addresses int) {
	t.Helper()
	areThere := func() bool {
		all, err := h.network.Addresses()
		must(t, err)
		for _, a := range all {
			if r, err := h.network.Lookup(a.Prefix.Addr(), netip.Addr{}); a.Prefix.Addr().Is6() && (err != nil || !r.Local) {
				return false
			}
		}
		return len(all) >= addresses
	}
	for range 1000 {
		if areThere() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("the host's own addresses have no routes")
}

func loadModules(t testing.TB, modules ...string) {
	t.Helper()
	for _, m := range modules {
		names := []string{m}
		if m == "fou" {
			names = append(names, "fou6")
		}
		if _, err := os.Stat("/sys/module/" + names[len(names)-1]); err == nil {
			continue
		}
		if out, err := exec.Command("modprobe", append([]string{"-a"}, names...)...).CombinedOutput(); err != nil {
			t.Fatalf("modprobe %s: %v\n%s", m, err, out)
		}
	}
}

func (g *kernelHost) Open(t testing.TB) *Host {
	t.Helper()
	h, err := OpenHost(context.Background(), InNamespaceFile(g.ns.File))
	must(t, err)
	t.Cleanup(func() { h.Close() })
	return h
}

func (g *kernelHost) Dump(testing.TB) string { return g.ns.Dump() }

func (g *kernelHost) DumpAll(testing.TB) string { return g.ns.DumpAll() }

func (g *kernelHost) Change(t testing.TB, all ...change) {
	t.Helper()
	var commands []string
	for _, c := range all {
		switch {
		case c.command != "":
			commands = append(commands, c.command)
		case c.put != nil:
			commands = append(commands, c.put.String())
		default:
			commands = append(commands, strings.NewReplacer(" add ", " del ", " replace ", " del ").Replace(c.remove.String()))
		}
	}
	g.ns.Commands(commands...)
}

func (g *kernelHost) Load(t testing.TB, modules ...string) { loadModules(t, modules...) }

func (g *kernelHost) Unload(t testing.TB, modules ...string) {
	t.Helper()
	if out, err := exec.Command("modprobe", append([]string{"-r"}, modules...)...).CombinedOutput(); err != nil {
		t.Fatalf("modprobe -r %s: %v\n%s", modules, err, out)
	}
}

func (g *kernelHost) HasNAT() bool { return testbed.HasNFT() }

// Commands runs the commands. That of an association does not show the key, so it is
// made in another way.
func (g *kernelHost) Commands(t testing.TB, plan SetupPlan) {
	t.Helper()
	ns, h := setupGround(t)
	var commands []string
	run := func() {
		ns.Commands(commands...)
		commands = nil
	}
	for _, step := range plan.Steps {
		switch step.Requirement.Want.(type) {
		case Module:
		case IPsecAssociation:
			run()
			must(t, h.put(step.Left))
		default:
			if step.HasChanges() {
				commands = append(commands, step.Requirement.Want.String())
			}
		}
	}
	run()
	testbed.Unchanged(t, "the commands, and after Apply", testbed.Neutral(ns.Show()), testbed.Neutral(g.ns.Show()))
}

const (
	planEnv  = "LVS_TEST_PLAN"
	afterEnv = "LVS_TEST_DIES_AFTER"
)

// Die applies a saved plan in a process that kills itself.
func (g *kernelHost) Die(t testing.TB, plan SetupPlan, n int) (died bool) {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	file := savedFile(t, plan)
	must(t, g.ns.Do(func() error {
		cmd := exec.Command(self, "-test.run", "^TestHostDyingProcess$")
		cmd.Env = append(os.Environ(), planEnv+"="+file, fmt.Sprintf("%s=%d", afterEnv, n))
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
			died = true
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w\n%s", err, out)
		}
		return nil
	}))
	return died
}

// savedFile writes a plan to a file.
func savedFile(t testing.TB, plan SetupPlan) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "plan")
	text, err := json.Marshal(plan)
	must(t, err)
	must(t, os.WriteFile(file, text, 0o600))
	return file
}

// plannedFor returns the plan of a process that a test has started, and the host that
// the process is in.
func plannedFor(t *testing.T) (SetupPlan, *Host) {
	t.Helper()
	text, err := os.ReadFile(os.Getenv(planEnv))
	must(t, err)
	var plan SetupPlan
	must(t, json.Unmarshal(text, &plan))
	h, err := OpenHost(context.Background())
	must(t, err)
	return plan, h
}

// TestHostDyingProcess is the process of [kernelHost.Die].
func TestHostDyingProcess(t *testing.T) {
	var n int
	if _, err := fmt.Sscan(os.Getenv(afterEnv), &n); err != nil {
		return // it is started on purpose
	}
	plan, h := plannedFor(t)
	failAfter(h, n, func() error {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}, true)
	must(t, h.Apply(context.Background(), plan))
}
