//go:build !linux

package testbed

import "testing"

// InKernel skips the test: there is no IPVS here.
func InKernel(t testing.TB) {
	t.Helper()
	t.Skip("needs Linux")
}
