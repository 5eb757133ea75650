package lvs

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/golvs/lvs/internal/netstate"
)

// filters follows the packets of a service through the firewall of the director.
func (j *judge) filters(director *party, e ServiceEntry) {
	if e.ID.FWMark() != 0 {
		j.marks(director, e)
	}
	for _, vip := range j.vipsOf(director, e) {
		if !director.delivers(vip) {
			continue
		}
		names := director.askedOn(vip)
		if len(names) == 0 {
			names = []string{""}
		}
		for _, name := range names {
			p := packetTo(e, netip.AddrPortFrom(vip, e.ID.AddrPort().Port()))
			p.in = name
			what := fmt.Sprintf("packets for %s", e.ID)
			if !j.sieve(director, p, j.clientsOf(director, vip), what, "ingress", "prerouting", "input") && p.protocol == uint8(ProtocolTCP) {
				p.later, p.state = true, director.laterState()
				j.sieve(director, p, j.clientsOf(director, vip), "later "+what, "ingress", "prerouting", "input")
			}
			j.bypasses(director, name)
		}
	}
}

// packetTo is the first packet to an address, as a firewall sees it.
func packetTo(e ServiceEntry, to netip.AddrPort) parcel {
	protocol := uint8(e.ID.Protocol())
	if e.ID.FWMark() != 0 {
		protocol = uint8(ProtocolTCP)
	}
	return parcel{to: to, is6: to.Addr().Is6(), protocol: protocol, state: netstate.StateNew}
}

// laterState is what connection tracking says of a client's later packets. IPVS takes
// connections from it, so that each packet is as if it were the first, unless it is to
// keep them; then it depends on whether answers pass too.
func (p *party) laterState() uint8 {
	if p.sysctl(SysctlConntrack) == "0" {
		return netstate.StateNew
	}
	return netstate.StateNew | netstate.StateEstablished | netstate.StateInvalid
}

// sieve adds findings about what a firewall does to packets, of clients that are
// known and of others, and reports whether some surely do not arrive.
func (j *judge) sieve(host *party, p parcel, clients []netip.Addr, what string, hooks ...string) bool {
	if why, command := host.unread("firewall"); why != "" {
		j.doubt(host, why, command)
	}
	const most = 16 // clients, of which few differ in a firewall's eyes
	for _, client := range append(slices.Clone(clients[:min(len(clients), most)]), netip.Addr{}) {
		if j.sieved(host, host.firewall.follow(p.of(client), hooks...), p, what) {
			return true
		}
	}
	return false
}

// of returns the packet as that of a client.
func (p parcel) of(client netip.Addr) parcel {
	switch {
	case !client.IsValid():
	case p.back:
		p.to = netip.AddrPortFrom(client, 0)
	default:
		p.from = netip.AddrPortFrom(client, 0)
	}
	return p
}

// sieved adds the finding about what happens to a packet, and reports whether it
// does not arrive.
func (j *judge) sieved(host *party, f fate, p parcel, what string) bool {
	switch {
	case f.drops != nil:
		j.add(host, FindingFirewall.broken("%s are dropped by %s", what, f.drops).run(f.drops.allow(p)))
		return true
	case f.sends != nil:
		j.add(host, FindingFirewall.broken("%s are sent elsewhere by %s", what, f.sends).run(f.sends.allow(p)))
		return true
	case f.may != nil:
		j.doubt(host, f.may.String()+" may drop "+what, f.may.show())
	case f.maySend != nil:
		j.doubt(host, f.maySend.String()+" may send "+what+" elsewhere", f.maySend.show())
	}
	return false
}

// doubt notes why it is not known what a host's firewall does, and the command that
// shows it.
func (j *judge) doubt(host *party, why, command string) {
	at := "here"
	if label := host.label(); label != "" {
		at = "on " + label
	}
	j.doubts = append(j.doubts, fmt.Sprintf("%s: %s (%s)", at, why, cmp.Or(command, showsFirewall)))
}

// showsFirewall are the commands that show rules of nftables and iptables.
const showsFirewall = "nft list ruleset; iptables-save"

