package lvs

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// rulesIn are rules of a chain of the table filter of iptables.
func rulesIn(chain string, rules ...FirewallRule) []FirewallRule {
	for i := range rules {
		rules[i].Family, rules[i].Table, rules[i].Chain, rules[i].Legacy = "ip", "filter", chain, true
	}
	return rules
}

func chainAt(hook string, drops bool) FirewallChain {
	return FirewallChain{Family: "ip", Table: "filter", Name: strings.ToUpper(hook), Legacy: true, Hook: hook, Type: "filter", Drop: drops}
}

// policiesAt returns the chain of IPsec policies of a direction.
func policiesAt(direction string, drops bool) []FirewallChain {
	return []FirewallChain{{Family: "xfrm", Table: "policy", Name: direction, Hook: "xfrm-" + direction, Type: "filter", Drop: drops}}
}

func policyOf(direction string, rules ...FirewallRule) []FirewallRule {
	for i := range rules {
		rules[i].Family, rules[i].Table, rules[i].Chain, rules[i].Handle = "xfrm", "policy", direction, "dir "+direction
	}
	return rules
}

var (
	allowKnown   = FirewallRule{States: 2 | 4, Verdict: "accept"}
	allowWeb     = FirewallRule{Protocol: 6, ToPorts: [][2]uint16{{80, 80}}, Verdict: "accept"}
	allowLo      = FirewallRule{In: "lo", Verdict: "accept"}
	dropInvalid  = FirewallRule{States: 1, Verdict: "drop"}
	dropHalfOpen = FirewallRule{Protocol: 6, Segments: "later", States: 8, Verdict: "drop"}
	rejectAll    = FirewallRule{Verdict: "reject"}
)

