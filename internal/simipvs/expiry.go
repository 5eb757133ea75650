package simipvs

// expireAt ends the connections whose time is over.
func (k *Kernel) expireAt(at tick) {
	slot := k.timers.slotAt(at)
	for *slot != 0 {
		id := *slot
		c := k.conns.at(id)
		k.timers.remove(c)
		if c.expires > at {
			k.timers.set(id, c)
			continue
		}
		k.expire(id, c)
	}
}

// expire ends a connection whose timer has been taken out. A template stays
// while it has connections.
func (k *Kernel) expire(id connID, c *conn) {
	if c.controls > 0 {
		c.timeout = renewedTimeout
		c.expires = k.now + tick(c.timeout)
		k.timers.set(id, c)
		k.synchronizeRenewed(id, c)
		return
	}
	if c.is(connTracked) && !c.is(connTemplate) {
		e := c.ends()
		k.conntrack.forget(&e)
	}
	if c.is(connKeyed) {
		k.forgetKeyed(id)
	}
	k.unbind(id, c)
	k.sync.forget(id)
	k.conns.remove(id)
}

// expireNow ends a connection before its time.
func (k *Kernel) expireNow(id connID) {
	c := k.conns.at(id)
	k.timers.remove(c)
	k.expire(id, c)
}

// unbind takes a connection from its server and from its template.
func (k *Kernel) unbind(id connID, c *conn) {
	if c.is(connHelped | connAwaited | connForeign) {
		k.unbindFTP(id, c)
	}
	if c.control != 0 {
		k.conns.at(c.control).controls--
	}
	if c.dest == 0 {
		return
	}
	d := k.dests[c.dest]
	k.detach(d, c.is(connTemplate), !c.is(connInactive))
	if c.replyHash != 0 && !c.is(connForeign) {
		if d.replies--; d.replies == 0 {
			k.forgetNATServer(d.addr16())
		}
	}
	if d.unbound && d.refs == 0 {
		k.freeDest(d)
	}
}

func (k *Kernel) forgetNATServer(addr [16]byte) {
	if k.natServers[addr]--; k.natServers[addr] == 0 {
		delete(k.natServers, addr)
	}
}

// serversGone ends the connections of servers that were removed, if
// expire_nodest_conn says so, and with them templates that have no others.
func (k *Kernel) serversGone() {
	if k.sysctl.expireNodestConn == 0 {
		return
	}
	for id := connID(1); id <= k.conns.highest; id++ {
		c := k.conns.at(id)
		if c.dest == 0 || c.controls > 0 || !k.dests[c.dest].removed() {
			continue
		}
		template := c.control
		k.expireNow(id)
		if template != 0 && k.conns.at(template).controls == 0 {
			k.expireNow(template)
		}
	}
}
