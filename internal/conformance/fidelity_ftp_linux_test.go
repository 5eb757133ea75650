package conformance

import (
	"fmt"
	"strings"
	"testing"

	"github.com/golvs/lvs/internal/testbed"
)

// loadFTP loads the helper for FTP into the kernel under test, until the test ends.
func loadFTP(t testing.TB, ports ...uint16) {
	t.Helper()
	if !testbed.Inside() {
		return
	}
	list := strings.Trim(strings.ReplaceAll(fmt.Sprint(ports), " ", ","), "[]")
	testbed.LoadModule(t, "ip_vs_ftp", "ports="+list)
}
