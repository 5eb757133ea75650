package simipvs

import "net/netip"

// With cache_bypass, packets of a service of a firewall mark that has no server for them
// go on to where their client sent them.

// bypasses reports whether a packet without a server goes on to its destination. An IPv4
// destination must be another host. An IPv6 destination need not, but see stopBypass. No
// ICMP error does.
func (k *Kernel) bypasses(s *service, p *Packet, w *world) bool {
	to := p.Destination.Addr()
	switch {
	case k.sysctl.cacheBypass == 0 || s.key.mark == 0 || p.ICMP != nil:
		return false
	case to.Is6():
		return !to.IsMulticast() && !to.IsUnspecified()
	}
	return !k.isOwn(to, w) && k.addresses.canServe(to)
}

// isOwn reports whether an address is the director's, or is supposed to be.
func (k *Kernel) isOwn(a netip.Addr, w *world) bool {
	return k.isLocal(a) || w != nil && w.Local
}

// bypass sends a packet on to its destination.
func (k *Kernel) bypass(d *decision, s *service, e *ends) {
	if k.full(0) {
		d.action, d.reason = Dropped, TooMany
		return
	}
	c := &k.opening
	*c = conn{
		client: e.src, virtual: e.dst, clientPort: e.sport, vport: e.dport,
		protocol: e.protocol, family: uint8(e.family), method: methodBypass, timeout: initialTimeout,
	}
	if s.flags&flagOnePacket != 0 && e.protocol == protoUDP {
		c.flags |= connOnePacket
	} else {
		k.leaveToConntrack(c)
	}
	d.effect = effectOpening
	d.transmit(Bypassed, c, nil)
}

// stopBypass drops a packet that would go on to the director itself, which it does not
// reach. Its connection is opened and counted nevertheless.
func (k *Kernel) stopBypass(d *decision, w *world) {
	if d.action != Forwarded || d.conn.method != methodBypass {
		return
	}
	if k.isOwn(addrOf(uint32(d.conn.family), &d.conn.virtual), w) {
		d.action, d.reason = Dropped, OwnStack
	}
}
