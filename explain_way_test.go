package lvs

import (
	"context"
	"net/netip"
	"testing"

	"github.com/golvs/lvs/internal/netstate"
)

// seenNetwork is a network that shows what a test wants.
type seenNetwork struct {
	network
	seen netstate.Observed
}

func (n seenNetwork) Observe(context.Context) (netstate.Observed, error) { return n.seen, nil }

// usualNetwork has the VIP 10.1.0.1, clients behind a router on eth0, and servers on
// eth1.
func usualNetwork() netstate.Observed {
	prefix, addr := netip.MustParsePrefix, netip.MustParseAddr
	o := netstate.Observed{
		Interfaces: []netstate.Interface{
			{Name: "lo", Up: true, Carrier: true, Loopback: true}, {Name: "eth0", Up: true, Carrier: true}, {Name: "eth1", Up: true, Carrier: true},
		},
		Routes: []netstate.RouteEntry{
			{To: prefix("127.0.0.0/8"), Table: 255, Type: "local", Interface: "lo"},
			{To: prefix("10.1.0.1/32"), Table: 255, Type: "local", Interface: "eth0"},
			{To: prefix("10.2.0.254/32"), Table: 255, Type: "local", Interface: "eth1"},
			{To: prefix("10.2.0.0/24"), Table: 254, Interface: "eth1"},
			{To: prefix("10.3.0.0/24"), Table: 254, Interface: "eth1", Via: addr("10.2.0.250")},
			{To: prefix("10.9.0.0/16"), Table: 254, Interface: "eth0"},
			{To: prefix("10.2.0.66/32"), Table: 254, Type: "blackhole"},
			{To: prefix("10.1.0.7/32"), Table: 100, Type: "local", Interface: "lo"},
		},
		Rules: []netstate.RuleEntry{
			{Table: 255}, {Priority: 100, Mark: 7, Mask: 0xffffffff, Table: 100}, {Priority: 32766, Table: 254},
		},
	}
	for _, mtu := range []struct {
		name string
		mtu  int
	}{{"eth0", 1500}, {"eth1", 1500}} {
		o.Resources = append(o.Resources, netstate.Link{Name: mtu.name, Up: true, MTU: mtu.mtu})
	}
	return o
}