// show is the command that shows the chain.
func (s stop) show() string {
	switch s.chain.Family {
	case "xfrm":
		return "ip xfrm policy; ip xfrm policy getdefault"
	case "tc":
		return "tc filter show dev " + s.chain.Device + " " + s.chain.Hook
	}
	return showsFirewall
}

// bypasses notes what sees the packets of an interface besides the firewall.
func (j *judge) bypasses(host *party, name string) {
	i := host.interfaces[name]
	where := "here"
	if label := host.label(); label != "" {
		where = "on " + label
	}
	if i.XDP {
		j.doubts = append(j.doubts, fmt.Sprintf("%s: a program at XDP sees packets of %s first (bpftool net)", where, name))
	}
	if i.Queue != "" {
		j.doubts = append(j.doubts, fmt.Sprintf("%s: the queue %s of %s may drop packets (tc -s qdisc show dev %s)", where, i.Queue, name, name))
	}
	if i.Loss > 0 {
		j.add(host, FindingDropsPackets.broken("the queue netem of %s drops %d of 100 packets", name, i.Loss).run("tc qdisc del dev "+name+" root"))
	}
}

// marks looks whether packets get the mark of a service.
func (j *judge) marks(director *party, e ServiceEntry) {
	if why, command := director.unread("firewall"); why != "" {
		j.doubt(director, why, command)
		return
	}
	if len(director.firewall.marking(e.ID)) > 0 {
		return
	}
	if slices.ContainsFunc(director.FirewallRules, func(r FirewallRule) bool { return r.Verdict == "other" }) {
		j.doubt(director, "no rule is known that marks packets for "+e.ID.String(), showsFirewall)
		return
	}
	f := FindingMarkMissing.broken("no rule gives packets the mark of %s", e.ID).
		advise("mark what clients send: iptables -t mangle -A PREROUTING -d VIP -p tcp --dport PORT -j MARK --set-mark %d", e.ID.FWMark())
	if command := j.markingCommand(director, e.ID); command != "" {
		f = f.run(command).advise("it is for all packets to that address, where it names no port")
	}
	j.add(director, f)
}

// markingCommand marks packets for a service: those that another rule marks, or those
// for the setup's VIP. It is "" where neither is known.
func (j *judge) markingCommand(director *party, id ServiceID) string {
	for _, r := range director.FirewallRules {
		if r.Verdict == "mark" && r.hasAddress(id.Is6()) && !j.isMarkUsed(director, r.SetMark) {
			return r.mark(id.FWMark())
		}
	}
	for _, s := range j.setup {
		a, ok := s.Want.(Address)
		if vip := a.Prefix.Addr(); ok && director.isOwn && vip.Is6() == id.Is6() && director.delivers(vip) {
			return director.markAtEntry(parcel{to: netip.AddrPortFrom(vip, 0), is6: vip.Is6(), protocol: uint8(ProtocolTCP), in: director.placeOf(vip)}, id.FWMark())
		}
	}
	return ""
}

// hasAddress reports whether a rule is for one address of a family.
func (r FirewallRule) hasAddress(is6 bool) bool {
	return slices.ContainsFunc(r.To, func(p netip.Prefix) bool { return p.IsSingleIP() && p.Addr().Is6() == is6 })
}

// isMarkUsed reports whether a service is for a mark.
func (j *judge) isMarkUsed(director *party, mark uint32) bool {
	return slices.ContainsFunc(director.Services, func(e ServiceEntry) bool { return e.ID.FWMark() == mark })
}

// markAtEntry is the command that marks packets by what the host has: a filter of
// traffic control at their interface, or a chain at the hook where they come in.
func (p *party) markAtEntry(packet parcel, mark uint32) string {
	if p.interfaces[packet.in].Ingress {
		return markAt(chainKey{family: "tc", table: packet.in, chain: "ingress"}, packet, mark)
	}
	for _, c := range p.firewall.chains {
		if c.Hook == "prerouting" && c.Type != "nat" && c.sees(packet) {
			return markAt(chainKey{c.Family, c.Table, c.Name, c.Legacy}, packet, mark)
		}
	}
	return ""
}

