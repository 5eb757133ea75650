package simipvs

import (
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
	Engine, Key         string  // of a template that a persistence engine made, as they are listed
}

// Restore takes entries over from another kernel, templates before the others, so
// that these find them. It returns the numbers of those that are of no server in
// the table.
func (k *Kernel) Restore(entries []Entry) (lost []int) {
	k.lock()
	defer k.mu.Unlock()
	o := k.ownership()
	for _, templates := range []bool{true, false} {
		k.engines.only = k.onlyKeyed()
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

// Elsewhere is what a kernel that was copied has and its copy has not.
type Elsewhere struct {
	Connections int  // that count for conn_max
	Services    bool // some of the packets' address family, so that IPVS sees these
	Backup      bool // a backup daemon runs
}

// SetElsewhere sets what the kernel has that was not copied.
func (k *Kernel) SetElsewhere(e Elsewhere) {
	k.lock()
	defer k.mu.Unlock()
	k.elsewhere = e
}

// RestoreRemoved takes over a connection of a server that no service has, or of none
// at all by cache_bypass.
func (k *Kernel) RestoreRemoved(e Entry) {
	k.lock()
	defer k.mu.Unlock()
	if e.Server.Addr().IsUnspecified() {
		c := e.conn()
		c.method, c.timeout = methodBypass, initialTimeout
		k.leaveToConntrack(&c)
		k.resume(&e, k.enter(&c))
		return
	}
	d := k.newDest(e.Server)
	d.Weight, d.method = 1, methodDirect
	k.restore(&e, d)
}

func (e *Entry) isTemplate() bool { return e.Client.Port() == 0 && !e.isAwaited() }

// isAwaited reports whether it is a data connection of FTP whose client's port is not
// known yet.
func (e *Entry) isAwaited() bool { return e.Client.Port() == 0 && e.State == tcpNames[tcpListen] }

// restore adds an entry of a server.
func (k *Kernel) restore(e *Entry, d *dest) {
	c := e.conn()
	k.findControl(&c, d)
	k.assign(&c, d)
	id, in := k.bind(&c, d)
	if in.is(connTemplate) {
		in.timeout = d.svc.timeout
	}
	if in.is(connKeyed) {
		k.enterKeyed(id, k.keyOf(e))
	}
	k.resume(e, id)
}

// conn returns an entry's connection, of which only the ends are known.
func (e *Entry) conn() conn {
	ends := e.ends()
	c := conn{
		client: ends.src, virtual: ends.dst, family: uint8(ends.family),
		clientPort: ends.sport, vport: ends.dport, destPort: e.Server.Port(), protocol: e.Protocol,
	}
	if e.isTemplate() {
		c.flags |= connTemplate
		if e.Engine != "" {
			c.flags |= connKeyed
		}
	}
	if e.isAwaited() {
		c.flags |= connAwaited
	}
	return c
}

// resume sets the state and the timer of a connection as its entry has them.
func (k *Kernel) resume(e *Entry, id connID) {
	in := k.conns.at(id)
	if in.is(connTracked) && !in.is(connTemplate) {
		in.flags |= connCopied
	}
	if in.is(connAwaited) {
		k.awaited++
	}
	if e.State == "ASSURED" {
		in.flags |= connAssured
	}
	if !in.is(connTemplate) {
		k.resumeState(e, in)
	}
	k.timers.remove(in)
	in.expires = k.now + tick(e.Expires)*second
	k.timers.set(id, in)
}

// resumeState sets the state of a connection, and what follows from it.
func (k *Kernel) resumeState(e *Entry, in *conn) {
	switch e.Protocol {
	case protoTCP:
		if state := slices.Index(tcpNames[:], e.State); state > 0 {
			in.timeout = k.tcpTimeout(State(state))
			k.moveTo(in, State(state), tcpActive[state])
		}
	case protoUDP:
		in.timeout = k.timeouts.udp
	case protoSCTP:
		if state := slices.Index(assocNames[:], e.State); state > 0 {
			in.timeout = assocTimeouts[state]
			k.moveTo(in, State(state), State(state) == aES)
		}
	}
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

// findControl finds the template that controls a connection. The connection does not say.
func (k *Kernel) findControl(c *conn, d *dest) {
	if c.is(connTemplate) || d.svc == nil || d.svc.flags&flagPersistent == 0 {
		return
	}
	key := templateKey(d.svc, &ends{family: uint32(c.family), protocol: c.protocol, src: c.client, dst: c.virtual, dport: c.vport})
	id := k.engines.only[keyedServer{key.ends(), d.ID}]
	if !key.is(connKeyed) {
		id = k.findTemplate(&key, engineKey{})
	}
	if id != 0 && k.conns.at(id).dest == d.ID {
		c.control = id
		k.conns.at(id).controls++
	}
}

// Counts are the connections of a server.
type Counts struct{ Active, Inactive, Persistent int }

// entry returns a connection as it is listed.
func (k *Kernel) entry(id connID) *Entry {
	c, keyed := k.conns.at(id), k.engines.keys[id]
	return &Entry{
		Engine: keyed.engine, Key: k.shownKey(keyed),
		Protocol: c.protocol, State: c.stateName(), Expires: int(k.left(c)),
		Client: netip.AddrPortFrom(addrOf(uint32(c.family), &c.client), c.clientPort),
		VIP:    netip.AddrPortFrom(addrOf(uint32(c.family), &c.virtual), c.vport),
		Server: k.listedServer(id, c),
	}
}

// Recount makes a server count as many connections as another kernel's, whatever
// connections are in the table. From the upper threshold on, the server is overloaded.
// Where counts and thresholds do not show whether it is, doubtful is true, and it is not.
func (k *Kernel) Recount(service ServiceName, server netip.AddrPort, to Counts) (doubtful bool) {
	k.lock()
	defer k.mu.Unlock()
	d := k.named(service, server)
	if d == nil {
		return false
	}
	d.Active, d.Inactive, d.persistent = int32(to.Active), int32(to.Inactive), int32(to.Persistent)
	doubtful = k.mayBeOverloaded(d)
	k.setOverloaded(d, !doubtful && d.upper != 0 && d.total() >= d.upper)
	return doubtful
}

// mayBeOverloaded reports whether a server's counts and thresholds leave open if it is
// overloaded. Older kernels look at them when a connection comes or goes, and not
// when thresholds are lowered: a server that has as many connections as the upper
// threshold may not be overloaded, and one that has fewer than its lower threshold, if
// that was raised, may be.
func (k *Kernel) mayBeOverloaded(d *dest) bool {
	switch total := d.total(); {
	case d.upper == 0 || total == 0:
		return false
	case k.totals:
		return total >= d.floor() && total < d.upper
	case d.lower != 0:
		return true
	default:
		return total >= d.floor()
	}
}

// Raise makes a server count as many connections as another kernel's, by adding some
// that are not listed and never end. It returns how many it added, and how many too
// many the server has.
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
		{to.Persistent, int(d.persistent), func() { k.attach(d, true) }},
		{to.Active, int(d.Active), func() { k.attach(d, false); d.Active++; d.Inactive-- }},
		{to.Inactive, int(d.Inactive), func() { k.attach(d, false) }},
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
