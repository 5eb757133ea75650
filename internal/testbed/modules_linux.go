package testbed

import (
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
	var out []byte
	var err error
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if out, err = exec.Command("modprobe", args...).CombinedOutput(); err == nil {
			return
		}
	}
	t.Fatalf("modprobe %q: %v\n%s", args, err, out)
}

// LoadIPVS brings IPVS into the kernel.
func LoadIPVS(t testing.TB) {
	t.Helper()
	if out, err := exec.Command("modprobe", "ip_vs").CombinedOutput(); err != nil {
		t.Fatalf("modprobe: %v\n%s", err, out)
	}
}

// LoadModule brings a module into the kernel until the test ends.
func LoadModule(t testing.TB, name string, options ...string) {
	t.Helper()
	if out, err := exec.Command("modprobe", append([]string{name}, options...)...).CombinedOutput(); err != nil {
		t.Fatalf("modprobe %s %q: %v\n%s", name, options, err, out)
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