// sent follows packets to a real server through the firewall of the director, and
// through the server's, and the answers back.
func (j *judge) sent(director *party, e ServiceEntry, s RealServer, host *party) {
	out := director.route(s.Addr.Addr(), netip.Addr{}).Interface
	what := fmt.Sprintf("packets of %s to %s", e.ID, s.Addr)
	state, clients := uint8(netstate.StateUntracked), j.clientsOf(director, s.Addr.Addr())
	if director.sysctl(SysctlConntrack) != "0" {
		state, clients = netstate.StateNew|netstate.StateInvalid, nil // servers may see other sources
	}
	for _, p := range j.forwardedPackets(director, e, s) {
		p.out, p.state, p.remote = out, state, true
		if s.Mode.isTunnel() {
			p.state = netstate.StateNew
		}
		j.sieve(director, p, clients, what, "output", "postrouting", "egress")
		j.bypasses(director, out)
		if host == nil {
			continue
		}
		p.in, p.out, p.state, p.remote, p.plain = host.interfaceOn(s.Addr.Addr()), "", netstate.StateNew, false, director.isPlain(s)
		j.arrives(host, p, clients, what)
		j.bypasses(host, p.in)
	}
	if host != nil {
		j.answersOut(director, e, s, host, clients)
	}
	if s.Mode == NAT {
		j.sentBack(director, e, s, host, out)
	}
}

// arrives follows packets into a real server. What it sends elsewhere in itself it
// may take there.
func (j *judge) arrives(host *party, p parcel, clients []netip.Addr, what string) {
	hooks := []string{"ingress", "prerouting", "input", "xfrm-in"}
	if f := host.firewall.follow(p, hooks...); f.sends != nil || f.maySend != nil {
		return
	}
	if !j.sieve(host, p, clients, what, hooks...) && p.protocol == uint8(ProtocolTCP) {
		p.later, p.state = true, netstate.StateEstablished
		j.sieve(host, p, clients, "later "+what, hooks...)
	}
}

// answersOut follows the answers of a real server through its own firewall.
func (j *judge) answersOut(director *party, e ServiceEntry, s RealServer, host *party, clients []netip.Addr) {
	sources := []netip.AddrPort{s.Addr}
	if s.Mode != NAT {
		sources = nil
		for _, vip := range j.vipsOf(director, e) {
			sources = append(sources, netip.AddrPortFrom(vip, e.ID.AddrPort().Port()))
		}
	}
	for _, from := range sources {
		p := packetTo(e, netip.AddrPort{})
		p.from, p.is6, p.back, p.remote, p.later, p.state = from, from.Addr().Is6(), true, true, true, netstate.StateEstablished
		if slices.ContainsFunc(host.FirewallRules, func(r FirewallRule) bool { return r.Verdict == "notrack" }) {
			p.state |= netstate.StateNew | netstate.StateInvalid | netstate.StateUntracked
		}
		if len(clients) > 0 {
			p.out = host.route(clients[0], from.Addr()).Interface
		}
		j.sieve(host, p, clients, fmt.Sprintf("answers of %s", s.Addr), "xfrm-out", "output", "postrouting", "egress")
	}
}

// forwardedPackets are those that leave the director for a real server.
func (j *judge) forwardedPackets(director *party, e ServiceEntry, s RealServer) (all []parcel) {
	switch {
	case s.Mode == NAT:
		to := s.Addr
		if to.Port() == 0 {
			to = netip.AddrPortFrom(to.Addr(), e.ID.AddrPort().Port())
		}
		return []parcel{packetTo(e, to)}
	case s.Mode.isTunnel():
		p := packetTo(e, netip.AddrPortFrom(s.Addr.Addr(), s.Mode.tunnelPort()))
		p.protocol = outerProtocol(s.Mode, e.ID.Is6())
		if src := director.route(s.Addr.Addr(), netip.Addr{}).Source; src.IsValid() {
			p.from = netip.AddrPortFrom(src, 0)
		}
		return []parcel{p}
	}
	for _, vip := range j.vipsOf(director, e) {
		all = append(all, packetTo(e, netip.AddrPortFrom(vip, e.ID.AddrPort().Port())))
	}
	return all
}

