package lvs

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/golvs/lvs/internal/testbed"
)

// What is said of the kernel's parameters is so: all are known, those that must
// be there are, with their defaults.
func TestHostParameters(t *testing.T) {
	testbed.InKernel(t)
	ctx := context.Background()
	ns, h := setupGround(t)
	known := Parameters()
	for _, name := range strings.Fields(ns.Run("ls", "/proc/sys/net/ipv4/vs")) {
		if !slices.ContainsFunc(known, func(p Parameter) bool { return p.Key == SysctlKey("net.ipv4.vs."+name) }) {
			t.Errorf("the kernel has a parameter %s that we do not know", name)
		}
	}
	release, err := h.KernelRelease(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range known {
		value, err := h.SysctlInt(ctx, p.Key)
		has := p.Needs == ""
		if p.Since != "" {
			major, minor, _ := strings.Cut(p.Since, ".")
			has = !isBefore(release, number(t, major), number(t, minor))
		}
		switch {
		case !has || p.Text:
		case err != nil:
			t.Errorf("Linux %s: %s: %v", release, p.Key, err)
		case p.Default >= 0 && value != p.Default:
			t.Errorf("Linux %s: %s is %d, want %d", release, p.Key, value, p.Default)
		}
		if !has && p.Since != "" && !errors.Is(err, ErrNotFound) {
			t.Errorf("Linux %s has %s already: %v", release, p.Key, err)
		}
	}
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
