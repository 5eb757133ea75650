package lvs

import (
	"fmt"
	"net/netip"

	"github.com/golvs/lvs/internal/netstate"
)

// What fixes a host is often known from the other hosts in its network.

// gatewayOfOthers returns the gateway that other hosts of the network use for the rest of
// the world, if it is not the next hop of the way; none if they do not agree.
func (j *judge) gatewayOfOthers(p *hostView, w netstate.Way, family netip.Addr) netip.Addr {
	return j.gatewayAmong(p, w, family, func(via netip.Addr) bool {
		_, wider := j.widerPrefix(p, via)
		return wider || len(p.subnetsContaining(via)) > 0
	})
}

// gatewayAmong is gatewayOfOthers for a host that reaches other gateways than it does now.
// Where directors and real servers do not agree, those count that have the host's role.
func (j *judge) gatewayAmong(p *hostView, w netstate.Way, family netip.Addr, reaches func(netip.Addr) bool) netip.Addr {
	alike, all := make(map[netip.Addr]bool), make(map[netip.Addr]bool)
	for _, other := range j.hosts {
		via := other.route(distantAddr(family), netip.Addr{}).Via
		if other == p || !via.IsValid() || via == w.Via || p.has(via) || !reaches(via) {
			continue
		}
		all[via] = true
		if (len(other.Services) > 0) == (len(p.Services) > 0) {
			alike[via] = true
		}
	}
	for _, set := range []map[netip.Addr]bool{all, alike} {
		for via := range set {
			if len(set) == 1 {
				return via
			}
		}
	}
	return netip.Addr{}
}

// distantAddr returns an address of the rest of the world. For IPv6 that is not the first
// one: the device sit0 has a route for addresses that begin with 96 zeros.
func distantAddr(family netip.Addr) netip.Addr {
	if family.Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.AddrFrom16([16]byte{0x20})
}

// defaultRouteFix returns the requirements that give a host without a default route the
// gateway of others, if it can reach that once it is in some networks.
func (j *judge) defaultRouteFix(p *hostView, networks ...netip.Prefix) (s Setup) {
	for _, n := range networks {
		n = n.Masked()
		if p.route(distantAddr(n.Addr()), netip.Addr{}).Onward() {
			continue
		}
		if g := j.gatewayAmong(p, netstate.Way{}, n.Addr(), n.Contains); g.IsValid() {
			s = append(s, Requirement{Want: Route{To: defaultRoute(g), Via: g}, Why: viaOthers})
		}
	}
	return s
}

const (
	viaOthers = "other hosts of the network use this gateway"
	viaRouter = "packets of distant clients arrive from this neighbour, the only one that can be their router"
)

// routerOfClients returns the router from which packets of distant clients arrive at a
// director: the one neighbour that is not a client, not one of the hosts, and not the next
// hop of the way. It returns false if there are several.
func (j *judge) routerOfClients(p *hostView, w netstate.Way, family netip.Addr) (router Neighbour, ok bool) {
	others, far := make(map[string]bool), false // by hardware address
	for _, client := range j.clientsOf(p, family) {
		far = far || len(p.subnetsContaining(client)) == 0
		for _, n := range p.Neighbours {
			others[n.MAC] = others[n.MAC] || n.Addr == client
		}
	}
	for _, host := range j.hosts {
		for _, i := range host.Interfaces {
			others[i.MAC] = true
		}
	}
	for _, n := range p.Neighbours {
		if n.Addr.Is6() != family.Is6() || n.MAC == "" || others[n.MAC] || n.isGone() || n.Proxy || n.Addr == w.Via || len(p.subnetsContaining(n.Addr)) == 0 {
			continue
		}
		if !far || ok && router.MAC != n.MAC {
			return Neighbour{}, false
		}
		router, ok = n, true
	}
	return router, ok
}

// otherGateway completes a route by another gateway than the way has: the one that other
// hosts use, or the router of distant clients; false if none is known.
func (j *judge) otherGateway(p *hostView, w netstate.Way, r Route) (Requirement, bool) {
	if r.Via = j.gatewayOfOthers(p, w, r.To.Addr()); r.Via.IsValid() {
		return Requirement{Want: r, Why: viaOthers}, true
	}
	router, ok := j.routerOfClients(p, w, r.To.Addr())
	if r.Via = router.Addr; r.Via.IsLinkLocalUnicast() {
		r.Interface = router.Interface
	}
	return Requirement{Want: r, Why: viaRouter}, ok
}

// widerPrefix returns the requirement that gives an address of the host the prefix length
// that other hosts have in the network of an address.
func (j *judge) widerPrefix(p *hostView, to netip.Addr) (Requirement, bool) {
	for _, other := range j.hosts {
		if other == p {
			continue
		}
		for _, n := range other.subnetsContaining(to) {
			for _, own := range p.addresses {
				a := own.Prefix
				if !j.vips[a.Addr()] && !p.interfaces[own.Interface].Loopback && n.Prefix.Masked().Contains(a.Addr()) && a.Bits() > n.Prefix.Bits() {
					return Requirement{Want: Address{Interface: own.Interface, Prefix: netip.PrefixFrom(a.Addr(), n.Prefix.Bits())},
						Why: fmt.Sprintf("other hosts have this prefix length in %s", n.Prefix.Masked())}, true
				}
			}
		}
	}
	return Requirement{}, false
}

// withRouteFix adds to a finding about a missing route what gives the host one: the prefix
// length that others have in that network, or their gateway. What blocks the way is
// removed first.
func (j *judge) withRouteFix(f Finding, p *hostView, w netstate.Way) Finding {
	to := w.Question.To
	commands, leads := p.unblock(w)
	if f = f.run(commands...); leads {
		return f
	}
	if wide, ok := j.widerPrefix(p, to); ok && len(p.subnetsContaining(to)) == 0 {
		return f.fix(append(Setup{wide}, j.defaultRouteFix(p, wide.Want.(Address).Prefix)...)...)
	}
	if s := j.networkFix(p, to); len(s) > 0 && len(p.subnetsContaining(to)) == 0 {
		return f.fix(s...)
	}
	route, ok := j.otherGateway(p, netstate.Way{}, Route{To: defaultRoute(to)})
	if !ok {
		f.Commands = nil // removing what blocks does not lead to a route
		return f.advise("give the host a route, or an address in that network")
	}
	g := route.Want.(Route).Via
	if wide, ok := j.widerPrefix(p, g); ok && len(p.subnetsContaining(g)) == 0 {
		return f.fix(wide, route)
	}
	if g.IsLinkLocalUnicast() {
		return f.fix(route)
	}
	return f.fix(append(p.enableFix(p.interfaceOn(g), g), route)...)
}
