package roletest

import (
	"context"
	"os/exec"
	"regexp"
	"testing"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/examples/internal/role"
	"github.com/golvs/lvs/internal/testbed"
	"github.com/google/go-cmp/cmp"
)

// fleeting is what differs from one listing to the next.
var fleeting = regexp.MustCompile(`valid_lft .*|qdisc \S+|state \S+`)

// InKernel returns a host in a kernel with IPVS, which must be as before when the
// test ends. It has no IPv6, whose addresses come by themselves, and late.
func InKernel(t *testing.T, modules ...string) (*testbed.Namespace, role.Open) {
	t.Helper()
	testbed.InKernel(t)
	for _, m := range modules {
		if out, err := exec.Command("modprobe", m).CombinedOutput(); err != nil {
			t.Fatalf("modprobe %s: %v\n%s", m, err, out)
		}
	}
	ns := testbed.New(t)
	ns.Run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
	ns.NIC("eth0", Addresses["eth0"][0])
	ns.NIC("eth1", Addresses["eth1"][0])
	before := dump(ns)
	t.Cleanup(func() {
		if diff := cmp.Diff(before, dump(ns)); diff != "" {
			t.Errorf("the host before and after (-before +after):\n%s", diff)
		}
	})
	return ns, func(ctx context.Context) (*lvs.Host, error) {
		return lvs.OpenHost(ctx, lvs.InNamespaceFile(ns.File))
	}
}

func dump(ns *testbed.Namespace) string {
	return fleeting.ReplaceAllString(ns.Run("sh", "-c", "ip addr; ip route show table all; ip rule; ipvsadm -Sn; "+
		"cd /proc/sys/net/ipv4; grep '' ip_forward conf/*/arp_* conf/*/*_redirects conf/*/rp_filter"), "")
}
