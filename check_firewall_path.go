package lvs

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/golvs/lvs/internal/netstate"
)

// checkFirewall follows the packets of a service through the firewall of the director.
func (j *judge) checkFirewall(director *hostView, e ServiceEntry) {
	if e.ID.FWMark() != 0 {
		j.checkMarks(director, e)
	}
	for _, vip := range j.vipsOf(director, e) {
		if !director.delivers(vip) {
			continue
		}
		names := director.interfacesAskedFor(vip)
		if len(names) == 0 {
			names = []string{""}
		}
		for _, name := range names {
			p := firewallPacketTo(e, netip.AddrPortFrom(vip, e.ID.AddrPort().Port()))
			p.in = name
			what := fmt.Sprintf("packets for %s", e.ID)
			if !j.followClients(director, p, j.clientsOf(director, vip), what, "ingress", "prerouting", "input") && p.protocol == uint8(ProtocolTCP) {
				p.later, p.state = true, director.laterState()
				j.followClients(director, p, j.clientsOf(director, vip), "later "+what, "ingress", "prerouting", "input")
			}
			j.checkInterfaceFilters(director, name)
		}
	}
}

// firewallPacketTo returns the first packet of a connection to an address.
func firewallPacketTo(e ServiceEntry, to netip.AddrPort) firewallPacket {
	protocol := uint8(e.ID.Protocol())
	if e.ID.FWMark() != 0 {
		protocol = uint8(ProtocolTCP)
	}
	return firewallPacket{to: to, is6: to.Addr().Is6(), protocol: protocol, state: netstate.StateNew}
}

// laterState is what connection tracking says of a client's later packets. IPVS hides its
// connections from it, so that each packet looks like a first one, unless conntrack is
// set; then it depends on whether the answers pass, too.
func (p *hostView) laterState() uint8 {
	if p.sysctl(SysctlConntrack) == "0" {
		return netstate.StateNew
	}
	return netstate.StateNew | netstate.StateEstablished | netstate.StateInvalid
}

// followClients adds findings about what a firewall does to packets of known clients and
// of others, and reports whether some surely do not arrive.
func (j *judge) followClients(host *hostView, p firewallPacket, clients []netip.Addr, what string, hooks ...string) bool {
	if why, command := host.unread("firewall"); why != "" {
		j.doubt(host, why, command)
	}
	const most = 16 // clients, of which few differ to a firewall
	for _, client := range append(slices.Clone(clients[:min(len(clients), most)]), netip.Addr{}) {
		if j.addFate(host, host.firewall.follow(p.withClient(client), hooks...), p, what) {
			return true
		}
	}
	return false
}

// withClient returns the packet as that of a client.
func (p firewallPacket) withClient(client netip.Addr) firewallPacket {
	switch {
	case !client.IsValid():
	case p.back:
		p.to = netip.AddrPortFrom(client, 0)
	default:
		p.from = netip.AddrPortFrom(client, 0)
	}
	return p
}

// addFate adds the finding about what happens to a packet, and reports whether the packet
// surely does not arrive.
func (j *judge) addFate(host *hostView, f firewallFate, p firewallPacket, what string) bool {
	switch {
	case f.drops != nil:
		j.add(host, FindingFirewall.broken("%s are dropped by %s", what, f.drops).run(f.drops.allowCommand(p)))
		return true
	case f.sends != nil:
		j.add(host, FindingFirewall.broken("%s are sent elsewhere by %s", what, f.sends).run(f.sends.allowCommand(p)))
		return true
	case f.may != nil:
		j.doubt(host, f.may.String()+" may drop "+what, f.may.showCommand())
	case f.maySend != nil:
		j.doubt(host, f.maySend.String()+" may send "+what+" elsewhere", f.maySend.showCommand())
	}
	return false
}

// doubt notes why the effect of a host's firewall is not known, and the command that shows
// it.
func (j *judge) doubt(host *hostView, why, command string) {
	at := "here"
	if label := host.label(); label != "" {
		at = "on " + label
	}
	j.doubts = append(j.doubts, fmt.Sprintf("%s: %s (%s)", at, why, cmp.Or(command, showFirewallCommands)))
}

// checkInterfaceFilters notes what sees the packets of an interface besides the firewall.
func (j *judge) checkInterfaceFilters(host *hostView, name string) {
	i := host.interfaces[name]
	where := "here"
	if label := host.label(); label != "" {
		where = "on " + label
	}
	if i.XDP {
		j.doubts = append(j.doubts, fmt.Sprintf("%s: an XDP program sees packets of %s first (bpftool net)", where, name))
	}
	if i.Queue != "" {
		j.doubts = append(j.doubts, fmt.Sprintf("%s: the queue %s of %s may drop packets (tc -s qdisc show dev %s)", where, i.Queue, name, name))
	}
	if i.Loss > 0 {
		j.add(host, FindingDropsPackets.broken("the queue netem of %s drops %d %% of the packets", name, i.Loss).run("tc qdisc del dev "+name+" root"))
	}
}

