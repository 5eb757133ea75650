package lvs

import (
	"context"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/golvs/lvs/internal/testbed"
)

// Firewall rules are read as they were written.
func TestFactsFirewall(t *testing.T) {
	testbed.InKernel(t)
	networks := func(all ...string) (p []netip.Prefix) {
		for _, one := range all {
			p = append(p, netip.MustParsePrefix(one))
		}
		return p
	}
	port := func(n uint16) [][2]uint16 { return [][2]uint16{{n, n}} }
	const tcp = 6
	for _, c := range []struct {
		needs, command string
		want           []FirewallRule // except for where they are
	}{
		{"tc", "tc qdisc add dev eth0 clsact; tc filter add dev eth0 ingress protocol ip matchall action drop",
			[]FirewallRule{{From: networks("0.0.0.0/0"), Verdict: "drop"}}},
		{"tc", "tc qdisc add dev eth0 clsact; tc filter add dev eth0 egress protocol ip flower dst_ip 10.1.0.100 ip_proto tcp dst_port 80 action skbedit mark 7",
			[]FirewallRule{
				{From: networks("0.0.0.0/0"), To: networks("10.1.0.100/32"), Protocol: tcp, ToPorts: port(80), Verdict: "mark", SetMark: 7},
				{From: networks("0.0.0.0/0"), To: networks("10.1.0.100/32"), Protocol: tcp, ToPorts: port(80), Verdict: "accept"},
			}},
		{"tc", "tc qdisc add dev eth0 ingress; tc filter add dev eth0 parent ffff: protocol ip u32 match ip src 10.2.0.0/16 match ip dport 80 0xffff action drop",
			[]FirewallRule{{From: networks("10.2.0.0/16"), ToPorts: port(80), Verdict: "drop"}}},
		{"tc", "tc qdisc add dev eth0 root handle 1: prio; tc filter add dev eth0 parent 1: protocol all u32 match u32 0 0 action drop",
			[]FirewallRule{{Verdict: "drop"}, {Verdict: "drop"}}}, // of ARP too
		{"tc", "tc qdisc add dev eth0 clsact; tc filter add dev eth0 ingress protocol arp u32 match u32 0x100 0xff00 at 4 action drop",
			[]FirewallRule{{Partial: true, Verdict: "drop"}}},
		{"xfrm", "ip xfrm policy add dir in src 10.2.0.0/16 dst 0.0.0.0/0 proto tcp dport 80 action block priority 7 mark 5 mask 255; " +
			"ip -6 xfrm policy add dir in src ::/0 dst 2001:db8::/32 tmpl proto esp priority 3; ip xfrm policy add dir fwd src 0.0.0.0/0 dst 0.0.0.0/0",
			[]FirewallRule{
				{From: networks("::/0"), To: networks("2001:db8::/32"), Verdict: "encrypted"},
				{From: networks("10.2.0.0/16"), To: networks("0.0.0.0/0"), Protocol: tcp, ToPorts: port(80), Mark: 5, Mask: 255, Verdict: "drop"},
				{From: networks("0.0.0.0/0"), To: networks("0.0.0.0/0"), Verdict: "accept"},
			}},
		{"iptables", "iptables-legacy -A INPUT ! -i lo ! -s 10.0.0.0/8 -p tcp ! --syn -m conntrack --ctstate NEW,DNAT -j DROP",
			[]FirewallRule{{NotIn: "lo", NotFrom: networks("10.0.0.0/8"), Protocol: tcp, Segments: "later", States: 8 | 128, Verdict: "drop"}}},
		{"iptables", "iptables-legacy -A INPUT -p tcp --syn -m addrtype --dst-type LOCAL -m conntrack --ctstate UNTRACKED -j ACCEPT",
			[]FirewallRule{{Protocol: tcp, Segments: "first", ToLocal: "local", States: 64, Verdict: "accept"}}},
		{"iptables", "iptables-legacy -A INPUT -m addrtype --dst-type BROADCAST -j DROP",
			[]FirewallRule{{States: 16, Verdict: "drop"}}},
		{"iptables", "iptables-legacy -A INPUT -m state --state ESTABLISHED,RELATED -j ACCEPT",
			[]FirewallRule{{States: 2 | 4, Verdict: "accept"}}},
		{"iptables", "iptables-legacy -t nat -A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 8080",
			[]FirewallRule{{Protocol: tcp, ToPorts: port(80), Verdict: "redirect", ToPort: 8080}}},
		{"nft", "nft add table inet f; nft add chain inet f c '{ type filter hook input priority 0; }'; " +
			"nft add rule inet f c iifname != lo ip saddr != 10.0.0.0/8 tcp flags '&' '(syn|ack|rst)' != syn ct state new drop",
			[]FirewallRule{{NotIn: "lo", From: networks("0.0.0.0/0"), NotFrom: networks("10.0.0.0/8"), Protocol: tcp, Segments: "later", States: 8, Verdict: "drop"}}},
		{"nft", "nft add table ip f; nft add chain ip f c '{ type filter hook input priority 0; }'; " +
			"nft add rule ip f c fib daddr type local ct status dnat accept; nft add table ip f '{ flags dormant; }'", nil},
		{"nft", "nft add table ip f; nft add chain ip f c '{ type filter hook input priority 0; }'; " +
			"nft add rule ip f c fib daddr type local ct status dnat accept",
			[]FirewallRule{{ToLocal: "local", States: 128, Verdict: "accept"}}},
	} {
		t.Run(c.command, func(t *testing.T) {
			ns, h := setupGround(t)
			works := ns.Do(func() error { return firewallWorks(c.needs) })
			if works != nil {
				t.Logf("%s does not work in this kernel: %v", c.needs, works)
				return
			}
			ns.Run("sh", "-c", c.command)
			state, err := h.State(context.Background())
			if err != nil || len(state.Unread) > 0 {
				t.Fatalf("%v, unread %v", err, state.Unread)
			}
			var got []FirewallRule
			chains := make(map[string]bool)
			for _, chain := range state.Chains {
				chains[chain.Family+chain.Table+chain.Name] = true
			}
			for _, r := range state.FirewallRules {
				if !chains[r.Family+r.Table+r.Chain] {
					continue
				}
				r.Family, r.Table, r.Chain, r.Legacy, r.Handle = "", "", "", false, ""
				got = append(got, r)
			}
			if diff := cmp.Diff(c.want, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// firewallWorks reports whether a firewall program works in this kernel.
func firewallWorks(program string) error {
	command := map[string]string{
		"iptables": "iptables-legacy -t filter -L", "nft": "nft list ruleset && nft add table ip try && nft delete table ip try",
		"xfrm": "ip xfrm policy",
		"tc":   "tc qdisc add dev lo clsact && tc filter add dev lo ingress matchall action drop && tc qdisc del dev lo clsact",
	}[program]
	if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}