// A packet is forwarded only where it gets onward.
func TestExplainWay(t *testing.T) {
	const (
		vip    = "10.1.0.1:80"
		server = "10.2.0.1:80"
	)
	for name, c := range map[string]struct {
		vip, server, client string
		mode                Mode
		mark                uint32
		change              func(*netstate.Observed)
		sysctls             map[SysctlKey]string
		want                []Reason
		action              Action // of the first
		unanswered          Reason
	}{
		"as it should be":        {mode: DR(), action: ActionForwarded, want: []Reason{ReasonScheduled}},
		"no route":               {server: "10.4.0.1:80", mode: DR(), action: ActionRefused, want: []Reason{ReasonNoRoute}},
		"a blackhole":            {server: "10.2.0.66:80", mode: NAT(), action: ActionRefused, want: []Reason{ReasonNoRoute}},
		"direct, off the link":   {server: "10.3.0.1:80", mode: DR(), action: ActionDropped, want: []Reason{ReasonNotOnLink, ReasonScheduled}},
		"a tunnel, off the link": {server: "10.3.0.1:80", mode: IPIP(), action: ActionForwarded, want: []Reason{ReasonScheduled}},
		"nat, off the link": {
			server: "10.3.0.1:80", mode: NAT(), sysctls: map[SysctlKey]string{"net.ipv4.conf.eth1.forwarding": "1"},
			action: ActionForwarded, want: []Reason{ReasonScheduled},
		},
		"nat to loopback": {server: "127.0.0.1:8080", mode: NAT(), action: ActionDropped, want: []Reason{ReasonLoopback}},
		"the director is the server": {
			server: "10.2.0.254:80", mode: DR(), action: ActionForwarded, want: []Reason{ReasonScheduled}, // who listens is not known
		},
		"no carrier": {
			mode: DR(), change: func(o *netstate.Observed) { o.Interfaces[2].Carrier = false }, action: ActionDropped, want: []Reason{ReasonLinkDown},
		},
		"a neighbour that does not answer": {
			mode: DR(), change: func(o *netstate.Observed) {
				o.Neighbours = append(o.Neighbours, netstate.Neighbour{Interface: "eth1", Addr: netip.MustParseAddr("10.2.0.1"), State: "failed"})
			}, action: ActionDropped, want: []Reason{ReasonNoNeighbour, ReasonScheduled},
		},
		"a tunnel that is too narrow": {
			mode: IPIP(), change: func(o *netstate.Observed) { o.Resources[1] = netstate.Link{Name: "eth1", Up: true, MTU: 80} },
			action: ActionDropped, want: []Reason{ReasonTooLong},
		},
		"a vip of loopback":                   {vip: "127.0.0.1:80", mode: DR(), action: ActionDropped, want: []Reason{ReasonLoopback}},
		"a vip of another host":               {vip: "10.2.0.9:80", mode: DR(), action: ActionPassed, want: []Reason{ReasonNotLocal}},
		"a vip that is local by its mark":     {vip: "10.1.0.7:80", mark: 7, mode: DR(), action: ActionForwarded, want: []Reason{ReasonScheduled}},
		"a vip that is local by another mark": {vip: "10.1.0.7:80", mode: DR(), action: ActionPassed, want: []Reason{ReasonNotLocal}},
		"the director is the client":          {vip: "10.2.0.9:80", client: "10.2.0.254:4000", mode: DR(), action: ActionForwarded, want: []Reason{ReasonScheduled}},
		"the director is client and server of another host's vip": {
			vip: "10.2.0.9:80", client: "10.2.0.254:4000", server: "10.2.0.254:80", mode: NAT(), action: ActionDropped, want: []Reason{ReasonOwnStack},
		},
		"a client of loopback": {client: "127.0.0.1:4000", mode: NAT(), action: ActionDropped, want: []Reason{ReasonLoopback}},
		"no forwarding": {
			mode: NAT(), sysctls: map[SysctlKey]string{"net.ipv4.conf.eth1.forwarding": "0"},
			action: ActionForwarded, want: []Reason{ReasonScheduled}, unanswered: ReasonForwardingOff,
		},
		"no forwarding, which dr does not need": {
			mode: DR(), sysctls: map[SysctlKey]string{"net.ipv4.conf.eth1.forwarding": "0"}, action: ActionForwarded, want: []Reason{ReasonScheduled},
		},
		"a firewall": {
			mode: DR(), change: func(o *netstate.Observed) {
				o.Chains = append(o.Chains, netstate.Chain{Family: "ip", Table: "filter", Name: "INPUT", Hook: "input", Type: "filter", Drop: true})
			}, action: ActionForwarded, want: []Reason{ReasonScheduled, ReasonFirewall},
		},
		"a firewall that lets all pass": {
			mode: DR(), change: func(o *netstate.Observed) {
				o.Chains = append(o.Chains, netstate.Chain{Family: "ip", Table: "filter", Name: "INPUT", Hook: "input", Type: "filter"})
			}, action: ActionForwarded, want: []Reason{ReasonScheduled},
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			l := newSimLab(t, SimOptions{Interfaces: []SimInterface{{Name: "eth1", Addresses: []netip.Prefix{netip.MustParsePrefix("10.2.0.254/24")}}}})
			h := l.Host()
			for key, value := range c.sysctls {
				must(t, h.SetSysctl(ctx, key, value))
			}
			to := func(given, usual string) netip.AddrPort {
				if given != "" {
					usual = given
				}
				return netip.MustParseAddrPort(usual)
			}
			id := TCP(to(c.vip, vip))
			must(t, l.client.Do(ctx, AddService(Service{ID: id, Scheduler: LC}), AddRealServer(id, NewRealServer(to(c.server, server), c.mode))))
			seen := usualNetwork()
			if c.change != nil {
				c.change(&seen)
			}
			h.guard.files, h.guard.network = aliveFiles{h.guard.files}, seenNetwork{h.guard.network, seen}
			x, err := h.Explain(ctx, Flow{Client: to(c.client, "10.9.0.1:4000"), VIP: id.AddrPort(), FWMark: c.mark})
			must(t, err)
			var got []Reason
			for _, v := range x.Verdicts {
				got = append(got, v.Reason)
			}
			compare(t, "the reasons", c.want, got)
			if x.Verdicts[0].Action != c.action || x.Unanswered != c.unanswered {
				t.Errorf("it is %s, unanswered %q, want %s, %q:\n%s", x.Verdicts[0].Action, x.Unanswered, c.action, c.unanswered, x)
			}
			if x.Certain != (len(c.want) == 1) || x.Certain != (len(x.Unseen) == 0) {
				t.Errorf("certain %t, unseen %q", x.Certain, x.Unseen)
			}
		})
	}
}
