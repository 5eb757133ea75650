package lvs

import (
	"context"
	"net/netip"
	"slices"

	"github.com/golvs/lvs/internal/netstate"
)

// wayfinder judges by the network of a host whether packets of a flow come to IPVS,
// and get onward from there. Answers are left out.
type wayfinder struct {
	*explainer
	network     *hostView
	flow        Flow
	isOwn       bool // the flow's client is the director itself
	isSimulated bool // no router is there
}

// finish turns verdicts that IPVS gives into what happens to the packet. A simulated
// host without interfaces has no network to judge.
func (e *explainer) finish(ctx context.Context, h *Host) error {
	var state HostState
	n, isSimulated := h.guard.network.(*simulatedNetwork)
	isReply := slices.ContainsFunc(e.x.Verdicts, func(v Verdict) bool { return v.Action == ActionReplied })
	fromServer := e.x.Error != nil && e.x.Error.FromServer
	if isReply && !fromServer || isSimulated && !n.routed {
		return nil
	}
	if err := h.observe(ctx, &state); err != nil {
		return err
	}
	if err := h.readWayParameters(ctx, &state); err != nil {
		return err
	}
	given := e.x.Verdicts
	e.x.Verdicts = nil
	w := wayfinder{explainer: e, network: newHostView(state), flow: e.x.Flow, isSimulated: isSimulated}
	if fromServer {
		w.backward(given)
		return nil
	}
	if e.x.Error == nil && slices.ContainsFunc(given, w.staysHere) {
		if err := h.readListeners(ctx, &w.network.HostState); err != nil {
			return err
		}
	}
	client := w.flow.Client.Addr()
	w.isOwn = client.IsLoopback() || w.network.delivers(client)
	if w.arrives() {
		for _, v := range given {
			w.onward(v)
		}
		w.firewall()
	}
	return nil
}

// staysHere reports whether a packet is forwarded to the director itself.
func (w *wayfinder) staysHere(v Verdict) bool {
	return v.Action == ActionForwarded && (v.Mode == ModeLocalNode() || w.network.route(v.Server.Addr(), netip.Addr{}).Local())
}

// readWayParameters reads what else decides where packets go.
func (h *Host) readWayParameters(ctx context.Context, f *HostState) error {
	keys := []SysctlKey{SysctlIPv6Forwarding}
	for _, i := range append(f.Interfaces, InterfaceState{Name: "all"}) {
		keys = append(keys, InterfaceSysctl(i.Name, "forwarding", false), InterfaceSysctl(i.Name, "route_localnet", false))
	}
	return h.addSysctls(ctx, f, keys)
}

// arrives reports whether IPVS sees the packet; otherwise there is a verdict. It sees
// what the director sends itself, and what is delivered to it.
func (w *wayfinder) arrives() bool {
	vip, client := w.flow.VIP.Addr(), w.flow.Client.Addr()
	if w.isOwn {
		way := w.network.routing.Resolve(netstate.Question{To: vip, Mark: w.flow.FWMark})
		if way.Local() || way.Onward() {
			return true
		}
		w.addVerdict(Verdict{Action: ActionDropped, Reason: ReasonNoRoute})
		return way.Unsure
	}
	back := w.network.routing.Resolve(netstate.Question{To: client})
	if vip.IsLoopback() && w.network.parameter(back.Interface, "route_localnet") != "1" {
		w.addVerdict(Verdict{Action: ActionDropped, Reason: ReasonLoopback})
		return false
	}
	delivered := func(iface string) netstate.Way {
		return w.network.routing.Resolve(netstate.Question{To: vip, From: client, In: iface, Mark: w.flow.FWMark})
	}
	way := delivered(back.Interface)
	if back.Onward() && way.Local() && !way.Unsure {
		return true
	}
	some, all := false, true
	for _, i := range w.network.Interfaces {
		if !i.Loopback && i.Up {
			local := delivered(i.Name).Local()
			some, all = some || local, all && local
		}
	}
	switch {
	case way.Unsure:
		w.unseen("rules of routing that could not be read in full")
	case all && some:
		return true
	case some:
		w.unseen("by which interface packets of %s come in", client)
	}
	w.addVerdict(Verdict{Action: ActionPassed, Reason: ReasonNotLocal})
	return some || way.Unsure
}

// onward adds what happens to a packet that IPVS gives a fate.
func (w *wayfinder) onward(v Verdict) {
	if v.Action != ActionForwarded {
		w.addVerdict(v)
		return
	}
	to := v.Server.Addr()
	way, localNode := w.network.routing.Resolve(netstate.Question{To: to}), v.Mode == ModeLocalNode()
	switch {
	case way.Unsure && !localNode:
		w.unseen("rules or routes to %s that could not be read in full", to)
		w.addVerdict(v)
	case (way.Local() || localNode) && w.isOwn && !w.network.routing.Resolve(netstate.Question{To: w.flow.VIP.Addr(), Mark: w.flow.FWMark}).Local():
		w.stop(v, ActionDropped, ReasonOwnStack)
	case localNode:
		w.deliver(v, w.flow.VIP)
	case way.Local() && v.Mode == NAT() && to.IsLoopback() && !w.isOwn:
		w.stop(v, ActionDropped, ReasonLoopback)
	case way.Local() && v.Mode == NAT():
		w.deliver(v, netip.AddrPortFrom(to, v.Port))
	case way.Local():
		w.deliver(v, w.flow.VIP)
	case !way.Onward() && w.x.Error != nil:
		w.stop(v, ActionDropped, ReasonNoRoute)
	case !way.Onward():
		w.stop(v, ActionRefused, ReasonNoRoute)
	case w.flow.Client.Addr().IsLoopback():
		w.stop(v, ActionDropped, ReasonLoopback)
	default:
		w.leave(v, way)
	}
}

