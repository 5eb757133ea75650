package testbed

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// UnloadIPVS takes all of IPVS out of the kernel. Namespaces of earlier tests hold it
// until the kernel has cleaned them up.
func UnloadIPVS(t testing.TB) {
	t.Helper()
	args := []string{"-r"}
	for _, name := range modules(t) {
		if strings.HasPrefix(name, "ip_vs_") {
			args = append(args, name)
		}
	}
	unload(t, append(args[1:], "ip_vs")...)
}

// unload takes modules out of the kernel, when nothing uses them any more.
func unload(t testing.TB, names ...string) {
	t.Helper()
	args := append([]string{"-r"}, names...)
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if err = modprobe(args...); err == nil {
			return
		}
	}
	t.Fatal(err)
}

// patience is longer than anything takes but in a kernel that is stuck.
const patience = 2 * time.Minute

// modprobe runs the program. It leaves one that is stuck in the kernel, which cannot be
// killed, and says where that is.
func modprobe(args ...string) error {
	var out bytes.Buffer
	cmd := exec.Command("modprobe", args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err := <-done:
		if err != nil {
			err = fmt.Errorf("modprobe %q: %w\n%s", args, err, &out)
		}
		return err
	case <-time.After(patience):
		stack, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stack", cmd.Process.Pid))
		return fmt.Errorf("modprobe %q has not ended for %s; it waits in\n%s", args, patience, stack)
	}
}

// LoadIPVS brings IPVS into the kernel.
func LoadIPVS(t testing.TB) {
	t.Helper()
	if err := modprobe("ip_vs"); err != nil {
		t.Fatal(err)
	}
}

// LoadModule brings a module into the kernel until the test ends.
func LoadModule(t testing.TB, name string, options ...string) {
	t.Helper()
	if err := modprobe(append([]string{name}, options...)...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unload(t, name) })
}

// modules returns the names of the modules in the kernel.
func modules(t testing.TB) (names []string) {
	t.Helper()
	list, err := os.ReadFile("/proc/modules")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(list)) {
		name, _, _ := strings.Cut(line, " ")
		names = append(names, name)
	}
	return names
}
