package lvs

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/golvs/lvs/internal/testbed"
)

// Without the right to change anything, a setting is refused by name, and the host
// is as before. A child process gives its rights up, or sees /proc/sys read-only.
func TestHostForbidden(t *testing.T) {
	testbed.InKernel(t)
	self, err := os.Executable()
	must(t, err)
	ns, h := setupGround(t)
	before := ns.Dump()
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
	testbed.Unchanged(t, "refusals", before, ns.Dump())
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
	plan, h := plannedFor(t)
	switch how {
	case "read-only": // in a mount namespace of this process
		must(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
		must(t, unix.Mount("/proc/sys", "/proc/sys", "", unix.MS_BIND, ""))
		must(t, unix.Mount("", "/proc/sys", "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""))
	case "powerless":
		must(t, syscall.Setresuid(65534, 65534, 65534)) // of all threads
	}
	err := h.Apply(context.Background(), plan)
	if !errors.Is(err, ErrPermission) {
		t.Errorf("got %v, want ErrPermission", err)
	}
	t.Log(err)
}
