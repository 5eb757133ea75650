package lvs

import (
	"cmp"
	"context"
	"net/netip"
	"testing"
)

// wayLab is a director with clients behind a router on eth0 and servers on eth1.
func wayLab(t *testing.T, more ...Resource) *simLab {
	t.Helper()
	return wayLabOf(t, nil, SimOptions{}, more...)
}

// wayLabOf is wayLab with other MTUs and options.
func wayLabOf(t *testing.T, mtu map[string]int, o SimOptions, more ...Resource) *simLab {
	t.Helper()
	o.Interfaces = []SimInterface{
		{Name: "eth0", MTU: mtu["eth0"], Addresses: prefixesOf("10.1.0.1/24", "10.1.0.9/32", "fd00:1::1/64")},
		{Name: "eth1", MTU: mtu["eth1"], Addresses: prefixesOf("10.2.0.254/24", "fd00:2::fe/64")},
	}
	l := newSimLab(t, o)
	route := func(to, via, iface string) Resource {
		return Route{To: netip.MustParsePrefix(to), Via: netip.MustParseAddr(via), Interface: iface}
	}
	state := append([]Resource{
		route("10.9.0.0/16", "10.1.0.254", "eth0"), route("fd00:9::/64", "fd00:1::fe", "eth0"), route("10.3.0.0/24", "10.2.0.1", "eth1"),
	}, more...)
	for _, f := range state {
		must(t, l.Host().put(f))
	}
	return l
}

// wayCase is a client's packet on a network, and what happens to it.
type wayCase struct {
	from, vip, server string
	mode              Mode
	state             []Resource
	action            Action
	reason            Reason
}

// wayCases are on the network of wayLab.
var wayCases = map[string]wayCase{
	"on the link":              {server: "10.2.0.1:80", mode: DR(), action: ActionForwarded, reason: ReasonScheduled},
	"direct, behind a router":  {server: "10.3.0.1:80", mode: DR(), action: ActionDropped, reason: ReasonNotOnLink},
	"nat, behind a router":     {server: "10.3.0.1:80", mode: NAT(), action: ActionForwarded, reason: ReasonScheduled},
	"tunnel, behind a router":  {server: "10.3.0.1:80", mode: IPIP(), action: ActionForwarded, reason: ReasonScheduled},
	"direct, no route":         {server: "10.4.0.1:80", mode: DR(), action: ActionRefused, reason: ReasonNoRoute},
	"nat, no route":            {server: "10.4.0.1:80", mode: NAT(), action: ActionRefused, reason: ReasonNoRoute},
	"tunnel, no route":         {server: "10.4.0.1:80", mode: IPIP(), action: ActionRefused, reason: ReasonNoRoute},
	"nat to loopback":          {server: "127.0.0.1:8080", mode: NAT(), action: ActionDropped, reason: ReasonLoopback},
	"direct to loopback":       {server: "127.0.0.1:80", mode: DR(), action: ActionForwarded, reason: ReasonScheduled},
	"nat to IPv6's loopback":   {from: "[fd00:9::1]:1000", vip: "[fd00:1::1]:80", server: "[::1]:8080", mode: NAT(), action: ActionDropped, reason: ReasonLoopback},
	"the director is a server": {server: "10.2.0.254:8080", mode: NAT(), action: ActionForwarded, reason: ReasonScheduled},
	"IPv6 without a route":     {from: "[fd00:9::1]:1000", vip: "[fd00:1::1]:80", server: "[fd00:4::1]:80", mode: DR(), action: ActionRefused, reason: ReasonNoRoute},
	"a VIP that no host has":   {vip: "10.7.0.1:80", server: "10.2.0.1:80", mode: DR(), action: ActionPassed, reason: ReasonNotLocal},
	"a VIP on loopback":        {vip: "127.0.0.1:80", server: "10.2.0.1:80", mode: DR(), action: ActionDropped, reason: ReasonLoopback},
	"the director's own client of loopback": {
		from: "127.0.0.1:1000", vip: "127.0.0.1:80", server: "10.2.0.1:80", mode: NAT(), action: ActionDropped, reason: ReasonLoopback,
	},
	"the director's own client":              {from: "10.1.0.9:1000", server: "10.2.0.1:80", mode: DR(), action: ActionForwarded, reason: ReasonScheduled},
	"the director's own client and loopback": {from: "127.0.0.1:1000", vip: "127.0.0.1:80", server: "127.0.0.1:8080", mode: NAT(), action: ActionForwarded, reason: ReasonScheduled},
	"the link is down":                       {server: "10.2.0.1:80", mode: DR(), state: []Resource{Link{Name: "eth1"}}, action: ActionRefused, reason: ReasonNoRoute},
	"a VIP on a link that is down":           {server: "10.2.0.1:80", mode: DR(), state: []Resource{Link{Name: "eth0"}}, action: ActionForwarded, reason: ReasonScheduled},
	"a VIP that is a local route": {
		vip: "10.7.0.1:80", server: "10.2.0.1:80", mode: DR(), action: ActionForwarded, reason: ReasonScheduled,
		state: []Resource{Route{To: netip.MustParsePrefix("10.7.0.0/24"), Interface: "lo", Local: true}},
	},
}

