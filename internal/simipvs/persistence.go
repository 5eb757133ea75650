package simipvs

import (
	"encoding/binary"
)

// retiredPort marks a template that no longer ties a client.
const retiredPort = 0xffff

// schedulePersistent decides by the server to which a template ties the client, or
// ties the client to one.
func (k *Kernel) schedulePersistent(d *decision, s *service, p *Packet, e *ends, w *world) {
	if !k.findsKey(d, s, p, e, w) {
		d.action, d.reason = Dropped, NoKey
		return
	}
	why, server := ByTemplate, k.tied(d, s, e, w)
	if server == nil {
		switch server = k.pick(s, p, w); {
		case server == nil:
			k.noServer(d, s, p, e, w, NoServer)
			return
		case k.full(0):
			d.action, d.reason = Dropped, TooMany
			return
		}
		why, d.ties, d.dest = Scheduled, true, server
	}
	if more := btoi(d.ties); k.full(more) { // the template comes before the connection
		d.action, d.reason = Dropped, TooMany
		return
	}
	port := e.dport
	if port == s.key.port {
		port = server.portFor(port)
	}
	k.begin(d, s, server, e, port)
	d.transmit(why, d.conn, server)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// tied returns the server to which a template ties the client, nil if none does.
func (k *Kernel) tied(d *decision, s *service, e *ends, w *world) *dest {
	key := templateKey(s, e)
	if d.template = k.findTemplate(&key, s.keyed(k.engines.packet)); d.template == 0 {
		return nil
	}
	t := k.conns.at(d.template)
	server := k.dests[t.dest]
	if w != nil {
		_, server = k.owned(d.template, t, w.Tied)
	}
	if d.invalid = !k.holds(server); d.invalid {
		return nil
	}
	return server
}

// holds reports whether templates still tie clients to a server.
func (k *Kernel) holds(server *dest) bool {
	return server != nil && server.Available && (server.Weight != 0 || k.sysctl.expireQuiescentTemplate == 0)
}

// templateKey returns a template with which nothing but its ends is known. A
// service of one port ties by that port; others tie a client to a server for
// all ports. The port of a mark's service is 0, which a packet may have too.
func templateKey(s *service, e *ends) conn {
	c := conn{
		client: masked(e.family, e.src, s.netmask), virtual: e.dst,
		protocol: e.protocol, family: uint8(e.family), flags: connTemplate,
	}
	if s.engine != "" {
		c.flags |= connKeyed
	}
	switch {
	case e.dport == s.key.port && s.key.port != ftpPort:
		c.vport = e.dport
	case s.key.mark != 0:
		c.protocol, c.virtual = protoIP, markAddr(e.family, s.key.mark)
	}
	return c
}

// markAddr is a mark in the place of an address.
func markAddr(family uint32, mark uint32) (a [16]byte) {
	if family == inet4 {
		a[10], a[11] = 0xff, 0xff
		binary.BigEndian.PutUint32(a[12:], mark)
	} else {
		binary.BigEndian.PutUint32(a[:], mark)
	}
	return a
}

func markOf(family uint32, a *[16]byte) uint32 {
	if family == inet4 {
		return binary.BigEndian.Uint32(a[12:])
	}
	return binary.BigEndian.Uint32(a[:])
}

// masked returns the network of a client.
func masked(family uint32, a [16]byte, netmask uint32) [16]byte {
	if family == inet4 {
		binary.BigEndian.PutUint32(a[12:], binary.BigEndian.Uint32(a[12:])&netmask)
		return a
	}
	for i := range a {
		bits := min(max(int(netmask)-8*i, 0), 8)
		a[i] &= ^byte(0xff >> bits)
	}
	return a
}

func (k *Kernel) findTemplate(key *conn, by engineKey) connID {
	if by.engine != "" {
		return k.findKeyed(key, by)
	}
	t := &k.conns
	for id := *bucket(t.byEnds, t.endsHash(key)); id != 0; id = t.at(id).next {
		c := t.at(id)
		if c.is(connTemplate) && c.protocol == key.protocol && c.family == key.family && c.vport == key.vport &&
			c.clientPort == 0 && c.client == key.client && c.virtual == key.virtual && !c.retired(k) {
			return id
		}
	}
	return 0
}

func (c *conn) retired(k *Kernel) bool {
	return k.opts.Release.OwnTables() && c.destPort == retiredPort
}

// retire makes a template tie no client. It stays until its time is over.
func (k *Kernel) retire(id connID) {
	c := k.conns.at(id)
	if c.is(connKeyed) {
		k.retireKeyed(id)
		return
	}
	if k.opts.Release.OwnTables() {
		c.destPort = retiredPort
		return
	}
	if c.vport == retiredPort {
		return
	}
	k.conns.unlink(id, c)
	c.vport, c.destPort = retiredPort, retiredPort
	k.conns.link(id, c)
}
