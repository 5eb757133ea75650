//go:build !linux

package conformance

import "testing"

// loadFTP has no kernel to load the module into.
func loadFTP(testing.TB, ...uint16) {}