// whole returns the case with what is usual.
func (c wayCase) whole() wayCase {
	c.from, c.vip = cmp.Or(c.from, "10.9.0.1:1000"), cmp.Or(c.vip, "10.1.0.1:80")
	return c
}

func (c wayCase) service() ServiceID { return TCP(netip.MustParseAddrPort(c.vip)) }

// serve adds the service and its server.
func (c wayCase) serve(t *testing.T, client *Client) {
	t.Helper()
	server := NewRealServer(netip.MustParseAddrPort(c.server), c.mode)
	must(t, client.Do(context.Background(), AddService(Service{ID: c.service(), Scheduler: RR}), AddRealServer(c.service(), server)))
}

// A packet is forwarded only where the host has a way for it.
func TestSimulatorWays(t *testing.T) {
	for name, c := range wayCases {
		t.Run(name, func(t *testing.T) {
			c := c.whole()
			l := wayLab(t, c.state...)
			c.serve(t, l.client)
			f := Flow{Client: netip.MustParseAddrPort(c.from), VIP: c.service().AddrPort()}
			explains := func(h *Host, maybe bool) {
				x, err := h.Explain(context.Background(), f)
				must(t, err)
				if v := x.Verdicts[0]; v.Action != c.action || v.Reason != c.reason || !x.Certain && !maybe {
					t.Errorf("explained as\n%s", x)
				}
			}
			alive := l.Host()
			alive.guard.files = aliveFiles{alive.guard.files}
			explains(l.Host(), false)
			explains(alive, c.reason == ReasonNotOnLink) // by a router that may know the way
			v, err := l.Deliver(SimPacket{Protocol: ProtocolTCP, Source: f.Client, Destination: f.VIP, TCP: SimSYN})
			must(t, err)
			l.wants(v, c.action, c.reason)
		})
	}
}

// The answers of NAT servers are forwarded only by a director that forwards.
func TestSimulatorForwardsAnswers(t *testing.T) {
	l := wayLab(t)
	id := TCP(netip.MustParseAddrPort("10.1.0.1:80"))
	server := NewRealServer(netip.MustParseAddrPort("10.2.0.1:80"), NAT())
	must(t, l.client.Do(context.Background(), AddService(Service{ID: id, Scheduler: RR}), AddRealServer(id, server)))
	f := Flow{Protocol: ProtocolTCP, Client: netip.MustParseAddrPort("10.9.0.1:1000"), VIP: id.AddrPort()}
	l.wants(l.packet(f, SimSYN), ActionForwarded, ReasonScheduled)
	answer := Flow{Protocol: ProtocolTCP, Client: server.Addr, VIP: f.Client}
	l.wants(l.packet(answer, SimSYN|SimACK), ActionDropped, ReasonForwardingOff)
	must(t, l.Host().SetSysctl(context.Background(), SysctlIPForward, "1"))
	l.wants(l.packet(answer, SimSYN|SimACK), ActionReplied, ReasonConnection)
	answer.VIP = netip.MustParseAddrPort("10.9.0.2:1000")
	l.wants(l.packet(answer, SimSYN|SimACK), ActionPassed, ReasonNotLocal)
	must(t, l.Host().SetSysctl(context.Background(), "net.ipv4.vs.nat_icmp_send", "1"))
	l.wants(l.packet(answer, SimSYN|SimACK), ActionRefused, ReasonNoConnection)
}

// Source NAT makes netfilter track connections, which conntrack=1 lets it do.
func TestSimulatorTracksForSourceNAT(t *testing.T) {
	for _, tracks := range []bool{true, false} {
		l := newSimLab(t, SimOptions{})
		l.sysctl("conntrack", "1")
		if tracks {
			must(t, l.Host().put(SourceNAT{From: netip.MustParsePrefix("10.2.0.0/24")}))
		}
		l.serve(Service{ID: simWeb, Scheduler: RR}, NAT(), 1)
		f := l.flow()
		l.wants(l.packet(f, SimSYN), ActionForwarded, ReasonScheduled)
		answer := Flow{Protocol: ProtocolTCP, Client: l.server(0), VIP: f.Client}
		l.packet(answer, SimSYN|SimACK)
		l.packet(answer, SimRST)
		if v := l.packet(f, SimSYN); (v.Reason == ReasonConntrack) != tracks {
			t.Errorf("tracked %t: %s", tracks, v)
		}
	}
}
