package lvs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/golvs/lvs/internal/netstate"
	"github.com/golvs/lvs/internal/testbed"
	"golang.org/x/sys/unix"
)

// What is done by another process, which is killed at any of its changes, is
// undone, or done to the end.
func TestHostSetupKilled(t *testing.T) {
	testbed.InKernel(t)
	ctx := context.Background()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"NAT director", "IPIP real server 4 in 6"}
	if testbed.IsNewest() { // the others take several times as long to start a process
		names = append(names, "DR real server", "IPIP real server")
	}
	for _, name := range names {
		for _, end := range []string{"undo", "apply"} {
			t.Run(name+" "+end, func(t *testing.T) {
				setup := mustSetup(t, caseOf(name))
				ns, h := setupGround(t)
				loadModules(t, setup)
				before := dumpBriefly(t, ns)
				plan, err := h.Plan(ctx, setup)
				if err != nil {
					t.Fatal(err)
				}
				file := savedFile(t, plan)
				for after := 0; ; after++ {
					died := applyAndDie(t, ns, self, file, after)
					if end == "apply" {
						if err := h.Apply(ctx, plan); err != nil {
							t.Fatalf("killed after %d changes: %v", after, err)
						}
						if again, err := h.Plan(ctx, setup); err != nil || again.HasChanges() {
							t.Fatalf("killed after %d changes, %v:\n%s", after, err, again)
						}
					}
					undoInKernel(t, h, plan)
					unchanged(t, fmt.Sprintf("death after %d changes", after), before, dumpBriefly(t, ns))
					if !died {
						break
					}
				}
			})
		}
	}
}

const (
	planEnv  = "LVS_TEST_PLAN"
	afterEnv = "LVS_TEST_DIES_AFTER"
)

// applyAndDie applies a saved plan in a process that kills itself.
func applyAndDie(t *testing.T, ns *testbed.Namespace, self, file string, after int) (died bool) {
	t.Helper()
	err := ns.Do(func() error {
		cmd := exec.Command(self, "-test.run", "^TestHostDyingProcess$")
		cmd.Env = append(os.Environ(), planEnv+"="+file, fmt.Sprintf("%s=%d", afterEnv, after))
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
	})
	if err != nil {
		t.Fatal(err)
	}
	return died
}

// TestHostDyingProcess is the other process of TestHostSetupKilled.
func TestHostDyingProcess(t *testing.T) {
	file := os.Getenv(planEnv)
	if file == "" {
		return // it is started on purpose
	}
	text, err := os.ReadFile(file)
	var plan SetupPlan
	if err == nil {
		err = json.Unmarshal(text, &plan)
	}
	if err != nil {
		t.Fatal(err)
	}
	h, err := OpenHost(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	k := &killer{network: h.guard.network, files: h.guard.files}
	if _, err := fmt.Sscan(os.Getenv(afterEnv), &k.left); err != nil {
		t.Fatal(err)
	}
	h.guard.network, h.guard.files = k, k
	if err := h.Apply(context.Background(), plan); err != nil {
		t.Fatal(err)
	}
}

// killer ends the process at a change.
type killer struct {
	network
	files
	left int
}

func (k *killer) count() {
	if k.left == 0 {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	k.left--
}

func (k *killer) Put(f netstate.Resource) error { k.count(); return k.network.Put(f) }

func (k *killer) WriteFile(path string, data []byte) error {
	k.count()
	return k.files.WriteFile(path, data)
}

// Without the right to change anything, a setting is refused by name, and the host
// is as before. A child process gives its rights up, or sees /proc/sys read-only.
func TestHostForbidden(t *testing.T) {
	testbed.InKernel(t)
	self, err := os.Executable()
	must(t, err)
	ns, h := setupGround(t)
	before := dumpBriefly(t, ns)
	for _, c := range []struct {
		how, setup, want string
	}{
		{"read-only", "NAT director", "lvs: apply sysctl -w net.ipv4.ip_forward=1"},
		{"read-only", "DR real server", "lvs: apply sysctl -w net.ipv4.conf.lo.arp_ignore=1"},
		{"powerless", "NAT director", "lvs: apply sysctl -w net.ipv4.ip_forward=1"},
		{"powerless", "DR director IPv6", "lvs: apply ip -6 addr add 2001:db8:1::91/128"},
	} {
		t.Run(c.how+" "+c.setup, func(t *testing.T) {
			plan, err := h.Plan(context.Background(), mustSetup(t, caseOf(c.setup)))
			must(t, err)
			out := applyForbidden(t, ns, self, c.how, savedFile(t, plan))
			for _, want := range []string{c.want, "CAP_NET_ADMIN"} {
				if c.how == "read-only" && want == "CAP_NET_ADMIN" {
					want = "/proc/sys is mounted read-only"
				}
				if !strings.Contains(out, want) {
					t.Errorf("want %q in\n%s", want, out)
				}
			}
		})
	}
	unchanged(t, "refusals", before, dumpBriefly(t, ns))
}

// savedFile writes a plan to a file.
func savedFile(t *testing.T, plan SetupPlan) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "plan")
	text, err := json.Marshal(plan)
	if err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	must(t, err)
	return file
}

const forbiddenEnv = "LVS_TEST_FORBIDDEN"

// applyForbidden applies a saved plan in a process that may not, and returns what
// it says of it.
func applyForbidden(t *testing.T, ns *testbed.Namespace, self, how, file string) (out string) {
	t.Helper()
	must(t, ns.Do(func() error {
		cmd := exec.Command(self, "-test.run", "^TestHostForbiddenProcess$", "-test.v")
		cmd.Env = append(os.Environ(), planEnv+"="+file, forbiddenEnv+"="+how)
		if how == "read-only" {
			cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
		}
		text, err := cmd.CombinedOutput()
		out = string(text)
		return err
	}))
	return out
}

// TestHostForbiddenProcess is the other process of TestHostForbidden.
func TestHostForbiddenProcess(t *testing.T) {
	how := os.Getenv(forbiddenEnv)
	if how == "" {
		return // it is started on purpose
	}
	text, err := os.ReadFile(os.Getenv(planEnv))
	var plan SetupPlan
	if err == nil {
		err = json.Unmarshal(text, &plan)
	}
	must(t, err)
	h, err := OpenHost(context.Background())
	must(t, err)
	switch how {
	case "read-only": // in a mount namespace of this process
		must(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
		must(t, unix.Mount("/proc/sys", "/proc/sys", "", unix.MS_BIND, ""))
		must(t, unix.Mount("", "/proc/sys", "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""))
	case "powerless":
		must(t, syscall.Setresuid(65534, 65534, 65534)) // of all threads
	}
	err = h.Apply(context.Background(), plan)
	if !errors.Is(err, ErrPermission) {
		t.Errorf("got %v, want ErrPermission", err)
	}
	t.Log(err)
}
