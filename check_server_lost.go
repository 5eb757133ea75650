package lvs

import "net/netip"

// The host of a real server whose address no host has may be one of the hosts: it lost the
// address, or got another one.

// serverRoll lists the real servers of a director.
type serverRoll struct {
	serves  map[*hostView]bool
	missing map[netip.Addr]bool // addresses of real servers that no host has
}

// rollOf returns the real servers of all services of a director.
func (j *judge) rollOf(director *hostView) serverRoll {
	if r, ok := j.rolls[director]; ok {
		return r
	}
	r := serverRoll{make(map[*hostView]bool), make(map[netip.Addr]bool)}
	for _, e := range director.Services {
		for _, s := range e.RealServers {
			if host := j.byAddr[s.Addr.Addr()]; host != nil {
				r.serves[host] = true
			} else if !s.Addr.Addr().IsLoopback() {
				r.missing[s.Addr.Addr()] = true
			}
		}
	}
	j.rolls[director] = r
	return r
}

// checkLostServer looks for the host of a real server whose address no host has: the only
// host that is set up for it and is not a real server by another address.
func (j *judge) checkLostServer(director *hostView, e ServiceEntry, s RealServer) {
	server := s.Addr.Addr()
	if len(j.hosts) == 1 {
		return
	}
	network, known := j.smallestNetwork(server)
	all := j.rollOf(director)
	if !known || len(all.missing) > 1 {
		return
	}
	var lost *hostView
	for _, p := range j.hosts {
		if p == director || len(p.Services) > 0 || all.serves[p] || !j.isSetUp(director, e, s, p) {
			continue
		}
		if lost != nil {
			return
		}
		lost = p
	}
	if lost == nil {
		return
	}
	if name := lost.soleBareInterface(server); name != "" {
		j.add(lost, FindingAddressMissing.broken("no host has the address of the real server %s of %s, and %s has no address of that family", s.Addr, e.ID, name).
			fix(j.addrFix(lost, name, netip.PrefixFrom(server, network.Bits()))...))
		return
	}
	if at, ok := j.soleAddrIn(lost, network); ok && director.cannotFind(server) {
		right := s
		right.Addr = netip.AddrPortFrom(at, s.Addr.Port())
		j.add(director, FindingAddressMissing.broken("no host has the address of the real server %s of %s; %s is set up for it, but has the address %s", s.Addr, e.ID, lost.Name, at).
			change(AddRealServer(e.ID, right), RemoveRealServer(e.ID, s.Addr)).
			advise("or give the host the old address again"))
	}
}

// isSetUp reports whether a host accepts what a director forwards to a real server: it has
// the VIP or, by NAT, a program at the server's port.
func (j *judge) isSetUp(director *hostView, e ServiceEntry, s RealServer, host *hostView) bool {
	if s.Mode != NAT() {
		return j.hasAll(host, j.vipsOf(director, e))
	}
	return e.ID.FWMark() == 0 && host.listensOnPort(e.ID.Protocol(), s.Addr.Port())
}

// smallestNetwork returns the smallest network of a host that contains an address, and
// false if none does.
func (j *judge) smallestNetwork(a netip.Addr) (network netip.Prefix, ok bool) {
	for _, p := range j.hosts {
		for _, n := range p.subnetsContaining(a) {
			if !ok || n.Prefix.Bits() > network.Bits() {
				network, ok = n.Prefix.Masked(), true
			}
		}
	}
	return network, ok
}

// soleAddrIn returns the one address that a host has in a network, and false if it has none
// or several.
func (j *judge) soleAddrIn(p *hostView, network netip.Prefix) (at netip.Addr, ok bool) {
	for _, a := range p.subnets {
		if addr := a.Prefix.Addr(); network.Contains(addr) && !addr.IsLinkLocalUnicast() && !p.hasNoNetwork(a.Interface) && !j.vips[addr] {
			if ok {
				return netip.Addr{}, false
			}
			at, ok = addr, true
		}
	}
	return at, ok
}

// hasAll reports whether a host has each of at least one address.
func (j *judge) hasAll(p *hostView, all []netip.Addr) bool {
	for _, a := range all {
		if !p.has(a) {
			return false
		}
	}
	return len(all) > 0
}