// checkFirewallToServer follows packets to a real server through the firewall of the
// director and that of the server, and the answers back.
func (j *judge) checkFirewallToServer(director *hostView, e ServiceEntry, s RealServer, host *hostView) {
	out := director.route(s.Addr.Addr(), netip.Addr{}).Interface
	what := fmt.Sprintf("packets of %s to %s", e.ID, s.Addr)
	state, clients := uint8(netstate.StateUntracked), j.clientsOf(director, s.Addr.Addr())
	if director.sysctl(SysctlConntrack) != "0" {
		state, clients = netstate.StateNew|netstate.StateInvalid, nil // source NAT may hide the clients
	}
	for _, p := range j.forwardedPackets(director, e, s) {
		p.out, p.state, p.remote = out, state, true
		if s.Mode.IsTunnel() {
			p.state = netstate.StateNew
		}
		j.followClients(director, p, clients, what, "output", "postrouting", "egress")
		j.checkInterfaceFilters(director, out)
		if host == nil {
			continue
		}
		p.in, p.out, p.state, p.remote, p.plain = host.interfaceOn(s.Addr.Addr()), "", netstate.StateNew, false, director.isPlain(s)
		j.checkFirewallOfServer(host, p, clients, what)
		j.checkInterfaceFilters(host, p.in)
	}
	if host != nil {
		j.checkFirewallOfAnswers(director, e, s, host, clients)
	}
	if s.Mode == NAT() {
		j.checkFirewallBack(director, e, s, host, out)
	}
}

// checkFirewallOfServer follows packets into a real server. Packets that its rules send to
// another address or port may be meant to go there.
func (j *judge) checkFirewallOfServer(host *hostView, p firewallPacket, clients []netip.Addr, what string) {
	hooks := []string{"ingress", "prerouting", "input", "xfrm-in"}
	if f := host.firewall.follow(p, hooks...); f.sends != nil || f.maySend != nil {
		return
	}
	if !j.followClients(host, p, clients, what, hooks...) && p.protocol == uint8(ProtocolTCP) {
		p.later, p.state = true, netstate.StateEstablished
		j.followClients(host, p, clients, "later "+what, hooks...)
	}
}

// checkFirewallOfAnswers follows the answers of a real server through its own firewall.
func (j *judge) checkFirewallOfAnswers(director *hostView, e ServiceEntry, s RealServer, host *hostView, clients []netip.Addr) {
	sources := []netip.AddrPort{s.Addr}
	if s.Mode != NAT() {
		sources = nil
		for _, vip := range j.vipsOf(director, e) {
			sources = append(sources, netip.AddrPortFrom(vip, e.ID.AddrPort().Port()))
		}
	}
	for _, from := range sources {
		p := firewallPacketTo(e, netip.AddrPort{})
		p.from, p.is6, p.back, p.remote, p.later, p.state = from, from.Addr().Is6(), true, true, true, netstate.StateEstablished
		if slices.ContainsFunc(host.FirewallRules, func(r FirewallRule) bool { return r.Verdict == "notrack" }) {
			p.state |= netstate.StateNew | netstate.StateInvalid | netstate.StateUntracked
		}
		if len(clients) > 0 {
			p.out = host.route(clients[0], from.Addr()).Interface
		}
		j.followClients(host, p, clients, fmt.Sprintf("answers of %s", s.Addr), "xfrm-out", "output", "postrouting", "egress")
	}
}

// forwardedPackets returns the packets that leave the director for a real server.
func (j *judge) forwardedPackets(director *hostView, e ServiceEntry, s RealServer) (all []firewallPacket) {
	switch {
	case s.Mode == NAT():
		to := s.Addr
		if to.Port() == 0 {
			to = netip.AddrPortFrom(to.Addr(), e.ID.AddrPort().Port())
		}
		return []firewallPacket{firewallPacketTo(e, to)}
	case s.Mode.IsTunnel():
		p := firewallPacketTo(e, netip.AddrPortFrom(s.Addr.Addr(), s.Mode.Port()))
		p.protocol = tunnelProtocol(s.Mode, e.ID.Is6())
		if src := director.route(s.Addr.Addr(), netip.Addr{}).Source; src.IsValid() {
			p.from = netip.AddrPortFrom(src, 0)
		}
		return []firewallPacket{p}
	}
	for _, vip := range j.vipsOf(director, e) {
		all = append(all, firewallPacketTo(e, netip.AddrPortFrom(vip, e.ID.AddrPort().Port())))
	}
	return all
}

