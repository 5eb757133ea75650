package simipvs

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

// Restore takes entries over from another kernel, templates before the others, so
// that these find them. It returns the numbers of those that are of no server in
// the table.
func (k *Kernel) Restore(entries []Entry) (lost []int) {
	k.lock()
	defer k.mu.Unlock()
	o := k.ownership()
	for _, templates := range []bool{true, false} {
		for i := range entries {
			e := &entries[i]
			if e.isTemplate() != templates {
				continue
			}
			if owners := o.of(e); len(owners) > 0 {
				k.restore(e, owners[0])
			} else {
				lost = append(lost, i)
			}
		}
	}
	return lost
}

// CountElsewhere makes conn_max count connections that were not taken over.
func (k *Kernel) CountElsewhere(connections int) {
	k.lock()
	defer k.mu.Unlock()
	k.elsewhere = connections
}

func (e *Entry) isTemplate() bool { return e.Client.Port() == 0 }

// restore takes in an entry of a server.
func (k *Kernel) restore(e *Entry, d *dest) {
	ends := e.ends()
	c := conn{
		client: ends.src, virtual: ends.dst, family: uint8(ends.family),
		clientPort: ends.sport, vport: ends.dport, destPort: e.Server.Port(), protocol: e.Protocol,
	}
	if e.isTemplate() {
		c.flags |= connTemplate
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
}

func (e *Entry) ends() ends {
	family := uint32(inet6)
	if e.Client.Addr().Is4() {
		family = inet4
	}
	return ends{
		family: family, protocol: e.Protocol,
		src: e.Client.Addr().As16(), dst: e.VIP.Addr().As16(), sport: e.Client.Port(), dport: e.VIP.Port(),
	}
}

// tie finds the template that controls a connection. The connection does not say.
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

func (k *Kernel) byName(name ServiceName) *service { return k.lookup(name.key()) }

// Sysctls returns the paths of the switches that the release has.
func (k *Kernel) Sysctls() []string { return slices.Sorted(maps.Keys(k.sysctl.byPath)) }
