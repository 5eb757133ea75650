package simipvs

import (
	"cmp"
	"net/netip"
	"slices"
)

// A server of NAT may send a client a datagram that replies to no connection: because
// the service's connections are of one packet, or because the server speaks first. If
// the service has a persistence engine, the director opens a connection with it, so that
// the client gets it from the virtual address.

// reverses reports whether a packet opens a connection from its server to a client. None
// does that comes to the director itself.
func (k *Kernel) reverses(d *decision, p *Packet, e *ends, w *world) bool {
	if k.services.engines == 0 || p.Protocol != protoUDP || !p.Own && k.isLocal(p.Destination.Addr()) {
		return false
	}
	server := k.sender(p)
	if server == nil || server.svc.engine == "" || server.key.port == 0 {
		return false
	}
	s := server.svc
	client := ends{e.family, e.protocol, e.dst, s.key.addr, e.dport, s.key.port}
	persistent := s.flags&flagPersistent != 0
	if persistent && !k.findsKey(d, s, p, &client, w) || k.full(0) {
		return false
	}
	if persistent {
		key := s.reverseKey(&client)
		d.template = k.findTemplate(&key, s.keyed(k.engines.packet))
		d.invalid = d.template != 0 && (k.conns.at(d.template).dest != server.ID || !k.holds(server))
		d.ties = d.template == 0 || d.invalid
	}
	d.service, d.dest = s, server
	k.begin(d, s, server, &client, e.sport)
	d.effect = effectReverse
	return true
}

// reverseKey is templateKey for a packet that a server sends first. Port 21 is as any other.
func (s *service) reverseKey(client *ends) conn {
	key := templateKey(s, client)
	key.vport = s.key.port
	return key
}

// sender returns the server of NAT that a packet comes from. Of several at one address
// the newest counts.
func (k *Kernel) sender(p *Packet) (newest *dest) {
	if k.senders == nil {
		k.rankSenders()
	}
	for _, d := range k.senders[*p.Source] {
		if d.method == methodMasq && (d.key.mark != 0 || d.key.protocol == uint16(p.Protocol)) {
			return d
		}
	}
	return nil
}

// rank gives a server its place among those whose packets may be replies. It keeps the
// place until it is removed, or its mode or tunnel changes.
func (k *Kernel) rank(d *dest) {
	k.senders = nil
	if d.ranked == 0 && (d.method == methodMasq || d.method == methodTunnel) {
		k.ranks++
		d.ranked = k.ranks
	}
}

func (k *Kernel) unrank(d *dest) { k.senders, d.ranked = nil, 0 }

// rankSenders finds the servers of each address again, after some have changed.
func (k *Kernel) rankSenders() {
	k.senders = make(map[netip.AddrPort][]*dest)
	for _, d := range k.dests {
		if d != nil && d.svc != nil && d.ranked != 0 {
			k.senders[d.Addr] = append(k.senders[d.Addr], d)
		}
	}
	for _, all := range k.senders {
		slices.SortFunc(all, func(a, b *dest) int { return cmp.Compare(b.ranked, a.ranked) })
	}
}
