package kernel

import (
	"maps"
	"net/netip"
	"slices"
)

// Entry is a connection or a template that was read from another kernel.
type Entry struct {
	Protocol            uint8 // 0: the template of a mark
	Client, VIP, Server netip.AddrPort
	State               string
	Expires             int     // in seconds
	Mark                *uint32 // of its packets; nil: not known
}

// Restore takes an entry over from another kernel. It is false when no service
// has such a server.
func (k *Kernel) Restore(e Entry) bool {
	k.lock()
	defer k.mu.Unlock()
	c := conn{
		client: e.Client.Addr().As16(), virtual: e.VIP.Addr().As16(), family: inet6,
		clientPort: e.Client.Port(), vport: e.VIP.Port(), destPort: e.Server.Port(), protocol: e.Protocol,
	}
	if e.Client.Addr().Is4() {
		c.family = inet4
	}
	if e.Client.Port() == 0 {
		c.flags |= connTemplate
	}
	d := k.serverOf(&c, &e)
	if d == nil {
		return false
	}
	k.tie(&c, d)
	id, in := k.bind(&c, d)
	if in.is(connTracked) {
		in.flags |= connCopied
	}
	if e.State == "ASSURED" {
		in.flags |= connAssured
	}
	if state := slices.Index(tcpNames[:], e.State); e.Protocol == protoTCP && state > 0 && !in.is(connTemplate) {
		in.state = uint8(state)
		in.timeout = k.tcpTimeout(State(state))
		k.setActive(in, tcpActive[state])
	}
	if e.Protocol == protoUDP {
		in.timeout = k.timeouts.udp
	}
	if in.is(connTemplate) {
		in.timeout = d.svc.timeout
	}
	k.timers.remove(in)
	in.expires = k.now + tick(e.Expires)*second
	k.timers.set(id, in)
	return true
}

// tie finds the template that a connection hangs on. The connection does not say.
func (k *Kernel) tie(c *conn, d *dest) {
	if c.is(connTemplate) || d.svc.flags&flagPersistent == 0 {
		return
	}
	key := templateKey(d.svc, &ends{family: uint32(c.family), protocol: c.protocol, src: c.client, dst: c.virtual, dport: c.vport})
	if id := k.findTemplate(&key); id != 0 && k.conns.at(id).dest == d.ID {
		c.control = id
		k.conns.at(id).controls++
	}
}

// serverOf finds the server that a connection belongs to. The connection does
// not say which service it came by: one with an address is tried first, and then
// all that have the server.
func (k *Kernel) serverOf(c *conn, e *Entry) *dest {
	at := ends{family: uint32(c.family), protocol: c.protocol, dst: c.virtual, dport: c.vport}
	switch {
	case c.is(connTemplate) && c.vport == 0:
		return k.tiedServer(c, &at, e.Server.Addr())
	case c.is(connTemplate):
		return k.serviceFor(0, &at).server(e.Server, c.vport)
	case e.Mark != nil:
		return k.serviceFor(*e.Mark, &at).server(e.Server, c.vport)
	}
	if d := k.serviceFor(0, &at).server(e.Server, c.vport); d != nil {
		return d
	}
	for s := range k.services.all() {
		if s.key.family == at.family && s.key.mark != 0 {
			if d := s.server(e.Server, c.vport); d != nil {
				return d
			}
		}
	}
	return nil
}

// tiedServer finds the server of a template for all ports: it is one of a mark, of
// a service of port 0, or of FTP, and names no port.
func (k *Kernel) tiedServer(c *conn, at *ends, server netip.Addr) *dest {
	if c.protocol == protoIP {
		return k.lookup(serviceKey{family: at.family, mark: markOf(at.family, &c.virtual)}).serverAt(server)
	}
	if d := k.serviceFor(0, at).serverAt(server); d != nil {
		return d
	}
	at.dport = ftpPort
	return k.serviceFor(0, at).serverAt(server)
}

// serverAt returns the newest server of a service, if there is one, at an address.
func (s *service) serverAt(addr netip.Addr) *dest {
	if s == nil {
		return nil
	}
	for d := range s.group.All() {
		if d.Addr.Addr() == addr {
			return s.dests[d.Addr]
		}
	}
	return nil
}

// server returns the server of a service, if there is one, that packets reach at
// an address: by its port, because its port is 0, or because persistence sends
// clients on to another port than the service's.
func (s *service) server(addr netip.AddrPort, vport uint16) *dest {
	if s == nil {
		return nil
	}
	if d := s.dests[addr]; d != nil {
		return d
	}
	if d := s.dests[netip.AddrPortFrom(addr.Addr(), 0)]; d != nil || s.flags&flagPersistent == 0 || vport == s.key.port {
		return d
	}
	return s.serverAt(addr.Addr())
}

// Counts are the connections of a server.
type Counts struct{ Active, Inactive, Persistent int }

// Raise makes a server count as many connections as another kernel's, by some
// that nobody can see and that never end. It returns how many these are, and
// how many the server has more than it should.
func (k *Kernel) Raise(service ServiceName, server netip.AddrPort, to Counts) (more, fewer int) {
	k.lock()
	defer k.mu.Unlock()
	d := k.named(service, server)
	if d == nil {
		return 0, 0
	}
	for _, c := range []struct {
		want, have int
		add        func()
	}{
		{to.Persistent, int(d.persistent), func() { k.bound(d, true) }},
		{to.Active, int(d.Active), func() { k.bound(d, false); d.Active++; d.Inactive-- }},
		{to.Inactive, int(d.Inactive), func() { k.bound(d, false) }},
	} {
		for range c.want - c.have {
			c.add()
		}
		more += max(0, c.want-c.have)
		fewer += max(0, c.have-c.want)
	}
	k.counted(d)
	return more, fewer
}

func (k *Kernel) named(service ServiceName, server netip.AddrPort) *dest {
	if s := k.byName(service); s != nil {
		return s.dests[server]
	}
	return nil
}

func (k *Kernel) byName(name ServiceName) *service {
	for s := range k.services.all() {
		if *s.name == name {
			return s
		}
	}
	return nil
}

// Sysctls returns the paths of the switches that the release has.
func (k *Kernel) Sysctls() []string { return slices.Sorted(maps.Keys(k.sysctl.byPath)) }
