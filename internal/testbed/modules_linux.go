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
	args = append(args, "ip_vs")
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
