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
	need := fmt.Sprintf("needed to forward %s to %s", e.ID, s.Addr)
	w := director.forwardingRoute(s)
	if w.Unsure {
		j.unclear[FindingRouteBlocked] = true
		return
	}
	if w.Local() && j.byAddr[server] == nil {
		return // by a local route for the server's whole network
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
		j.add(director, FindingRouteStrays.broken("%s -> %s: the prefix length of the director's address leaves out the server, so packets go by %s", e.ID, s.Addr, w.Via).
			fix(wide))
		return
	}
	if s.Mode == DR() && w.Via.IsValid() {
		j.add(director, FindingNotOnLink.broken("%s -> %s: the next hop is %s, which sends packets for the VIP back", e.ID, s.Addr, w.Via).
			change(e.likeSiblings(s)...).advise("put the server on a network of the director, or use a tunnel"))
		return
	}
	f, about, bad := j.checkOnward(director, w, need)
	if bad {
		j.add(about, f)
		return
	}
	j.checkTunnelSource(director, e, s, w)
	if s.Mode == NAT() {
		if f, bad := director.findForwardingOff(w.Interface, server.Is6(), fmt.Sprintf("needed to forward answers of the real servers of %s to clients", e.ID)); bad {
			j.add(director, f)
		}
	}
}

// forwardingRoute returns the route of a director's packets to a real server. For a tunnel
// over IPv4, IPVS looks the route up again with the source that the first look-up gave.
func (p *hostView) forwardingRoute(s RealServer) netstate.Way {
	w := p.route(s.Addr.Addr(), netip.Addr{})
	if !s.Mode.IsTunnel() || s.Addr.Addr().Is6() || !w.Onward() || w.Unsure {
		return w
	}
	return p.route(s.Addr.Addr(), p.sourceOf(w))
}

// sourceOf returns the source that the kernel picks for packets on an IPv4 route: that of
// the route, or an address of the interface, preferably in the network of the next hop.
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

// findStray returns the finding about a route that leads away from a network that the host
// is in, and false if it does not.
func (p *hostView) findStray(w netstate.Way, to netip.Addr) (Finding, bool) {
	here := p.subnetsContaining(to)
	isHere := slices.ContainsFunc(here, func(n Address) bool { return n.Interface == w.Interface })
	if !w.Onward() || len(here) == 0 || isHere && (!w.Via.IsValid() || w.Via == to) || p.hasNoNetwork(here[0].Interface) {
		return Finding{}, false
	}
	if f, bad := p.linkFault(here[0].Interface, fmt.Sprintf("needed to reach %s", to)); bad {
		return f, true // the interface's routes went with it
	}
	way := "by " + w.Interface
	if w.Via.IsValid() {
		way = "by " + w.Via.String()
	}
	return FindingRouteStrays.broken("%s is in the network %s of %s, but packets for it go %s", to, here[0].Prefix.Masked(), here[0].Interface, way).
		run(routeDeleteCommand(w.RouteEntry)), true
}

// checkServerAddr looks for an address of a real server that the director has too, so that
// packets for it do not leave the director.
func (j *judge) checkServerAddr(director *hostView, e ServiceEntry, s RealServer) bool {
	server := s.Addr.Addr()
	for _, other := range j.hosts {
		if other == director || !other.isInNetwork(server) || director.isInNetwork(server) {
			continue
		}
		for _, a := range director.addrsEqual(server) {
			j.add(director, FindingServerHere.broken("%s -> %s: the director has that address too, on %s, so packets for it stay here", e.ID, s.Addr, a.Interface).
				run(fmt.Sprintf("ip%s addr del %s dev %s", familyFlag(server.Is6()), a.Prefix, a.Interface)))
			return true
		}
	}
	return false
}