// checkFirewallBack follows a NAT server's answers through the director's firewall, which
// sees them before IPVS gives them the VIP. To connection tracking, a connection that it
// does not know begins with an answer, which is invalid in TCP.
func (j *judge) checkFirewallBack(director *hostView, e ServiceEntry, s RealServer, host *hostView, in string) {
	p := firewallPacketTo(e, netip.AddrPort{})
	p.plain = host != nil && !host.encrypts() && director.isPlain(s)
	p.from, p.in, p.back, p.remote, p.is6 = s.Addr, in, true, true, e.ID.Is6()
	isTCP := p.protocol == uint8(ProtocolTCP)
	states := []uint8{netstate.StateNew}
	switch {
	case director.sysctl(SysctlConntrack) != "0":
		states = []uint8{netstate.StateEstablished}
	case isTCP:
		states = []uint8{netstate.StateInvalid, netstate.StateNew}
	}
	clients := j.clientsOf(director, s.Addr.Addr())
	if len(clients) > 0 {
		p.out = director.route(clients[0], netip.Addr{}).Interface
	}
	for _, p.state = range states {
		p.later = isTCP
		if j.followClients(director, p, clients, fmt.Sprintf("answers of %s", s.Addr), "ingress", "prerouting", "xfrm-fwd", "xfrm-out", "forward", "egress") {
			return
		}
	}
	for _, vip := range j.vipsOf(director, e) { // with the VIP as source, the packet is routed again
		p.from, p.remote = netip.AddrPortFrom(vip, e.ID.AddrPort().Port()), false
		if director.sysctl(SysctlSNATReroute) != "0" {
			j.followClients(director, p, clients, fmt.Sprintf("answers of %s from %s", s.Addr, vip), "xfrm-out")
		}
	}
}

// hasSourceNAT reports whether packets to a server get the director's address, or may get
// it, so that the server answers the director whatever its routes are. Its routes are not
// checked then.
func (j *judge) hasSourceNAT(director *hostView, e ServiceEntry, s RealServer, host *hostView) bool {
	server, vips := s.Addr.Addr(), j.vipsOf(director, e)
	planned := director.isOwn && slices.ContainsFunc(j.setup, func(s Requirement) bool {
		nat, ok := s.Want.(SourceNAT)
		return ok && nat.To.IsValid() && nat.To.Contains(server) && (!nat.VIP.IsValid() || slices.Contains(vips, nat.VIP))
	})
	if planned {
		return true
	}
	p := firewallPacketTo(e, s.Addr)
	p.out = director.route(server, netip.Addr{}).Interface
	if len(vips) == 1 {
		p.openedTo = vips[0]
	}
	f := director.firewall.follow(p, "postrouting")
	if j.checkUntracked(director, e, s, f.maySource) {
		return true
	}
	why, _ := director.unread("firewall")
	tracked := director.sysctl(SysctlConntrack) != "0"
	switch {
	case !f.maySource && why == "":
		return false
	case !tracked && f.maySource && !host.hasRouteVia(director):
		j.add(director, FindingNATConntrack.broken("rules give packets to %s another source, but %s is 0", s.Addr, SysctlConntrack).
			fix(SysctlConntrack.Requirement("1", "source NAT applies only to connections that netfilter tracks")))
		return true
	case !tracked:
		return false
	case f.sources:
		return true
	}
	j.unclear[FindingReturnRoute], j.unclear[FindingSameSubnet] = true, true
	return true
}

// checkUntracked looks for rules that exempt packets from connection tracking although
// they should get another source.
func (j *judge) checkUntracked(director *hostView, e ServiceEntry, s RealServer, translated bool) (found bool) {
	for _, vip := range j.vipsOf(director, e) {
		p := firewallPacketTo(e, netip.AddrPortFrom(vip, e.ID.AddrPort().Port()))
		p.in = director.interfaceForVIP(vip)
		if f := director.firewall.follow(p, "prerouting"); translated && f.untracks != nil {
			j.add(director, FindingNATConntrack.broken("packets of %s to %s, and its answers, are exempt from connection tracking by %s", e.ID, s.Addr, f.untracks).
				run(f.untracks.allowCommand(p), f.untracks.allowCommand(firewallPacket{from: s.Addr, is6: p.is6, protocol: p.protocol})))
			found = true
		}
	}
	return found
}

// listFirewallDoubts lists what firewalls may do, as unchecked.
func (j *judge) listFirewallDoubts() {
	slices.Sort(j.doubts)
	if all := slices.Compact(j.doubts); len(all) > 0 {
		const most = 5
		text := strings.Join(all[:min(len(all), most)], "; ")
		if more := len(all) - most; more > 0 {
			text += fmt.Sprintf("; and %d more", more)
		}
		j.addUnchecked(FindingFirewall, "%s", text)
		return
	}
	if len(j.hosts) == 1 || len(j.absent) > 0 {
		j.addUnchecked(FindingFirewall, "look at the firewalls of the real servers, and of machines on the way: nft list ruleset; iptables-save")
	}
}