// stop adds a verdict that IPVS gives, and that something else makes void.
func (w *wayfinder) stop(v Verdict, a Action, why Reason) {
	v.Action, v.Reason = a, why
	w.addVerdict(v)
}

// leave adds what happens to a packet that leaves by a route.
func (w *wayfinder) leave(v Verdict, way netstate.Way) {
	next := way.Via
	if !next.IsValid() {
		next = v.Server.Addr()
	}
	iface := w.network.interfaces[way.Interface]
	switch {
	case !iface.Carrier:
		w.stop(v, ActionDropped, ReasonLinkDown)
		return
	case v.Mode.IsTunnel() && !w.network.holds(way, v, w.flow.VIP.Addr()):
		w.stop(v, ActionDropped, ReasonTooLong)
		return
	case v.Mode == DR() && way.Via.IsValid() && w.isSimulated:
		w.stop(v, ActionDropped, ReasonNotOnLink)
		return
	case v.Mode == DR() && way.Via.IsValid():
		w.unseen("whether the router %s sends packets for %s on to %s", way.Via, w.flow.VIP.Addr(), v.Server.Addr())
		w.stop(v, ActionDropped, ReasonNotOnLink)
	case w.network.lost(way.Interface, next):
		w.unseen("whether %s answers on %s now: it did not when it was last asked for", next, way.Interface)
		w.stop(v, ActionDropped, ReasonNoNeighbour)
	}
	if v.Mode == NAT() && !w.isOwn && w.x.Error == nil && !w.network.forwards(way.Interface, v.Server.Addr()) {
		w.x.Unanswered = ReasonForwardingOff
	}
	w.addVerdict(v)
}

const leastMTU4 = 68 // of IPv4, on any link

func least(inner netip.Addr) int {
	if inner.Is6() {
		return leastIPv6MTU
	}
	return leastMTU4
}

// holds reports whether a way has room for a tunnel.
func (p *hostView) holds(way netstate.Way, v Verdict, inner netip.Addr) bool {
	mtu := p.mtuOf(way)
	return mtu == 0 || mtu-tunnelOverhead(RealServer{Addr: v.Server, Mode: v.Mode}) >= least(inner)
}

// lost reports whether another host on a link did not answer when it was last asked
// for.
func (p *hostView) lost(iface string, addr netip.Addr) bool {
	return slices.ContainsFunc(p.Neighbours, func(n Neighbour) bool {
		return n.Interface == iface && n.Addr == addr && n.State == "failed"
	})
}

// forwards reports whether packets that come in by an interface are sent on.
func (p *hostView) forwards(iface string, family netip.Addr) bool {
	if family.Is6() {
		return p.sysctl("net.ipv6.conf.all.forwarding") != "0"
	}
	return p.sysctl(InterfaceSysctl(iface, "forwarding", false)) != "0"
}

// deliver adds what happens to a packet that the director itself gets, where a
// program may wait for it or not. An ICMP error needs none.
func (w *wayfinder) deliver(v Verdict, to netip.AddrPort) {
	if w.x.Error != nil {
		w.addVerdict(v)
		return
	}
	why, _ := w.network.unread("listeners")
	listens, sure := w.network.listens(w.flow.Protocol, to)
	switch {
	case why != "" || listens && sure:
		w.addVerdict(v)
	case listens:
		w.unseen("whether the program that listens on [::]:%d takes IPv4", to.Port())
		w.addVerdict(v)
		fallthrough
	default:
		w.stop(v, ActionRefused, ReasonNotListening)
	}
}

// listens reports whether a program takes what comes to an address. What listens on
// [::] takes IPv4 unless it says otherwise, which is not shown.
func (p *hostView) listens(protocol Protocol, at netip.AddrPort) (listens, sure bool) {
	for _, l := range p.Listeners {
		addr := l.Addr.Addr()
		switch {
		case l.Protocol != protocol || l.Addr.Port() != at.Port():
		case addr == at.Addr(), addr.IsUnspecified() && addr.Is4() == at.Addr().Is4():
			return true, true
		case addr == netip.IPv6Unspecified():
			listens = true
		}
	}
	return listens, false
}

// firewall names a firewall where there is one that may take the packet.
func (w *wayfinder) firewall() {
	if !slices.ContainsFunc(w.x.Verdicts, func(v Verdict) bool { return v.Action == ActionForwarded }) {
		return
	}
	why, _ := w.network.unread("firewall")
	if !w.network.filters() && why == "" {
		return
	}
	w.unseen("the director's firewall, whose rules are not followed")
	w.addVerdict(Verdict{Action: ActionDropped, Reason: ReasonFirewall})
}

// filters reports whether a firewall may take packets that pass IPVS.
func (p *hostView) filters() bool {
	harmless := []string{"", "accept", "return", "masquerade", "snat", "jump", "goto", "notrack"}
	return slices.ContainsFunc(p.Chains, func(c FirewallChain) bool { return c.Drop && c.Hook != "forward" }) ||
		slices.ContainsFunc(p.FirewallRules, func(r FirewallRule) bool { return !slices.Contains(harmless, r.Verdict) })
}
