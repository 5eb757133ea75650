package simipvs

// commit does what a decision about a packet says.
func (k *Kernel) commit(d *decision, p *Packet, e *ends) {
	var begun track
	if k.tracks(e.family) && p.isTracked() {
		begun = k.track(p, e)
	}
	k.prepare(d, p, e)
	if d.effect != effectNone {
		k.act(d, p)
	}
	if d.template != 0 {
		k.rearm(d.template, k.conns.at(d.template))
	}
	if d.ends {
		k.end(d.met, d.tracked)
	}
	switch {
	case d.again:
		k.commitAgain(d, p, e)
	case d.enters(begun) && !d.clashes:
		k.conntrack.enter(e, begun, k.replyTo(e, d), k.now)
	}
}

// prepare does what comes before a packet reaches its connection.
func (k *Kernel) prepare(d *decision, p *Packet, e *ends) {
	if d.sampled {
		k.sample()
	}
	if d.invalid {
		k.retire(d.template)
		d.template = 0
	}
	if d.ties {
		d.template = k.tie(d, e)
		k.noteMark(d.template, k.conns.at(d.template), p.Mark)
	}
}

// act lets a packet act on its connection.
func (k *Kernel) act(d *decision, p *Packet) {
	id := d.met
	if d.effect.isOpening() {
		id = k.enterOpening(d, p)
	}
	if d.conn.is(connHelped | connAwaited | connForeign) {
		k.actFTP(d, id, p)
	}
	if d.effect == effectStopped {
		k.rearm(id, d.conn)
		return
	}
	if server := d.dest; server != nil && server.Available {
		if d.effect.direction() == fromServer {
			k.countOut(server, p.Length)
		} else {
			k.countIn(server, p.Length)
		}
	}
	if d.effect.direction() == fromClient {
		d.conn.packets++
	}
	k.follow(d.conn, p, d.effect.direction())
	k.rearm(id, d.conn)
	if d.effect.direction() == fromClient {
		k.synchronize(id, d)
	}
	if d.effect.isOpening() && d.conn.is(connOnePacket) {
		k.unbind(id, d.conn)
	}
}

func (f effect) isOpening() bool { return f == effectOpening || f == effectReverse }

func (f effect) direction() int {
	if f == effectReply || f == effectReverse {
		return fromServer
	}
	return fromClient
}

// enterOpening enters a new connection.
func (k *Kernel) enterOpening(d *decision, p *Packet) (id connID) {
	if d.dest == nil {
		if !d.conn.is(connOnePacket) {
			id = k.enter(d.conn)
			d.conn = k.conns.at(id)
			k.noteMark(id, d.conn, p.Mark)
		}
		return id
	}
	d.conn.control = d.template
	id, d.conn = k.bind(d.conn, d.dest)
	k.noteMark(id, d.conn, p.Mark)
	if d.template != 0 {
		k.conns.at(d.template).controls++
	}
	k.countConn(d.dest)
	return id
}

// tie makes a template that ties a client to a server.
func (k *Kernel) tie(d *decision, e *ends) connID {
	s, server := d.service, d.dest
	t := templateKey(s, e)
	if d.effect == effectReverse {
		client := d.conn.ends()
		t = s.reverseKey(&client)
		t.destPort = d.conn.destPort
	} else if t.vport != 0 {
		t.destPort = server.Addr.Port()
	}
	k.assign(&t, server)
	id, in := k.bind(&t, server)
	in.timeout = s.timeout
	if t.is(connKeyed) {
		k.enterKeyed(id, s.keyed(k.engines.packet))
	}
	return id
}

// bind counts a connection, or a template, that was assigned to a server, and enters
// it. A one-packet connection is in no table and has no number.
func (k *Kernel) bind(c *conn, d *dest) (connID, *conn) {
	k.attach(d, c.is(connTemplate))
	if c.is(connOnePacket) {
		return 0, c
	}
	id := k.enter(c)
	c = k.conns.at(id)
	if c.is(connHelped) {
		k.ftp.begin(id, c)
	}
	k.linkReplies(id, c, d)
	return id, c
}

// linkReplies makes the replies of NAT known.
func (k *Kernel) linkReplies(id connID, c *conn, d *dest) {
	if c.method != methodMasq || c.is(connTemplate) {
		return
	}
	addr := d.addr16()
	k.conns.linkReply(id, c, &addr)
	if d.replies++; d.replies == 1 {
		k.natServers[addr]++
	}
}

func (d *dest) addr16() [16]byte { return d.Addr.Addr().As16() }

// enter adds a connection to the table and starts its timer.
func (k *Kernel) enter(c *conn) connID {
	id := k.conns.add(c)
	in := k.conns.at(id)
	in.expires = k.now + tick(in.timeout)
	k.timers.set(id, in)
	k.noteBirth(id, in)
	return id
}

// rearm restarts the timer, as each packet does.
func (k *Kernel) rearm(id connID, c *conn) {
	if id != 0 {
		c.expires = k.now + k.timeoutOf(id, c)
		k.timers.update(id, c)
	}
}

// end ends a connection whose client opens another one. Unless netfilter took the
// packet for one of the old connection, its entry is the new one's.
func (k *Kernel) end(id connID, tracked bool) {
	c := k.conns.at(id)
	if !tracked {
		c.flags &^= connTracked
	}
	if c.controls == 0 || c.is(connTemplate) {
		k.expireNow(id)
	}
}
