package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/golvs/lvs/internal/testbed"
)

// kernel returns a namespace of a real kernel, and what -netns calls it. Outside of a
// kernel the test is skipped.
func kernel(t *testing.T) (ns *testbed.Namespace, netns string) {
	t.Helper()
	testbed.InKernel(t)
	ns = testbed.New(t)
	return ns, fmt.Sprintf("/proc/self/fd/%d", ns.File.Fd())
}

func TestShowKernel(t *testing.T) {
	ns, netns := kernel(t)
	ns.Commands("ipvsadm -A -t 10.168.0.91:80 -s wrr")
	if got := run(t, "", "show", "-netns", netns); got.status != 0 || !strings.Contains(got.out, "10.168.0.91:80") {
		t.Error(got)
	}
}
