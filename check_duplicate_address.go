package lvs

import (
	"fmt"
	"net/netip"
	"slices"
)

// spot is an address on a host.
type addressSpot struct {
	host *hostView
	addr netip.Addr
}

// claim is why an address is not a host's to have.
type addressClaim struct {
	owner    *hostView // nil is not one of the hosts
	client   bool      // it is a client's
	evidence string
}

// noteClaims notes addresses that hosts have and that are other machines', so that these
// are found by them. Those of a service by a mark may be any.
func (j *judge) noteClaims() {
	if j.anyService(func(director *hostView, e ServiceEntry) bool {
		return e.ID.FWMark() != 0 && len(j.vipsOf(director, e)) == 0
	}) {
		return
	}
	for _, p := range j.hosts {
		for _, own := range p.addresses {
			a := own.Prefix.Addr()
			if j.vips[a] || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsUnspecified() {
				continue
			}
			if c, ok := j.findClaim(p, a); ok {
				j.claimed[addressSpot{p, a}] = c
			}
		}
	}
}

// findClaim returns why an address of a host is another machine's, false if nothing is
// known of that.
func (j *judge) findClaim(p *hostView, a netip.Addr) (addressClaim, bool) {
	for _, q := range j.hosts {
		if q != p && q.isInNetwork(a) && !p.isFirstAddr(a) && (q.isFirstAddr(a) || !p.isInNetwork(a)) {
			return addressClaim{owner: q, evidence: fmt.Sprintf("it is %s's too", q.Name)}, true
		}
	}
	if p.isNextHop(a) && !p.isFirstAddr(a) {
		return addressClaim{evidence: "it is the next hop of the host's own routes"}, true
	}
	for _, q := range j.hosts {
		if q != p && q.isNextHop(a) && !p.isFirstAddr(a) && j.isAtOtherMachine(q, p, a) {
			return addressClaim{evidence: fmt.Sprintf("it is the next hop of %s's routes, which has found it at another machine", q.Name)}, true
		}
		if slices.Contains(q.Clients, a) && !p.isInNetwork(a) && !p.has(q.route(a, netip.Addr{}).Via) && len(p.subnetsContaining(a)) == 0 {
			return addressClaim{client: true, evidence: "a client has it that has connections"}, true
		}
	}
	return addressClaim{}, false
}

// isFirstAddr reports whether an address is the first that the host got in its network. The
// kernel lists those of IPv6 the other way round.
func (p *hostView) isFirstAddr(a netip.Addr) bool {
	all := p.subnetsContaining(a)
	if a.Is6() {
		slices.Reverse(all)
	}
	for _, own := range all {
		if !p.hasNoNetwork(own.Interface) {
			return own.Prefix.Addr() == a
		}
	}
	return false
}

// isNextHop reports whether an address is the next hop of one of the host's routes.
func (p *hostView) isNextHop(a netip.Addr) bool {
	return slices.ContainsFunc(p.Routes, func(r RouteEntry) bool { return r.Type == "" && r.Via == a })
}

// isAtOtherMachine reports whether a host has just found an address at a machine that is
// none of the hosts.
func (j *judge) isAtOtherMachine(q, p *hostView, a netip.Addr) bool {
	return slices.ContainsFunc(q.Neighbours, func(n Neighbour) bool {
		return n.Addr == a && !n.Proxy && n.MAC != "" && (n.State == "reachable" || n.State == "delay") && j.hostAt(n.MAC) == nil && len(p.subnetsContaining(a)) > 0
	})
}

// hostAt returns the host that has an interface with a hardware address.
func (j *judge) hostAt(mac string) *hostView {
	for _, p := range j.hosts {
		if slices.ContainsFunc(p.Interfaces, func(i InterfaceState) bool { return i.MAC == mac && !i.Loopback }) {
			return p
		}
	}
	return nil
}

// checkDuplicates adds the findings about addresses that are other machines'.
func (j *judge) checkDuplicates() {
	for _, p := range j.hosts {
		for _, own := range p.addresses {
			a := own.Prefix.Addr()
			c, ok := j.claimed[addressSpot{p, a}]
			if !ok {
				continue
			}
			severity := SeverityBroken
			if j.isTolerable(p, a, c) {
				severity = SeverityRisk
			}
			j.add(p, FindingAddressDuplicate.at(severity, "it has %s on %s, and %s", a, own.Interface, c.evidence).
				run(fmt.Sprintf("ip%s addr del %s dev %s", familyFlag(a.Is6()), own.Prefix, own.Interface)))
		}
	}
}

// isTolerable reports whether clients may be served although a host has the address of
// another machine: packets for either are served, none go astray, or one client alone
// is not heard by one of the real servers.
func (j *judge) isTolerable(p *hostView, a netip.Addr, c addressClaim) bool {
	if c.owner == nil {
		return c.client && len(p.Services) == 0
	}
	return j.areServers(p, c.owner) || !p.answersFor(a) && (a.Is6() || !j.exchangePackets(p, c.owner))
}

// answersFor reports whether the host answers those who ask for an address of its.
func (p *hostView) answersFor(a netip.Addr) bool {
	for _, n := range p.subnetsContaining(a) {
		what, severity := p.announces(p.addrsEqual(a), a, n.Interface)
		if what != "" && severity == SeverityBroken {
			return true
		}
	}
	return false
}

// areServers reports whether two hosts are real servers of one service.
func (j *judge) areServers(p, q *hostView) bool {
	return j.anyService(func(_ *hostView, e ServiceEntry) bool { return p.serves(e) && q.serves(e) })
}

// servesFor reports whether a host has the address of another real server too, and
// serves its clients.
func (j *judge) servesFor(p *hostView, a netip.Addr) bool {
	c, ok := j.claimed[addressSpot{p, a}]
	return ok && c.owner != nil && j.areServers(p, c.owner)
}

// exchangePackets reports whether packets of a service go between two hosts.
func (j *judge) exchangePackets(p, q *hostView) bool {
	return j.anyService(func(director *hostView, e ServiceEntry) bool {
		return director == p && q.serves(e) || director == q && p.serves(e)
	})
}

func (j *judge) anyService(is func(*hostView, ServiceEntry) bool) bool {
	for _, director := range j.hosts {
		if slices.ContainsFunc(director.Services, func(e ServiceEntry) bool { return is(director, e) }) {
			return true
		}
	}
	return false
}
