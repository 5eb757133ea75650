package lvs

import (
	"fmt"
	"net/netip"
	"slices"
)

// addressSpot is an address on a host.
type addressSpot struct {
	host *hostView
	addr netip.Addr
}

// addressClaim is why an address of a host belongs to another machine.
type addressClaim struct {
	owner    *hostView // nil: none of the hosts
	client   bool      // the other machine is a client
	evidence string
}

// noteClaims notes addresses of hosts that belong to other machines, so that looking one
// up finds the other machine. While the addresses of a marked service are not known, any
// address may be a VIP, and none is noted.
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

// findClaim returns why an address of a host belongs to another machine, and false if
// nothing says so.
func (j *judge) findClaim(p *hostView, a netip.Addr) (addressClaim, bool) {
	for _, q := range j.hosts {
		if q != p && q.isInNetwork(a) && !p.isFirstAddr(a) && (q.isFirstAddr(a) || !p.isInNetwork(a)) {
			return addressClaim{owner: q, evidence: fmt.Sprintf("%s has it too", q.Name)}, true
		}
	}
	if p.isNextHop(a) && !p.isFirstAddr(a) {
		return addressClaim{evidence: "the host's own routes use it as a next hop"}, true
	}
	for _, q := range j.hosts {
		if q != p && q.isNextHop(a) && !p.isFirstAddr(a) && j.isAtOtherMachine(q, p, a) {
			return addressClaim{evidence: fmt.Sprintf("routes of %s use it as a next hop, and %[1]s found it at another machine", q.Name)}, true
		}
		if slices.Contains(q.Clients, a) && !p.isInNetwork(a) && !p.has(q.route(a, netip.Addr{}).Via) && len(p.subnetsContaining(a)) == 0 {
			return addressClaim{client: true, evidence: "a client with connections has it"}, true
		}
	}
	return addressClaim{}, false
}

// isFirstAddr reports whether an address is the first that the host got in its network.
// The kernel lists IPv6 addresses in the reverse order.
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

// isAtOtherMachine reports whether a host has just resolved an address to a machine that
// is not one of the hosts.
func (j *judge) isAtOtherMachine(q, p *hostView, a netip.Addr) bool {
	return slices.ContainsFunc(q.Neighbours, func(n Neighbour) bool {
		return n.Addr == a && !n.Proxy && n.MAC != "" && (n.State == "reachable" || n.State == "delay") && j.hostAt(n.MAC) == nil && len(p.subnetsContaining(a)) > 0
	})
}

// hostAt returns the host that has an interface with a hardware address, or nil.
func (j *judge) hostAt(mac string) *hostView {
	for _, p := range j.hosts {
		if slices.ContainsFunc(p.Interfaces, func(i InterfaceState) bool { return i.MAC == mac && !i.Loopback }) {
			return p
		}
	}
	return nil
}

// checkDuplicates adds the findings about addresses that belong to other machines.
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
			j.add(p, FindingAddressDuplicate.at(severity, "%s is on %s, but %s", a, own.Interface, c.evidence).
				run(fmt.Sprintf("ip%s addr del %s dev %s", familyFlag(a.Is6()), own.Prefix, own.Interface)))
		}
	}
}

// isTolerable reports whether clients may be served although a host has the address of
// another machine. They may if both are real servers of one service, or if no packets go
// astray; if the address is a client's, only that client loses answers.
func (j *judge) isTolerable(p *hostView, a netip.Addr, c addressClaim) bool {
	if c.owner == nil {
		return c.client && len(p.Services) == 0
	}
	return j.areServers(p, c.owner) || !p.answersFor(a) && (a.Is6() || !j.exchangePackets(p, c.owner))
}

// answersFor reports whether the host answers requests for one of its addresses.
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

// servesFor reports whether a host that also has the address of another real server
// serves that one's clients.
func (j *judge) servesFor(p *hostView, a netip.Addr) bool {
	c, ok := j.claimed[addressSpot{p, a}]
	return ok && c.owner != nil && j.areServers(p, c.owner)
}

// exchangePackets reports whether packets of a service pass between two hosts.
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
