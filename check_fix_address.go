package lvs

import "net/netip"

// An interface loses its IPv6 addresses and their routes when it goes down, or IPv6 is
// switched off on it. Others may know what it had.

// networkFix returns the settings that let a host reach a network again that an address is
// in, by the one interface that has lost its addresses; none if that is not known.
func (j *judge) networkFix(p *hostView, in netip.Addr) Setup {
	name := p.soleBareInterface(in)
	if name == "" {
		return nil
	}
	if a, ok := j.formerAddr(p, name, in); ok {
		return j.addrFix(p, name, a)
	}
	if in.Is4() {
		return nil // without an address it cannot ask for others
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

// soleBareInterface returns the one interface that could be in a network and has no address of a
// family; "" if there is not exactly one.
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

// formerAddr returns the address that an interface had in the network of another one, by
// what the neighbours of the host remember.
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

// addrFix are the settings that give an interface an address again, and the host its
// default route if it has none.
func (j *judge) addrFix(p *hostView, name string, a netip.Prefix) Setup {
	s := append(p.enableFix(name, a.Addr()), Requirement{Want: Address{Interface: name, Prefix: a}, Why: "other hosts send to this address"})
	return append(s, j.defaultRouteFix(p, a)...)
}

// enableFix are the settings by which an interface takes addresses of a family.
func (p *hostView) enableFix(name string, family netip.Addr) (s Setup) {
	if key := InterfaceSysctl(name, "disable_ipv6", true); family.Is6() && p.sysctl(key) == "1" {
		s = append(s, Requirement{Want: Sysctl{key, "0"}, Why: "an interface without IPv6 has no such address"})
	}
	switch mtu := p.mtu(name); {
	case family.Is6() && mtu != 0 && mtu < leastIPv6MTU:
		s = append(s, Requirement{Want: Link{Name: name, Up: true, MTU: ordinaryMTU}, Why: "an interface with a smaller MTU than 1280 has no IPv6"})
	case !p.interfaces[name].Up:
		s = append(s, Requirement{Want: Link{Name: name, Up: true}, Why: "addresses are used only while it is up"})
	}
	return s
}

const leastIPv6MTU = 1280 // of IPv6, on any link
