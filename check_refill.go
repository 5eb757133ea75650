package lvs

import "net/netip"

// What a director's table has lost, another director may have, or the hosts tell that
// are set up for it.

// refilled returns the changes that give a service without real servers those that a
// director which stands by has, or else the hosts that are set up for it by DR.
func (j *judge) refilled(e ServiceEntry) (changes []Change) {
	for _, p := range j.hosts[1:] {
		for _, s := range p.services[e.ID].Servers {
			changes = append(changes, AddRealServer(e.ID, s.RealServer))
		}
		if len(changes) > 0 {
			return changes
		}
	}
	for _, p := range j.hosts[1:] {
		if at, ok := j.drServer(e, p); ok {
			changes = append(changes, AddRealServer(e.ID, NewRealServer(netip.AddrPortFrom(at, e.ID.AddrPort().Port()), DR)))
		}
	}
	return changes
}

// drServer returns the address of a host that is set up as a real server by DR: it has
// the VIP, does not announce it, and listens; false if it is not.
func (j *judge) drServer(e ServiceEntry, p *party) (at netip.Addr, ok bool) {
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
			if what, _ := p.tells(p.having(vip), vip, i.Name); what != "" && !p.isBlind(i.Name) && !i.NoARP {
				return netip.Addr{}, false
			}
		}
	}
	for _, own := range j.own.around {
		if own.Prefix.Addr().Is6() == vips[0].Is6() && !j.own.isBlind(own.Interface) {
			if at, ok := j.addressIn(p, own.Prefix.Masked()); ok {
				return at, true
			}
		}
	}
	return netip.Addr{}, false
}

// standIn returns the changes that give the own host the services of a VIP that the one
// director which stands by has; none if it has none, or does not stand by.
func (j *judge) standIn(vip netip.Addr) (changes []Change) {
	if !j.own.delivers(vip) {
		return nil
	}
	for _, p := range j.hosts[1:] {
		for _, e := range p.Services {
			if e.ID.FWMark() != 0 || e.ID.AddrPort().Addr() != vip || len(e.Servers) == 0 {
				continue
			}
			if p.delivers(vip) {
				return nil
			}
			changes = append(changes, AddService(e.Service))
			for _, s := range e.Servers {
				changes = append(changes, AddRealServer(e.ID, s.RealServer))
			}
		}
		if len(changes) > 0 {
			return changes
		}
	}
	return nil
}
