package lvs

import (
	"net/netip"
	"slices"
)

// What a director's table has lost may be in the table of another director, or follow
// from how the real servers are set up.

// serversOfOthers returns the changes that give a service without real servers those of
// another director, or else the hosts that are set up for it by DR.
func (j *judge) serversOfOthers(e ServiceEntry) (changes []Change) {
	for _, p := range j.hosts[1:] {
		for _, s := range p.services[e.ID].RealServers {
			changes = append(changes, AddRealServer(e.ID, s.RealServer))
		}
		if len(changes) > 0 {
			return changes
		}
	}
	for _, p := range j.hosts[1:] {
		if at, ok := j.drServerAddr(e, p); ok {
			changes = append(changes, AddRealServer(e.ID, NewRealServer(netip.AddrPortFrom(at, e.ID.AddrPort().Port()), DR())))
		}
	}
	return changes
}

// drServerAddr returns the address of a host that is set up as a real server by DR: it has
// the VIP, does not announce it, and a program listens; false if not.
func (j *judge) drServerAddr(e ServiceEntry, p *hostView) (at netip.Addr, ok bool) {
	vips := j.vipsOf(j.own, e)
	if len(p.Services) > 0 || len(vips) == 0 {
		return at, false
	}
	for _, vip := range vips {
		at := netip.AddrPortFrom(vip, e.ID.AddrPort().Port())
		if !p.delivers(vip) || at.Port() != 0 && !p.listensAt(e.ID.Protocol(), at) {
			return netip.Addr{}, false
		}
		for _, i := range p.Interfaces {
			if what, _ := p.announces(p.addrsEqual(vip), vip, i.Name); what != "" && !p.hasNoNetwork(i.Name) && !i.NoARP {
				return netip.Addr{}, false
			}
		}
	}
	for _, own := range j.own.subnets {
		if own.Prefix.Addr().Is6() == vips[0].Is6() && !j.own.hasNoNetwork(own.Interface) {
			if at, ok := j.soleAddrIn(p, own.Prefix.Masked()); ok {
				return at, true
			}
		}
	}
	return netip.Addr{}, false
}

// servicesOfStandby returns the changes that give the own host the services of a VIP that
// a standby director has; none if no director stands by, or another one has the VIP.
func (j *judge) servicesOfStandby(vip netip.Addr) (changes []Change) {
	if !j.own.delivers(vip) {
		return nil
	}
	for _, p := range j.hosts[1:] {
		for _, e := range p.Services {
			if e.ID.FWMark() != 0 || e.ID.AddrPort().Addr() != vip || len(e.RealServers) == 0 {
				continue
			}
			if p.delivers(vip) {
				return nil
			}
			changes = append(changes, AddService(e.Service))
			for _, s := range e.RealServers {
				changes = append(changes, AddRealServer(e.ID, s.RealServer))
			}
		}
		if len(changes) > 0 {
			return changes
		}
	}
	return nil
}

// moveService returns the changes that give a VIP without a service the services of
// another VIP that the host does not have.
func (j *judge) moveService(vip netip.Addr) (changes []Change) {
	for _, e := range j.own.Services {
		if e.ID.FWMark() != 0 || e.ID.Is6() != vip.Is6() || j.own.delivers(e.ID.AddrPort().Addr()) {
			continue
		}
		if changes != nil {
			return nil // it is not known which of several
		}
		service := e.Service
		service.ID = NewServiceID(e.ID.Protocol(), netip.AddrPortFrom(vip, e.ID.AddrPort().Port()))
		changes = append(changes, AddService(service))
		for _, s := range e.RealServers {
			changes = append(changes, AddRealServer(service.ID, s.RealServer))
		}
	}
	return changes
}

// likeSiblings returns the changes that forward to a server in the mode and on the port of
// all others of its service; none if these differ, or if the server has them already.
func (e ServiceEntry) likeSiblings(s RealServer) []Change {
	right, agreed := s, false
	for _, other := range e.RealServers {
		if other.Addr == s.Addr {
			continue
		}
		at := netip.AddrPortFrom(s.Addr.Addr(), other.Addr.Port())
		if agreed && (right.Mode != other.Mode || right.Addr != at) {
			return nil
		}
		right.Mode, right.Addr, agreed = other.Mode, at, true
	}
	switch {
	case !agreed || right.Mode == s.Mode:
		return nil
	case right.Addr == s.Addr:
		return []Change{UpdateRealServer(e.ID, right)}
	case slices.ContainsFunc(e.RealServers, func(other RealServerStatus) bool { return other.Addr == right.Addr }):
		return nil
	}
	return []Change{AddRealServer(e.ID, right), RemoveRealServer(e.ID, s.Addr)}
}

// removeUnusable returns the change that removes a server that no client can use, if the
// service has others.
func (e ServiceEntry) removeUnusable(s RealServer) []Change {
	left := slices.ContainsFunc(e.RealServers, func(other RealServerStatus) bool {
		return other.Addr != s.Addr && other.Weight > 0 && !other.Addr.Addr().IsLoopback()
	})
	if !left {
		return nil
	}
	return []Change{RemoveRealServer(e.ID, s.Addr)}
}
