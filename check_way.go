package lvs

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/golvs/lvs/internal/netstate"
)

// ways looks at the way from a director to a real server.
func (j *judge) ways(director *party, e ServiceEntry, s RealServer) {
	server := s.Addr.Addr()
	need := fmt.Sprintf("%s is forwarded to %s by it", e.ID, s.Addr)
	w := director.forwarding(s)
	if w.Unsure {
		j.unclear[FindingRouteBlocked] = true
		return
	}
	if w.Local() && j.byAddr[server] == nil {
		return // by a route for a whole network that the director takes
	}
	if what := director.blocked(w); what != "" {
		j.add(director, j.routed(FindingRouteBlocked.broken("%s -> %s: %s", e.ID, s.Addr, what), director, w))
		return
	}
	if f, bad := director.strays(w, server); bad {
		f.Detail = fmt.Sprintf("%s -> %s: %s", e.ID, s.Addr, f.Detail)
		j.add(director, f)
		return
	}
	if wide, ok := j.widen(director, server); ok && w.Via.IsValid() && w.To.Bits() == 0 && len(director.networks(server)) == 0 {
		j.add(director, FindingRouteStrays.broken("%s -> %s: the director is in the server's network by its address, and not by the length of that: it is sought by way of %s", e.ID, s.Addr, w.Via).
			fix(wide))
		return
	}
	if s.Mode == DR && w.Via.IsValid() {
		j.add(director, FindingNotOnLink.broken("%s -> %s is reached by %s, and DR only puts the next host's address on a packet for the VIP", e.ID, s.Addr, w.Via).
			change(e.asSiblings(s)...).advise("put the server on a network of the director, or forward to it by a tunnel"))
		return
	}
	f, about, bad := j.onward(director, w, need)
	if bad {
		j.add(about, f)
		return
	}
	j.disguised(director, e, s, w)
	if s.Mode == NAT {
		if f, bad := director.relays(w.Interface, server.Is6(), fmt.Sprintf("answers of the real servers of %s are sent on to the clients", e.ID)); bad {
			j.add(director, f)
		}
	}
}

// forwarding returns the way of a director's packets to a real server. For a tunnel of
// IPv4, IPVS asks for it again with the source that it got.
func (p *party) forwarding(s RealServer) netstate.Way {
	w := p.route(s.Addr.Addr(), netip.Addr{})
	if !s.Mode.isTunnel() || s.Addr.Addr().Is6() || !w.Onward() || w.Unsure {
		return w
	}
	return p.route(s.Addr.Addr(), p.sourceOf(w))
}

// sourceOf returns the source that the kernel gives what goes a way of IPv4: that of
// the route, or an address of the interface, in the network of the next hop if one is.
func (p *party) sourceOf(w netstate.Way) (source netip.Addr) {
	hop := w.Via
	if !hop.IsValid() {
		hop = w.Question.To
	}
	if w.Source.IsValid() {
		return w.Source
	}
	for _, a := range p.addresses {
		if a.Interface != w.Interface || !a.Prefix.Addr().Is4() {
			continue
		}
		if a.Prefix.Masked().Contains(hop) {
			return a.Prefix.Addr()
		}
		if !source.IsValid() {
			source = a.Prefix.Addr()
		}
	}
	return source
}

// disguised looks for a tunnel whose packets come from an address that the real server
// has too, which drops them.
func (j *judge) disguised(director *party, e ServiceEntry, s RealServer, w netstate.Way) {
	server := s.Addr.Addr()
	source, host := director.sourceOf(w), j.byAddr[server]
	if !s.Mode.isTunnel() || server.Is6() || !source.IsValid() || host == nil || !host.delivers(source) ||
		host.parameter(host.interfaceOn(server), "accept_local") == "1" {
		return
	}
	f := FindingMartianSource.broken("%s -> %s: packets of the tunnel come from %s, which is an address of the real server too", e.ID, s, source)
	for _, a := range director.addresses {
		if own := a.Prefix.Addr(); a.Interface == w.Interface && own.Is4() && !host.has(own) {
			j.add(director, f.run(replaceRoute(w.RouteEntry, w.RouteEntry)+optionText("src", own)))
			return
		}
	}
	j.add(director, f.advise("give the route to it a source (src) that is an address of the director alone"))
}

