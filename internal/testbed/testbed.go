// Package testbed gives tests that need a kernel a network namespace of their
// own to work in. Only tests import it.
package testbed

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// KernelEnv is set, to the release, inside a kernel that the tests were brought to.
// Nothing may be skipped there.
const KernelEnv = "LVS_KERNEL"

// Inside reports whether the tests were brought to a kernel.
func Inside() bool { return os.Getenv(KernelEnv) != "" }

// Stride is how far apart the cases are that a test plays although no kernel takes part in
// them: 1, and 10 inside a kernel, where they are slow and show nothing new.
func Stride() int {
	if Inside() {
		return 10
	}
	return 1
}

// InKernel skips the test unless it runs as root inside a kernel with IPVS.
func InKernel(t testing.TB) {
	t.Helper()
	if !Inside() {
		t.Skip("needs a kernel with IPVS: see cmd/lvs-kernel")
	}
}

// IsNewest reports whether the kernel is the newest one, which starts programs in a
// fraction of the time that the others take.
func IsNewest() bool { return os.Getenv("LVS_KERNEL_NAME") == "newest" }

// HasNFT reports whether the kernel has NAT by nftables: those in QEMU do.
func HasNFT() bool { return strings.HasPrefix(os.Getenv("LVS_KERNEL_NAME"), "qemu") }

// Unchanged reports an error with the lines that differ unless two dumps are the same.
func Unchanged(t testing.TB, what, before, after string) {
	t.Helper()
	if before == after {
		return
	}
	was, is := strings.Split(before, "\n"), strings.Split(after, "\n")
	var diff strings.Builder
	for _, line := range was {
		if !slices.Contains(is, line) {
			diff.WriteString("- " + line + "\n")
		}
	}
	for _, line := range is {
		if !slices.Contains(was, line) {
			diff.WriteString("+ " + line + "\n")
		}
	}
	t.Errorf("after %s (-before +after):\n%s", what, diff.String())
}
