package lvs

import "net/netip"

// An interface loses its IPv6 addresses and their routes when it goes down, or when IPv6
// is disabled on it. Other hosts may know what it had.

// networkFix returns the requirements that let a host reach the network of an address
// again, by the one interface that has lost its addresses; none if that is not known.
func (j *judge) networkFix(p *hostView, in netip.Addr) Setup {
	name := p.soleBareInterface(in)
	if name == "" {
		return nil
	}
	if a, ok := j.formerAddr(p, name, in); ok {
		return j.addrFix(p, name, a)
	}
	if in.Is4() {
		return nil // without an address it cannot resolve others
	}
	for _, other := range j.hosts {
		for _, n := range other.subnetsContaining(in) {
			if other != p {
				return append(p.enableFix(name, in), Requirement{Want: Route{To: n.Prefix.Masked(), Interface: name}, Why: "other hosts are in that network"})
			}
		}
	}
	return nil
}

// soleBareInterface returns the one interface that could be in a network but has no
// address of a family; "" if there is not exactly one.
func (p *hostView) soleBareInterface(family netip.Addr) (name string) {
	addressed := make(map[string]bool)
	for _, a := range p.addresses {
		if addr := a.Prefix.Addr(); addr.Is6() == family.Is6() && !addr.IsLinkLocalUnicast() {
			addressed[a.Interface] = true
		}
	}
	for _, i := range p.Interfaces {
		if addressed[i.Name] || p.hasNoNetwork(i.Name) || i.Up && !i.Carrier || i.Master != "" {
			continue
		}
		if name != "" {
			return ""
		}
		name = i.Name
	}
	return name
}

// formerAddr returns the address that an interface had in a network of another host, as
// far as that host's neighbour entries still show it.
func (j *judge) formerAddr(p *hostView, name string, in netip.Addr) (a netip.Prefix, ok bool) {
	mac := p.interfaces[name].MAC
	for _, other := range j.hosts {
		if other == p || mac == "" {
			continue
		}
		for _, network := range other.subnetsContaining(in) {
			for _, n := range other.Neighbours {
				if n.MAC != mac || n.Interface != network.Interface || !network.Prefix.Masked().Contains(n.Addr) || j.byAddr[n.Addr] != nil || j.vips[n.Addr] {
					continue
				}
				found := netip.PrefixFrom(n.Addr, network.Prefix.Bits())
				if ok && a != found {
					return netip.Prefix{}, false
				}
				a, ok = found, true
			}
		}
	}
	return a, ok
}

// addrFix returns the requirements that give an interface an address again, and the host
// a default route if it has none.
func (j *judge) addrFix(p *hostView, name string, a netip.Prefix) Setup {
	s := append(p.enableFix(name, a.Addr()), Requirement{Want: Address{Interface: name, Prefix: a}, Why: "other hosts send to this address"})
	return append(s, j.defaultRouteFix(p, a)...)
}

// enableFix returns the requirements that let an interface use addresses of a family.
func (p *hostView) enableFix(name string, family netip.Addr) (s Setup) {
	if key := InterfaceSysctl(name, "disable_ipv6", true); family.Is6() && p.sysctl(key) == "1" {
		s = append(s, Requirement{Want: Sysctl{key, "0"}, Why: "IPv6 is disabled on the interface"})
	}
	switch mtu := p.mtu(name); {
	case family.Is6() && mtu != 0 && mtu < leastIPv6MTU:
		s = append(s, Requirement{Want: Link{Name: name, Up: true, MTU: ordinaryMTU}, Why: "IPv6 needs an MTU of at least 1280"})
	case !p.interfaces[name].Up:
		s = append(s, Requirement{Want: Link{Name: name, Up: true}, Why: "its addresses are used only while it is up"})
	}
	return s
}

const leastIPv6MTU = 1280 // that IPv6 accepts on a link
