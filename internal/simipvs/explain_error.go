package simipvs

import "net/netip"

// decideAbout decides about an ICMP error of which only the flow is known that it is
// about: what it quotes is what the connection of that flow makes of its packets.
func (k *Kernel) decideAbout(d *decision, p *Packet, w *world) error {
	var e ends
	m := *p.ICMP
	if err := m.Flow.ends(&e); err != nil {
		return err
	}
	if id, isReply := k.find(&e); !isReply && !w.Gone {
		w.about = id
	}
	about := *p
	about.ICMP, about.Protocol = &m, protoICMP
	if m.quote(k, w); m.About.Destination.Addr().Is6() {
		about.Protocol = protoICMPv6
	}
	return k.decideError(d, &about, &ends{}, w)
}

// quote sets what the error quotes: an answer as the client got it, or a packet as the
// server got it, or a router on the way.
func (m *ICMP) quote(k *Kernel, w *world) {
	request := *m.Flow
	m.About = &request
	if !m.FromServer {
		request.Source, request.Destination = request.Destination, request.Source
		return
	}
	if w.about == 0 {
		return
	}
	c, server := k.held(w.about, w)
	switch c.method {
	case methodMasq:
		to := netip.AddrPortFrom(k.listedServer(w.about, c).Addr(), c.destPort)
		if !request.hasPorts() {
			to = netip.AddrPortFrom(to.Addr(), 0)
		}
		request.Destination = &to
	case methodTunnel:
		m.quoteTunnel(server)
	}
}

// quoteTunnel sets that the error quotes a packet in a tunnel. Where IPv6 is inside or
// outside, IPVS does not look inside.
func (m *ICMP) quoteTunnel(server *dest) {
	from, to := netip.AddrPortFrom(netip.IPv4Unspecified(), 0), netip.AddrPortFrom(server.Addr.Addr(), 0)
	if to.Addr().Is6() {
		from = netip.AddrPortFrom(netip.IPv6Unspecified(), 0)
	}
	outer := Packet{Protocol: protoIPIP, Source: &from, Destination: &to}
	switch server.tunType {
	case tunnelGRE:
		outer.Protocol = protoGRE
	case tunnelGUE:
		outer.Protocol = protoUDP
		to = netip.AddrPortFrom(to.Addr(), server.tunPort)
	}
	if inner := m.About; to.Addr().Is4() && inner.Destination.Addr().Is4() {
		m.Inside, m.DF = inner, true
	}
	m.About = &outer
}

// findRelated finds the connection of which an ICMP error quotes a packet, and whether the
// error comes from the server's side.
func (k *Kernel) findRelated(m *ICMP, e *ends, w *world) (id connID, fromServer bool) {
	switch {
	case w != nil && w.about != 0 && m.About.Protocol == m.Flow.Protocol:
		return w.about, m.FromServer
	case w != nil && w.Gone:
		return 0, false
	}
	return k.find(e)
}

// held returns a connection and its server, as they are or as they are supposed to be.
func (k *Kernel) held(id connID, w *world) (*conn, *dest) {
	c := k.conns.at(id)
	if w == nil {
		return c, k.dests[c.dest]
	}
	c, server := k.owned(id, c, w.Owner)
	if w.Method != nil {
		supposed := *c
		supposed.method = *w.Method
		c = &supposed
	}
	if w.Unbound {
		supposed := *server
		supposed.unbound = true
		server = &supposed
	}
	return c, server
}