// A firewall that drops packets of a service is found; one that lets them pass is not. If
// its effect is not known, it is listed as unchecked.
func TestCheckFirewall(t *testing.T) {
	far := netip.MustParseAddr("203.0.113.7")
	from := func(p string) []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix(p)} }
	jump := func(to string) FirewallRule { return FirewallRule{Verdict: "jump", Target: to} }
	input, forward := chainAt("input", false), chainAt("forward", false)
	for _, c := range []struct {
		name     string
		mode     Mode
		tracks   string // vs.conntrack
		onServer bool
		chains   []FirewallChain
		rules    []FirewallRule
		want     string // "firewall" if found, "unchecked", or "" for neither
	}{
		{name: "nothing", want: ""},
		{name: "ordinary", chains: []FirewallChain{input}, rules: rulesIn("INPUT", allowLo, allowKnown, dropInvalid, allowWeb, rejectAll)},
		{name: "ordinary by policy", chains: []FirewallChain{chainAt("input", true)}, rules: rulesIn("INPUT", allowKnown, allowWeb)},
		{name: "policy", chains: []FirewallChain{chainAt("input", true)}, want: "firewall"},
		{name: "policy, for known ones", chains: []FirewallChain{chainAt("input", true)}, rules: rulesIn("INPUT", allowKnown), want: "firewall"},
		{name: "reject", chains: []FirewallChain{input}, rules: rulesIn("INPUT", allowLo, rejectAll), want: "firewall"},
		{name: "other port", chains: []FirewallChain{input}, rules: rulesIn("INPUT", FirewallRule{Protocol: 6, ToPorts: [][2]uint16{{22, 22}}, Verdict: "drop"})},
		{name: "other protocol", chains: []FirewallChain{input}, rules: rulesIn("INPUT", FirewallRule{Protocol: 17, Verdict: "drop"})},
		{name: "other interface", chains: []FirewallChain{input}, rules: rulesIn("INPUT", FirewallRule{In: "docker+", Verdict: "drop"})},
		{name: "all but lo", chains: []FirewallChain{input}, rules: rulesIn("INPUT", FirewallRule{NotIn: "lo", Verdict: "drop"}), want: "firewall"},
		{name: "all but the interface", chains: []FirewallChain{input}, rules: rulesIn("INPUT", FirewallRule{NotIn: "eth0", Verdict: "drop"})},
		{name: "a client", chains: []FirewallChain{input}, rules: rulesIn("INPUT", FirewallRule{From: from("203.0.113.0/24"), Verdict: "drop"}), want: "firewall"},
		{name: "all but clients", chains: []FirewallChain{input}, rules: rulesIn("INPUT", FirewallRule{NotFrom: from("198.51.100.0/24"), Verdict: "drop"}), want: "firewall"},
		{name: "others than known clients", chains: []FirewallChain{input}, rules: rulesIn("INPUT", FirewallRule{From: from("198.51.100.0/24"), Verdict: "drop"}), want: "unchecked"},
		{name: "what is not said", chains: []FirewallChain{input}, rules: rulesIn("INPUT", FirewallRule{Partial: true, Verdict: "drop"}), want: "unchecked"},
		{name: "let pass by what is not said", chains: []FirewallChain{input}, rules: rulesIn("INPUT", FirewallRule{Partial: true, Verdict: "accept"}, rejectAll), want: "unchecked"},
		{name: "logged by what is not said", chains: []FirewallChain{input}, rules: rulesIn("INPUT", FirewallRule{Partial: true}, rejectAll), want: "firewall"},
		{name: "a queue", chains: []FirewallChain{input}, rules: rulesIn("INPUT", FirewallRule{Verdict: "other"}), want: "unchecked"},
		{name: "ufw", chains: []FirewallChain{chainAt("input", true), {Family: "ip", Table: "filter", Name: "not-local", Legacy: true}},
			rules: append(rulesIn("INPUT", allowLo, allowKnown, jump("not-local"), allowWeb), rulesIn("not-local",
				FirewallRule{ToLocal: "local", Verdict: "return"}, FirewallRule{States: 16, Verdict: "return"}, FirewallRule{Verdict: "drop"})...)},
		{name: "jump and drop", chains: []FirewallChain{input}, rules: append(rulesIn("INPUT", jump("deny")), rulesIn("deny", rejectAll)...), want: "firewall"},
		{name: "maybe a jump, surely a drop", chains: []FirewallChain{input}, rules: append(rulesIn("INPUT", FirewallRule{Partial: true, Verdict: "jump", Target: "log"}, rejectAll), rulesIn("log", FirewallRule{})...), want: "firewall"},
		{name: "goto and back", chains: []FirewallChain{input}, rules: append(rulesIn("INPUT", FirewallRule{Verdict: "goto", Target: "web"}, rejectAll), rulesIn("web")...)},
		{name: "mark and drop", chains: []FirewallChain{input}, rules: rulesIn("INPUT", FirewallRule{Verdict: "mark", SetMark: 5}, FirewallRule{Mark: 5, Mask: 0xff, Verdict: "drop"}), want: "firewall"},
		{name: "another mark", chains: []FirewallChain{input}, rules: rulesIn("INPUT", FirewallRule{Mark: 5, Mask: 0xff, Verdict: "drop"})},
		{name: "later packets are new ones to IPVS", chains: []FirewallChain{input}, rules: rulesIn("INPUT", dropHalfOpen), want: "firewall"},
		{name: "later packets, tracked", mode: NAT(), tracks: "1", chains: []FirewallChain{input}, rules: rulesIn("INPUT", allowKnown, dropHalfOpen), want: "unchecked"},
		{name: "redirect", chains: []FirewallChain{{Family: "ip", Table: "nat", Name: "PREROUTING", Legacy: true, Hook: "prerouting", Type: "nat", Priority: -100}},
			rules: []FirewallRule{{Family: "ip", Table: "nat", Chain: "PREROUTING", Legacy: true, Protocol: 6, Verdict: "redirect"}}, want: "firewall"},
		{name: "dropped at the interface", chains: []FirewallChain{{Family: "tc", Table: "eth0", Name: "ingress", Hook: "ingress", Device: "eth0", Type: "filter"}},
			rules: []FirewallRule{{Family: "tc", Table: "eth0", Chain: "ingress", Verdict: "drop"}}, want: "firewall"},
		{name: "forward", chains: []FirewallChain{chainAt("forward", true)}},
		{name: "forward of NAT", mode: NAT(), chains: []FirewallChain{chainAt("forward", true)}, want: "firewall"},
		{name: "forward of NAT for known ones", mode: NAT(), chains: []FirewallChain{chainAt("forward", true)}, rules: rulesIn("FORWARD", allowKnown), want: "firewall"},
		{name: "forward of NAT for known ones, tracked", mode: NAT(), tracks: "1", chains: []FirewallChain{chainAt("forward", true)}, rules: rulesIn("FORWARD", allowKnown)},
		{name: "forward of NAT without invalid ones", mode: NAT(), chains: []FirewallChain{forward}, rules: rulesIn("FORWARD", dropInvalid), want: "firewall"},
		{name: "output", chains: []FirewallChain{chainAt("output", true)}, rules: rulesIn("OUTPUT", FirewallRule{States: 2 | 8, Verdict: "accept"}), want: "firewall"},
		{name: "server, ordinary", onServer: true, chains: []FirewallChain{input, chainAt("output", true)}, rules: append(rulesIn("INPUT", allowKnown, dropInvalid, dropHalfOpen, allowWeb, rejectAll), rulesIn("OUTPUT", allowKnown)...)},
		{name: "server", onServer: true, chains: []FirewallChain{input}, rules: rulesIn("INPUT", allowKnown, rejectAll), want: "firewall"},
		{name: "server's answers", onServer: true, chains: []FirewallChain{chainAt("output", true)}, want: "firewall"},
		{name: "server's tunnel", mode: IPIP(), onServer: true, chains: []FirewallChain{chainAt("input", true)}, rules: rulesIn("INPUT", allowKnown, allowWeb), want: "firewall"},
		{name: "server's tunnel, let pass", mode: IPIP(), onServer: true, chains: []FirewallChain{chainAt("input", true)}, rules: rulesIn("INPUT", allowKnown, allowWeb, FirewallRule{Protocol: 4, Verdict: "accept"})},
		{name: "server's policy", onServer: true, chains: policiesAt("in", false), rules: policyOf("in", FirewallRule{To: from("10.168.0.91/32"), Verdict: "drop"}), want: "firewall"},
		{name: "server's policy, let pass before", onServer: true, chains: policiesAt("in", false), rules: policyOf("in", FirewallRule{Protocol: 6, Verdict: "accept"}, FirewallRule{Verdict: "drop"})},
		{name: "server's policy for others", onServer: true, chains: policiesAt("in", false), rules: policyOf("in", FirewallRule{To: from("10.168.0.94/32"), Verdict: "drop"})},
		{name: "server's policy for what comes by IPsec", onServer: true, chains: policiesAt("in", false), rules: policyOf("in", FirewallRule{Verdict: "encrypted"}), want: "firewall"},
		{name: "server's default", onServer: true, chains: policiesAt("in", true), want: "firewall"},
		{name: "server's policy for answers", onServer: true, chains: policiesAt("out", false), rules: policyOf("out", FirewallRule{From: from("10.168.0.91/32"), Verdict: "drop"}), want: "firewall"},
		{name: "server's answers by IPsec", onServer: true, chains: policiesAt("out", false), rules: policyOf("out", FirewallRule{Verdict: "other"}), want: "unchecked"},
		{name: "director's policy, which IPVS does not ask", chains: policiesAt("in", true)},
		{name: "director's policy for what leaves, which IPVS does not ask", chains: policiesAt("out", true)},
		{name: "director's policy for answers of NAT", mode: NAT(), chains: policiesAt("fwd", false), rules: policyOf("fwd", FirewallRule{From: from("10.168.0.0/24"), Verdict: "drop"}), want: "firewall"},
		{name: "director's policy for answers of NAT that leave", mode: NAT(), chains: policiesAt("out", false), rules: policyOf("out", FirewallRule{From: from("10.168.0.91/32"), Verdict: "drop"}), want: "firewall"},
		{name: "inside the server's tunnel", mode: IPIP(), onServer: true, chains: []FirewallChain{input}, rules: rulesIn("INPUT", FirewallRule{In: "tunl0", Verdict: "drop"}), want: "firewall"},
	} {
		t.Run(c.name, func(t *testing.T) {
			director, server := firewallGround(t, c.mode, c.tracks)
			director.Clients = []netip.Addr{far}
			at := &director
			if c.onServer {
				at = &server
			}
			at.Chains, at.FirewallRules = c.chains, c.rules
			report := judgeHosts(director, nil, nil, []HostState{server})
			got := ""
			if i := slices.IndexFunc(report.Findings, func(f Finding) bool { return f.Code == FindingFirewall }); i >= 0 {
				got = "firewall"
				if len(report.Findings[i].Commands) == 0 {
					t.Errorf("%s: no command", report.Findings[i])
				}
			} else if slices.ContainsFunc(report.Unchecked, func(f Finding) bool { return f.Code == FindingFirewall }) {
				got = "unchecked"
			}
			if got != c.want {
				t.Errorf("got %q, want %q: %v %v", got, c.want, report.Findings, report.Unchecked)
			}
		})
	}
}

