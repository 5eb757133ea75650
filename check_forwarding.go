package lvs

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/golvs/lvs/internal/netstate"
)

// checkForwarding looks at the way from a director to a real server.
func (j *judge) checkForwarding(director *hostView, e ServiceEntry, s RealServer) {
	server := s.Addr.Addr()
	need := fmt.Sprintf("%s is forwarded to %s by it", e.ID, s.Addr)
	w := director.forwardingRoute(s)
	if w.Unsure {
		j.unclear[FindingRouteBlocked] = true
		return
	}
	if w.Local() && j.byAddr[server] == nil {
		return // by a route for a whole network that the director takes
	}
	if what := director.whyBlocked(w); what != "" {
		j.add(director, j.withRouteFix(FindingRouteBlocked.broken("%s -> %s: %s", e.ID, s.Addr, what), director, w))
		return
	}
	if f, bad := director.findStray(w, server); bad {
		f.Detail = fmt.Sprintf("%s -> %s: %s", e.ID, s.Addr, f.Detail)
		j.add(director, f)
		return
	}
	if wide, ok := j.widerPrefix(director, server); ok && w.Via.IsValid() && w.To.Bits() == 0 && len(director.subnetsContaining(server)) == 0 {
		j.add(director, FindingRouteStrays.broken("%s -> %s: the director is in the server's network by its address, and not by the length of that: it is sought by way of %s", e.ID, s.Addr, w.Via).
			fix(wide))
		return
	}
	if s.Mode == DR && w.Via.IsValid() {
		j.add(director, FindingNotOnLink.broken("%s -> %s is reached by %s, and DR only puts the next host's address on a packet for the VIP", e.ID, s.Addr, w.Via).
			change(e.likeSiblings(s)...).advise("put the server on a network of the director, or forward to it by a tunnel"))
		return
	}
	f, about, bad := j.checkOnward(director, w, need)
	if bad {
		j.add(about, f)
		return
	}
	j.checkTunnelSource(director, e, s, w)
	if s.Mode == NAT {
		if f, bad := director.findForwardingOff(w.Interface, server.Is6(), fmt.Sprintf("answers of the real servers of %s are sent on to the clients", e.ID)); bad {
			j.add(director, f)
		}
	}
}

// forwardingRoute returns the way of a director's packets to a real server. For a tunnel of
// IPv4, IPVS asks for it again with the source that it got.
func (p *hostView) forwardingRoute(s RealServer) netstate.Way {
	w := p.route(s.Addr.Addr(), netip.Addr{})
	if !s.Mode.isTunnel() || s.Addr.Addr().Is6() || !w.Onward() || w.Unsure {
		return w
	}
	return p.route(s.Addr.Addr(), p.sourceOf(w))
}

// sourceOf returns the source that the kernel gives what goes a way of IPv4: that of
// the route, or an address of the interface, in the network of the next hop if one is.
func (p *hostView) sourceOf(w netstate.Way) (source netip.Addr) {
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

// findStray returns the finding about a route that leads away from a network that the
// host is in, and false if it does not.
func (p *hostView) findStray(w netstate.Way, to netip.Addr) (Finding, bool) {
	here := p.subnetsContaining(to)
	isHere := slices.ContainsFunc(here, func(n Address) bool { return n.Interface == w.Interface })
	if !w.Onward() || len(here) == 0 || isHere && (!w.Via.IsValid() || w.Via == to) || p.hasNoNetwork(here[0].Interface) {
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
		run(routeDeleteCommand(w.RouteEntry)), true
}

// checkServerAddr looks for a real server's address that the director has too, so that
// packets for it stay there.
func (j *judge) checkServerAddr(director *hostView, e ServiceEntry, s RealServer) bool {
	server := s.Addr.Addr()
	for _, other := range j.hosts {
		if other == director || !other.isInNetwork(server) || director.isInNetwork(server) {
			continue
		}
		for _, a := range director.addrsEqual(server) {
			j.add(director, FindingServerHere.broken("%s -> %s: it is an address of the director too, on %s, and packets for it stay there", e.ID, s.Addr, a.Interface).
				run(fmt.Sprintf("ip%s addr del %s dev %s", familyFlag(server.Is6()), a.Prefix, a.Interface)))
			return true
		}
	}
	return false
}
