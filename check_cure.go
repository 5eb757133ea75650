package lvs

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/golvs/lvs/internal/netstate"
)

// What cures a host is often known from the others in its network.

// gateway returns another next hop than a way has, which other hosts of the network
// use for the rest of the world; none if they do not agree.
func (j *judge) gateway(p *party, w netstate.Way, family netip.Addr) netip.Addr {
	return j.gatewayIn(p, w, family, func(via netip.Addr) bool {
		_, wider := j.widen(p, via)
		return wider || len(p.networks(via)) > 0
	})
}

// gatewayIn is as gateway, of a host whose networks are those that the function says.
// Where directors and real servers do not agree, those count that are what the host is.
func (j *judge) gatewayIn(p *party, w netstate.Way, family netip.Addr, reaches func(netip.Addr) bool) netip.Addr {
	alike, all := make(map[netip.Addr]bool), make(map[netip.Addr]bool)
	for _, other := range j.hosts {
		via := other.route(farAway(family), netip.Addr{}).Via
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

// farAway is an address of the rest of the world. In IPv6 the first one is not: the
// device sit0 brings a route for addresses that begin with 96 zeros.
func farAway(family netip.Addr) netip.Addr {
	if family.Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.AddrFrom16([16]byte{0x20})
}

// wayOut are the settings that give a host without a way to the rest of the world the
// gateway that others use, if it can reach that once it is in some networks.
func (j *judge) wayOut(p *party, networks ...netip.Prefix) (s Setup) {
	for _, n := range networks {
		n = n.Masked()
		if p.route(farAway(n.Addr()), netip.Addr{}).Onward() {
			continue
		}
		if g := j.gatewayIn(p, netstate.Way{}, n.Addr(), n.Contains); g.IsValid() {
			s = append(s, Requirement{Want: Route{To: defaultRoute(g), Via: g}, Why: viaOthers})
		}
	}
	return s
}

const (
	viaOthers = "the gateway that other hosts of the network use"
	viaRouter = "clients from elsewhere come by a router, and no other neighbour can be it"
)

// routerOf returns the router by which clients of a director come that are in none of
// its networks: the one neighbour that is neither another client, nor one of the hosts,
// nor the next hop of a way; false if there are several.
func (j *judge) routerOf(p *party, w netstate.Way, family netip.Addr) (router Neighbour, ok bool) {
	others, far := make(map[string]bool), false // by their hardware addresses
	for _, client := range j.clientsOf(p, family) {
		far = far || len(p.networks(client)) == 0
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
		if n.Addr.Is6() != family.Is6() || n.MAC == "" || others[n.MAC] || n.isGone() || n.Proxy || n.Addr == w.Via || len(p.networks(n.Addr)) == 0 {
			continue
		}
		if !far || ok && router.MAC != n.MAC {
			return Neighbour{}, false
		}
		router, ok = n, true
	}
	return router, ok
}

// instead returns a route by another gateway than a way has: the one that others use, or
// the router by which clients come; false if none is known.
func (j *judge) instead(p *party, w netstate.Way, r Route) (Requirement, bool) {
	if r.Via = j.gateway(p, w, r.To.Addr()); r.Via.IsValid() {
		return Requirement{Want: r, Why: viaOthers}, true
	}
	router, ok := j.routerOf(p, w, r.To.Addr())
	if r.Via = router.Addr; r.Via.IsLinkLocalUnicast() {
		r.Interface = router.Interface
	}
	return Requirement{Want: r, Why: viaRouter}, ok
}

// widen returns the setting that gives an address of the host the length that
// another host has in a network that an address is in.
func (j *judge) widen(p *party, to netip.Addr) (Requirement, bool) {
	for _, other := range j.hosts {
		if other == p {
			continue
		}
		for _, n := range other.networks(to) {
			for _, own := range p.addresses {
				a := own.Prefix
				if !j.vips[a.Addr()] && !p.interfaces[own.Interface].Loopback && n.Prefix.Masked().Contains(a.Addr()) && a.Bits() > n.Prefix.Bits() {
					return Requirement{Want: Address{Interface: own.Interface, Prefix: netip.PrefixFrom(a.Addr(), n.Prefix.Bits())},
						Why: fmt.Sprintf("the length that others have in %s", n.Prefix.Masked())}, true
				}
			}
		}
	}
	return Requirement{}, false
}

// routed adds to a finding about a missing route what gives the host one: the
// length that others have in that network, or their gateway. What blocks the way that
// there is goes first.
func (j *judge) routed(f Finding, p *party, w netstate.Way) Finding {
	to := w.Question.To
	commands, leads := p.unblock(w)
	if f = f.run(commands...); leads {
		return f
	}
	if wide, ok := j.widen(p, to); ok && len(p.networks(to)) == 0 {
		return f.fix(append(Setup{wide}, j.wayOut(p, wide.Want.(Address).Prefix)...)...)
	}
	if s := j.regain(p, to); len(s) > 0 && len(p.networks(to)) == 0 {
		return f.fix(s...)
	}
	route, ok := j.instead(p, netstate.Way{}, Route{To: defaultRoute(to)})
	if !ok {
		f.Commands = nil // taking away what blocks gives it no way
		return f.advise("give it a route, or an address in that network")
	}
	g := route.Want.(Route).Via
	if wide, ok := j.widen(p, g); ok && len(p.networks(g)) == 0 {
		return f.fix(wide, route)
	}
	if g.IsLinkLocalUnicast() {
		return f.fix(route)
	}
	return f.fix(append(p.enabled(p.interfaceOn(g), g), route)...)
}

// announce adds the finding that neighbours of a director may still know another
// host by a VIP's address, as they do for minutes after that was changed.
func (j *judge) announce(director *party, vip netip.Addr, severity Severity) {
	for _, name := range director.askedOn(vip) {
		i := director.interfaces[name]
		if i.MAC == "" || i.NoARP {
			continue
		}
		key := InterfaceSysctl(name, "arp_notify", false)
		if vip.Is6() {
			key = InterfaceSysctl(name, "ndisc_notify", true)
		}
		j.add(director, FindingARPStale.at(severity, "neighbours on %s may still know another host by %s", name, vip).
			run(Sysctl{key, "1"}.String(), "ip link set dev "+name+" address "+i.MAC))
	}
}

// askedOn returns the interfaces on which clients and routers ask for an address:
// those in whose networks it is and what is on top of them with it, else the one that
// has it, else the one that leads to the rest of the world.
func (p *party) askedOn(a netip.Addr) (names []string) {
	seen := make(map[string]bool)
	add := func(name string) {
		if i, ok := p.interfaces[name]; ok && !i.Loopback && !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	for _, n := range p.networks(a) {
		if p.interfaces[n.Interface].Kind != "dummy" {
			add(n.Interface)
		}
	}
	found := slices.Clone(names)
	for _, own := range p.having(a) {
		if i := p.interfaces[own.Interface]; !p.isBlind(own.Interface) && (len(found) == 0 || slices.Contains(found, i.Below)) {
			add(own.Interface)
		}
	}
	if len(names) == 0 {
		add(p.route(defaultRoute(a).Addr(), netip.Addr{}).Interface)
	}
	return names
}

// isBlind reports whether no network is behind an interface: nothing comes in by
// it, but what tunnels bring.
func (p *party) isBlind(name string) bool {
	i := p.interfaces[name]
	return i.Loopback || i.Kind == "dummy" || linkKinds[i.Kind]
}