// firewallGround returns the states of a director and a real server that work.
func firewallGround(t *testing.T, mode Mode, tracks string) (director, server HostState) {
	t.Helper()
	_, d := peerHost(t, 90)
	_, s := peerHost(t, 94)
	web := TCP(netip.AddrPortFrom(vip4, 80))
	must(t, d.Client().Do(context.Background(), AddService(Service{ID: web, Scheduler: RR}),
		AddRealServer(web, NewRealServer(netip.AddrPortFrom(local4, 80), mode))))
	if tracks != "" {
		makeSo(t, d, Sysctl{SysctlConntrack, tracks})
	}
	makeSo(t, d, vipAddress(vip4, "eth0", ""))
	switch mode {
	case DR():
		setUp(t, s, mustOf(t, DRRealServer{VIP: vip4}.Setup), nil)
	case IPIP():
		setUp(t, s, mustOf(t, TunnelRealServer{VIP: vip4, Mode: IPIP(), Local: local4}.Setup), nil)
	}
	director, server = resourcesOfHost(t, d, "director"), resourcesOfHost(t, s, "server")
	server.Listeners = []Listener{{Protocol: ProtocolTCP, Addr: netip.MustParseAddrPort("0.0.0.0:80")}}
	return director, server
}

func mustOf(t *testing.T, setup func() (Setup, error)) Setup {
	t.Helper()
	s, err := setup()
	must(t, err)
	return s
}

