package simipvs

import (
	"encoding/binary"
)

// retiredPort marks a template that ties nobody any more.
const retiredPort = 0xffff

// schedulePersistent opens a connection to the server to which the client is
// tied, and ties it to one if it is not.
func (k *Kernel) schedulePersistent(s *service, p *Packet, e *ends) outcome {
	key := templateKey(s, e)
	id := k.findTemplate(&key)
	if id != 0 && !k.valid(k.conns.at(id)) {
		k.retire(id)
		id = 0
	}
	why := ByTemplate
	if id == 0 {
		d := k.pick(s, p)
		if d == nil {
			return k.leave(s, p, e, NoServer)
		}
		if k.full() {
			return outcome{action: Dropped, reason: TooMany}
		}
		if key.vport != 0 {
			key.destPort = d.Addr.Port()
		}
		id, _ = k.bind(&key, d)
		k.conns.at(id).timeout = s.timeout
		why = Scheduled
	}
	t := k.conns.at(id)
	defer k.rearm(id, t)
	if k.full() {
		return outcome{action: Dropped, reason: TooMany}
	}
	d := k.dests[t.dest]
	port := e.dport
	if port == s.key.port {
		port = d.portFor(port)
	}
	return k.begin(why, s, d, id, port, p, e)
}

// templateKey returns a template with which nothing but its ends is known. A
// service of one port ties by that port; others tie a client to a server for
// all ports.
func templateKey(s *service, e *ends) conn {
	c := conn{
		client: masked(e.family, e.src, s.netmask), virtual: e.dst,
		protocol: e.protocol, family: uint8(e.family), flags: connTemplate,
	}
	switch {
	case s.key.mark != 0:
		c.protocol, c.virtual = protoIP, markAddr(e.family, s.key.mark)
	case e.dport == s.key.port && s.key.port != ftpPort:
		c.vport = e.dport
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

func (k *Kernel) findTemplate(key *conn) connID {
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
	return k.opts.Release.ownTables() && c.destPort == retiredPort
}

// valid tells whether a template still ties its client to a server.
func (k *Kernel) valid(c *conn) bool {
	d := k.dests[c.dest]
	if d == nil || !d.Available {
		return false
	}
	return d.Weight != 0 || k.sysctl.expireQuiescentTemplate == 0
}

// retire lets a template tie nobody any more. It stays until its time is over.
func (k *Kernel) retire(id connID) {
	c := k.conns.at(id)
	if k.opts.Release.ownTables() {
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
