package lvs

import (
	"context"
	"strings"
	"testing"

	"github.com/golvs/lvs/internal/testbed"
)

// A host that was broken by other programs is found broken, and where.
func TestHostCheck(t *testing.T) {
	testbed.InKernel(t)
	ctx := context.Background()
	for _, c := range []struct {
		setup  string
		breaks map[string]string // a command, and the code of what it breaks
	}{
		{"DR director", map[string]string{
			"ip addr del 10.168.0.91/32 dev eth0":  "vip-missing",
			"ip link set lo down":                  "link-down",
			"ip route del 10.168.0.91/32 dev eth0": "alias-route",
		}},
		{"DR real server", map[string]string{
			"sysctl -w net.ipv4.conf.lo.arp_ignore=0":    "arp-flux",
			"sysctl -w net.ipv4.conf.all.arp_announce=0": "arp-flux",
			"ip addr del 10.168.0.91/32 dev lo":          "vip-missing",
			"ip addr add 10.168.0.91/24 dev lo":          "vip-mask",
		}},
		{"NAT director", map[string]string{
			"sysctl -w net.ipv4.ip_forward=0":               "forwarding-off",
			"sysctl -w net.ipv4.conf.eth0.send_redirects=1": "send-redirects",
			"ip addr del 192.168.0.11/24 dev eth1":          "vip-missing",
		}},
		{"NAT real server", map[string]string{
			"ip route replace default via 10.168.0.1": "return-route",
			"ip route del default":                    "return-route",
		}},
		{"IPIP real server", map[string]string{
			"ip link set tunl0 down":                    "tunnel-down",
			"sysctl -w net.ipv4.conf.tunl0.rp_filter=1": "rp-filter",
			"ip rule del priority 4004":                 "mtu",
			"ip addr del 10.168.0.91/32 dev tunl0":      "vip-missing",
		}},
		{"GUE real server", map[string]string{"ip fou del port 6080": "fou-missing"}},
		{"DR real server IPv6", map[string]string{"ip -6 addr del 2001:db8:1::91/128 dev lo": "vip-missing"}},
		{"NAT director IPv6", map[string]string{"sysctl -w net.ipv6.conf.all.forwarding=0": "forwarding-off"}},
	} {
		t.Run(c.setup, func(t *testing.T) {
			setup := mustSetup(t, caseOf(c.setup))
			for command, code := range c.breaks {
				ns, h := setupGround(t)
				loadModules(t, setup)
				plan, err := h.Plan(ctx, setup)
				if err == nil {
					err = h.Apply(ctx, plan)
				}
				if err != nil {
					t.Fatal(err)
				}
				if report, err := h.Check(ctx, setup); err != nil || len(report.Findings) != 0 {
					t.Fatalf("%v, on a healthy host: %v", err, report.Findings)
				}
				ns.Run(strings.Fields(command)[0], strings.Fields(command)[1:]...)
				report, err := h.Check(ctx, setup)
				found := false
				for _, f := range report.Findings {
					found = found || f.Code == code && len(f.Mend) > 0
				}
				if err != nil || !found {
					t.Errorf("%v, after %s: %v, want %s", err, command, report.Findings, code)
				}
			}
		})
	}
}