// What lets packets pass is inserted before the rule that drops them.
func TestCheckFirewallCommands(t *testing.T) {
	web := firewallPacket{to: netip.AddrPortFrom(vip4, 80), protocol: 6}
	for _, c := range []struct {
		chain FirewallChain
		p     firewallPacket
		want  string
	}{
		{chainAt("input", false), web, "iptables-legacy -t filter -I INPUT -p tcp -d 10.168.0.91 --dport 80 -j ACCEPT"},
		{FirewallChain{Family: "inet", Table: "f", Name: "in"}, web, "nft insert rule inet f in ip daddr 10.168.0.91 tcp dport 80 accept"},
		{FirewallChain{Family: "inet", Table: "f", Name: "in"}, firewallPacket{to: netip.AddrPortFrom(local4, 0), protocol: 4}, "nft insert rule inet f in ip daddr 10.168.0.94 meta l4proto 4 accept"},
		{FirewallChain{Family: "tc", Table: "eth0", Name: "ingress", Hook: "ingress", Device: "eth0"}, web, "tc filter add dev eth0 ingress pref 1 protocol ip flower ip_proto tcp dst_ip 10.168.0.91 dst_port 80 action pass"},
		{chainAt("forward", false), firewallPacket{from: netip.AddrPortFrom(local4, 8080), protocol: 6}, "iptables-legacy -t filter -I FORWARD -p tcp -s 10.168.0.94 --sport 8080 -j ACCEPT"},
	} {
		if got := (firewallStop{chain: c.chain}).allowCommand(c.p); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
	for _, c := range []struct {
		chain FirewallChain
		rule  *FirewallRule
		want  string
	}{
		{FirewallChain{Family: "tc", Table: "eth0", Name: "parent 1:", Hook: "egress", Device: "eth0"},
			&FirewallRule{Handle: "pref 49152 protocol all handle 0x1 matchall"}, "tc filter del dev eth0 parent 1: pref 49152 protocol all handle 0x1 matchall"},
		{FirewallChain{Family: "xfrm", Table: "policy", Name: "in", Hook: "xfrm-in"},
			&FirewallRule{Handle: "src 0.0.0.0/0 dst 10.168.0.91/32 dir in"}, "ip xfrm policy delete src 0.0.0.0/0 dst 10.168.0.91/32 dir in"},
		{FirewallChain{Family: "xfrm", Table: "policy", Name: "fwd", Hook: "xfrm-fwd"}, nil, "ip xfrm policy setdefault fwd accept"},
	} {
		if got := (firewallStop{c.chain, c.rule}).allowCommand(web); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
	rule := FirewallRule{Family: "tc", Table: "eth0", Chain: "ingress", To: []netip.Prefix{hostPrefix(vip4)}, Verdict: "mark", SetMark: 1}
	if got, want := rule.markCommand(2), "tc filter add dev eth0 ingress pref 1 protocol ip flower dst_ip 10.168.0.91 action skbedit mark 2"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