// sentBack follows a NAT server's answers through the director's firewall, which
// sees them before IPVS gives them the VIP. Connections that are not tracked begin, in
// its eyes, with an answer, which is invalid in TCP.
func (j *judge) sentBack(director *party, e ServiceEntry, s RealServer, host *party, in string) {
	p := packetTo(e, netip.AddrPort{})
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
		if j.sieve(director, p, clients, fmt.Sprintf("answers of %s", s.Addr), "ingress", "prerouting", "xfrm-fwd", "xfrm-out", "forward", "egress") {
			return
		}
	}
	for _, vip := range j.vipsOf(director, e) { // the way of what has the VIP is looked for again
		p.from, p.remote = netip.AddrPortFrom(vip, e.ID.AddrPort().Port()), false
		if director.sysctl(SysctlSNATReroute) != "0" {
			j.sieve(director, p, clients, fmt.Sprintf("answers of %s from %s", s.Addr, vip), "xfrm-out")
		}
	}
}

// translates reports whether what goes to a server gets the director's address, so
// that it answers there whatever its routes. Where that may be so, it is not told
// what its routes should be.
func (j *judge) translates(director *party, e ServiceEntry, s RealServer, host *party) bool {
	server := s.Addr.Addr()
	planned := director.isOwn && slices.ContainsFunc(j.setup, func(s Requirement) bool {
		nat, ok := s.Want.(SourceNAT)
		return ok && nat.To.IsValid() && nat.To.Contains(server)
	})
	if planned {
		return true
	}
	p := packetTo(e, s.Addr)
	p.out = director.route(server, netip.Addr{}).Interface
	f := director.firewall.follow(p, "postrouting")
	if j.untracked(director, e, s, f.maySource) {
		return true
	}
	why, _ := director.unread("firewall")
	tracked := director.sysctl(SysctlConntrack) != "0"
	switch {
	case !f.maySource && why == "":
		return false
	case !tracked && f.maySource && !host.hasHop(director):
		j.add(director, FindingNATConntrack.broken("rules give %s another source, and %s is 0", s.Addr, SysctlConntrack).
			fix(SysctlConntrack.Requirement("1", "source NAT sees only connections that netfilter tracks")))
		return true
	case !tracked:
		return false
	case f.sources:
		return true
	}
	j.unclear[FindingReturnRoute], j.unclear[FindingSameSubnet] = true, true
	return true
}

// untracked looks for rules that keep packets from connection tracking, although they
// are to get another source.
func (j *judge) untracked(director *party, e ServiceEntry, s RealServer, translated bool) (found bool) {
	for _, vip := range j.vipsOf(director, e) {
		p := packetTo(e, netip.AddrPortFrom(vip, e.ID.AddrPort().Port()))
		p.in = director.placeOf(vip)
		if f := director.firewall.follow(p, "prerouting"); translated && f.untracks != nil {
			j.add(director, FindingNATConntrack.broken("packets of %s to %s, and its answers, are not tracked, by %s", e.ID, s.Addr, f.untracks).
				run(f.untracks.allow(p), f.untracks.allow(parcel{from: s.Addr, is6: p.is6, protocol: p.protocol})))
			found = true
		}
	}
	return found
}

// firewalls lists what firewalls may do, where that is not known.
func (j *judge) firewalls() {
	slices.Sort(j.doubts)
	if all := slices.Compact(j.doubts); len(all) > 0 {
		const most = 5
		text := strings.Join(all[:min(len(all), most)], "; ")
		if more := len(all) - most; more > 0 {
			text += fmt.Sprintf("; and %d more", more)
		}
		j.cannotSee(FindingFirewall, "%s", text)
		return
	}
	if len(j.hosts) == 1 || len(j.absent) > 0 {
		j.cannotSee(FindingFirewall, "look at the firewalls of the real servers, and of what is between: nft list ruleset; iptables-save")
	}
}