// strays returns the finding about a route that leads away from a network that the
// host is in, and false if it does not.
func (p *party) strays(w netstate.Way, to netip.Addr) (Finding, bool) {
	here := p.networks(to)
	isHere := slices.ContainsFunc(here, func(n Address) bool { return n.Interface == w.Interface })
	if !w.Onward() || len(here) == 0 || isHere && (!w.Via.IsValid() || w.Via == to) || p.isBlind(here[0].Interface) {
		return Finding{}, false
	}
	if f, bad := p.linkFault(here[0].Interface, fmt.Sprintf("%s is behind it", to)); bad {
		return f, true // its routes went with it
	}
	way := "by " + w.Interface
	if w.Via.IsValid() {
		way = "by way of " + w.Via.String()
	}
	return FindingRouteStrays.broken("%s is in the network %s of %s, and is sought %s", to, here[0].Prefix.Masked(), here[0].Interface, way).
		run(deleteRoute(w.RouteEntry)), true
}

// twice looks for a real server's address that the director has too, so that
// packets for it stay there.
func (j *judge) twice(director *party, e ServiceEntry, s RealServer) bool {
	server := s.Addr.Addr()
	for _, other := range j.hosts {
		if other == director || !other.isFirmly(server) || director.isFirmly(server) {
			continue
		}
		for _, a := range director.having(server) {
			j.add(director, FindingServerHere.broken("%s -> %s: it is an address of the director too, on %s, and packets for it stay there", e.ID, s.Addr, a.Interface).
				run(fmt.Sprintf("ip%s addr del %s dev %s", familyFlag(server.Is6()), a.Prefix, a.Interface)))
			return true
		}
	}
	return false
}

// isFirmly reports whether an address is one by which the host is in a network.
func (p *party) isFirmly(a netip.Addr) bool {
	return slices.ContainsFunc(p.having(a), func(own Address) bool { return !own.Prefix.IsSingleIP() && !p.isBlind(own.Interface) })
}

// untold looks for tunnels that are too narrow, that clients do not hear of.
func (j *judge) untold(e ServiceEntry) {
	for _, s := range e.Servers {
		if !s.Mode.isTunnel() || j.own.sysctl(SysctlPMTUDisc) != "0" {
			continue
		}
		if mtu := j.own.mtuOf(j.own.route(s.Addr.Addr(), netip.Addr{})); mtu != 0 && mtu < ordinaryMTU+overhead(s.RealServer) {
			j.add(j.own, FindingMTU.risk("%s -> %s: 1500 bytes and %d of the tunnel do not fit into the MTU %d, and pmtu_disc=0 tells no client",
				e.ID, s.RealServer, overhead(s.RealServer), mtu).fix(SysctlPMTUDisc.Requirement("1", "tell clients that their packets are too big")))
		}
	}
}

// ordinaryMTU is what clients send at most.
const ordinaryMTU = 1500

// room looks whether packets that clients may send fit into a tunnel. A router
// between the hosts is not seen.
func (j *judge) room(director *party, e ServiceEntry, s RealServer, host *party) {
	way := director.route(s.Addr.Addr(), netip.Addr{})
	if !way.Onward() || way.Via.IsValid() {
		j.unclear[FindingPathMTU] = true
	}
	path := director.mtuOf(way)
	for _, at := range host.having(s.Addr.Addr()) {
		if mtu := host.mtu(at.Interface); mtu != 0 && (path == 0 || mtu < path) {
			path = mtu
		}
	}
	size, vip := ordinaryMTU, e.ID.AddrPort().Addr()
	headers := 40
	if e.ID.Is6() {
		headers = 60
	}
	if e.ID.FWMark() == 0 {
		if back := host.route(defaultRoute(vip).Addr(), vip); back.AdvMSS != 0 {
			size = min(size, back.AdvMSS+headers)
		}
	}
	if over := overhead(s); path != 0 && size+over > path {
		j.add(host, FindingPathMTU.risk("%s -> %s: clients may send %d bytes, and %d fit into the tunnel", e.ID, s, size, path-over).
			advise("set MSS of the real server's setup to %d, or let ICMP 'fragmentation needed' and 'packet too big' through to the director", path-over-headers))
	}
}
