package main

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/golvs/lvs"
	"github.com/google/go-cmp/cmp"
)

// site returns a simulated host, which is opened without -demo, and its simulator.
func site(t *testing.T, modules ...string) (context.Context, *lvs.Simulator) {
	t.Helper()
	sim, err := lvs.NewSimulator(lvs.SimOptions{Interfaces: []lvs.SimInterface{
		{Name: "eth0", Addresses: []netip.Prefix{netip.MustParsePrefix("10.168.0.90/24"), netip.MustParsePrefix("2001:db8::90/64")}},
		{Name: "eth1", Addresses: []netip.Prefix{netip.MustParsePrefix("192.168.0.11/24")}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range modules {
		sim.LoadModule(m)
	}
	return lvs.WithSimulators(t.Context(), map[string]*lvs.Simulator{"": sim, "web": sim}), sim
}

// noHost is where no host can be opened.
func noHost(t *testing.T) context.Context {
	return lvs.WithSimulators(t.Context(), nil)
}

// setupCase is a set-up, and the commands of its plan on a host that has nothing of it.
type setupCase struct{ args, want string }

const (
	silent = `
sysctl -w net.ipv4.conf.all.arp_ignore=1
sysctl -w net.ipv4.conf.all.arp_announce=2
ip addr add 10.168.0.91/32 broadcast 10.168.0.91 dev `
	forwarding = `
sysctl -w net.ipv4.ip_forward=1
sysctl -w net.ipv4.conf.all.send_redirects=0
sysctl -w net.ipv4.conf.default.send_redirects=0
sysctl -w net.ipv4.conf.eth1.send_redirects=0
sysctl -w net.ipv4.conf.eth0.send_redirects=0`
)

var setupCases = []setupCase{
	{"dr-director -vip 10.168.0.91 -interface eth0 -forward", `
sysctl -w net.ipv4.ip_forward=1
ip addr add 10.168.0.91/32 broadcast 10.168.0.91 dev eth0 label eth0:0
ip route replace 10.168.0.91/32 dev eth0`},
	{"dr-director -vip 2001:db8::91 -interface eth0", `
ip -6 addr add 2001:db8::91/128 dev eth0 preferred_lft 0`},
	{"dr-director -vip 10.168.0.91 -interface eth0 -mark 7=tcp:80 -label eth0:web", `
ip addr add 10.168.0.91/32 broadcast 10.168.0.91 dev eth0 label eth0:web
ip route replace 10.168.0.91/32 dev eth0
nft 'table ip lvs_mark_7_to_10_168_0_91_32_proto_tcp_port_80 { chain prerouting { type filter hook prerouting priority -150; ip daddr 10.168.0.91/32 tcp dport 80 meta mark set 7; }; }'`},
	{"dr-director -vip 10.168.0.91 -interface eth0 -checks eth0", `
ip addr add 10.168.0.91/32 broadcast 10.168.0.91 dev eth0 label eth0:0
ip route replace 10.168.0.91/32 dev eth0
sysctl -w net.ipv4.conf.eth0.accept_local=1`},
	{"dr-server -vip 10.168.0.91", `
sysctl -w net.ipv4.conf.lo.arp_ignore=1
sysctl -w net.ipv4.conf.lo.arp_announce=2` + silent + `lo label lo:0
ip route replace 10.168.0.91/32 dev lo`},
	{"dr-server -vip 2001:db8::91", `
ip -6 addr add 2001:db8::91/128 dev lo preferred_lft 0`},
	{"nat-director -vip 192.168.0.12 -interface eth1 -inside eth0 -network 10.168.0.0/24 -masquerade", forwarding + `
ip addr add 192.168.0.12/32 dev eth1
nft 'table ip lvs_nat_from_10_168_0_0_24 { chain postrouting { type nat hook postrouting priority 100; ip saddr 10.168.0.0/24 masquerade; }; }'`},
	{"nat-director -vip 192.168.0.12 -interface eth1 -inside eth0 -network 10.168.0.0/24 -fullnat", forwarding + `
ip addr add 192.168.0.12/32 dev eth1
sysctl -w net.ipv4.vs.conntrack=1
nft 'table ip lvs_nat_to_10_168_0_0_24_vip_192_168_0_12 { chain postrouting { type nat hook postrouting priority 100; ip daddr 10.168.0.0/24 ct original ip daddr 192.168.0.12 masquerade; }; }'`},
	{"nat-director -vip 2001:db8::91 -interface eth0 -network 2001:db8::/64", `
sysctl -w net.ipv6.conf.all.forwarding=1
ip -6 addr add 2001:db8::91/128 dev eth0 preferred_lft 0`},
	{"nat-server -director 10.168.0.91", `
ip route replace default via 10.168.0.91`},
	{"nat-server -director 10.168.0.91 -clients 192.0.2.0/24 -clients 198.51.100.0/24", `
ip route replace 192.0.2.0/24 via 10.168.0.91
ip route replace 198.51.100.0/24 via 10.168.0.91`},
	{"tun-director -vip 10.168.0.91 -interface eth0 -server 10.20.0.94 -server 10.20.0.95 -via 10.168.0.1", `
ip addr add 10.168.0.91/32 broadcast 10.168.0.91 dev eth0 label eth0:0
ip route replace 10.168.0.91/32 dev eth0
ip route replace 10.20.0.94/32 via 10.168.0.1
ip route replace 10.20.0.95/32 via 10.168.0.1`},
	{"tun-server -vip 10.168.0.91 -mode gue:6080 -local 10.168.0.90 -mss 1400 -gateway 10.168.0.1 -interface eth0", `
ip fou add port 6080 gue
ip link set dev tunl0 up
sysctl -w net.ipv4.conf.tunl0.rp_filter=2
sysctl -w net.ipv4.conf.tunl0.arp_ignore=1
sysctl -w net.ipv4.conf.tunl0.arp_announce=2` + silent + `tunl0
ip route replace default via 10.168.0.1 dev eth0 table 4004 advmss 1400
ip rule add from 10.168.0.91/32 lookup 4004 priority 4004`},
	{"tun-server -vip 10.168.0.91 -mode ipip -local 10.168.0.90", `
ip link set dev tunl0 up
sysctl -w net.ipv4.conf.tunl0.rp_filter=2
sysctl -w net.ipv4.conf.tunl0.arp_ignore=1
sysctl -w net.ipv4.conf.tunl0.arp_announce=2` + silent + `tunl0`},
	{"tun-server -vip 2001:db8::91 -mode gre -local 10.168.0.90", `
ip link set dev gre0 up
ip -6 addr add 2001:db8::91/128 dev gre0 preferred_lft 0`},
	{"tun-server -vip 10.168.0.91 -mode ipip -local 2001:db8::90", `
ip link add name lvs-tun6 type ip6tnl mode any local 2001:db8::90 && ip link set dev lvs-tun6 up
sysctl -w net.ipv4.conf.lvs-tun6.rp_filter=2
sysctl -w net.ipv4.conf.lvs-tun6.arp_ignore=1
sysctl -w net.ipv4.conf.lvs-tun6.arp_announce=2` + silent + `lvs-tun6`},
}

var tunnelModules = []string{"ipip", "fou", "ip_gre", "ip6_tunnel"}

var comment = regexp.MustCompile(`(?m)  # .*$|^#.*\n`)

// Each set-up is planned, applied twice, checked and undone: in the end all is as before.
func TestSetup(t *testing.T) {
	for _, test := range setupCases {
		t.Run(test.args, func(t *testing.T) {
			ctx, _ := site(t, tunnelModules...)
			before := cycle(t, ctx, strings.Fields(test.args)...)
			if diff := cmp.Diff(strings.TrimSpace(test.want), strings.TrimSpace(comment.ReplaceAllString(before, ""))); diff != "" {
				t.Errorf("the plan (-want +got):\n%s", diff)
			}
		})
	}
}

// cycle sets a host up, and undoes that. It returns the plan.
func cycle(t *testing.T, ctx context.Context, args ...string) (plan string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "new", "plan.json")
	args = append([]string{"setup"}, append(args, "-plan", file)...)
	expect := func(status int, action string) string {
		t.Helper()
		got := runWith(ctx, "", append(args, action)...)
		if got.status != status {
			t.Fatalf("want status %d: %s", status, got)
		}
		return got.out
	}
	plan = expect(0, "plan")
	missing := findings(t, ctx, args)
	if missing == "" {
		t.Errorf("check finds nothing before apply")
	}
	expect(2, "apply")
	if left := findings(t, ctx, args); left != "" {
		t.Errorf("check after apply finds\n%s", left)
	}
	expect(0, "apply")
	if todo := comment.ReplaceAllString(expect(0, "plan"), ""); todo != "" {
		t.Errorf("after apply there is still to do:\n%s", todo)
	}
	if said := expect(2, "undo"); comment.ReplaceAllString(said, "") != "" {
		t.Errorf("undo says\n%s", said)
	}
	if diff := cmp.Diff(plan, expect(0, "plan")); diff != "" {
		t.Errorf("the plan before and after (-before +after):\n%s", diff)
	}
	if _, err := os.Stat(file); err == nil {
		t.Errorf("undo left the plan")
	}
	expect(1, "undo") // twice
	return plan
}

// findings returns what check finds, but for services, which a set-up has not.
func findings(t *testing.T, ctx context.Context, args []string) (found string) {
	t.Helper()
	got := runWith(ctx, "", append(args, "check")...)
	for part := range strings.SplitSeq(got.out, "\n\n") {
		isFinding := strings.HasPrefix(part, "broken") || strings.HasPrefix(part, "risk")
		if isFinding && !strings.Contains(part, "no-service") {
			found += part + "\n"
		}
	}
	if got.status == 1 {
		t.Fatal(got)
	}
	return found
}
