package simipvs

import (
	"fmt"
	"net/netip"
)

// ftpData is a data connection that client and server agree on. One that the server opens
// has both ends from the start. One that the client opens waits for its first packet,
// which shows the client's port.
type ftpData struct {
	conn   conn
	server netip.AddrPort // that the data comes from
	known  connID         // the connection, if it exists; 0: it is new
}

// activeData returns the connection that a server opens from the port below its own.
func (k *Kernel) activeData(c *conn, server *dest, to ftpTarget) *ftpData {
	data := &ftpData{conn: conn{
		client: to.addr.As16(), clientPort: to.port, virtual: c.virtual, vport: c.vport - 1, destPort: c.destPort - 1,
		protocol: protoTCP, family: c.family, flags: connTracked,
	}}
	data.server = netip.AddrPortFrom(server.Addr.Addr(), data.conn.destPort)
	e := data.conn.ends()
	data.known = k.findRequest(&e)
	return data
}

// passiveData returns the connection for which a server waits, at its own address if it
// gives none.
func (k *Kernel) passiveData(d *decision, to ftpTarget) *ftpData {
	c, addr := d.conn, to.addr
	if !addr.IsValid() {
		addr = k.serverAddr(d.met, c)
	}
	data := &ftpData{server: netip.AddrPortFrom(addr, to.port), conn: conn{
		client: c.client, virtual: c.virtual, vport: to.port, destPort: to.port,
		protocol: protoTCP, family: c.family, flags: connTracked | connAwaited,
	}}
	e := data.conn.ends()
	e = e.reversed()
	e.src, e.sport = addr.As16(), to.port
	data.known = k.findReply(&e, k.conns.hash(e.protocol, &e.src, e.sport, &e.dst, e.dport))
	if data.known == 0 && to.port == 0 && !k.opts.Release.OwnTables() {
		data.known = k.mistaken(&e)
	}
	return data
}

// mistaken returns the template without ports that ties a client to a server of NAT. While
// templates are in one table with connections, it is taken for the one by which port 0 of
// the server replies to port 0 of the client.
func (k *Kernel) mistaken(reply *ends) connID {
	for id := k.conns.highest; id != 0; id-- {
		c := k.conns.at(id)
		if c.is(connTemplate) && c.method == methodMasq && c.protocol == reply.protocol && uint32(c.family) == reply.family &&
			c.client == reply.dst && c.destPort == 0 && k.serverAddr(id, c).As16() == reply.src {
			return id
		}
	}
	return 0
}

// toldAs is what the client reads instead of where the server waits.
func (k *Kernel) toldAs(data *ftpData, mode ftpMode) string {
	c := &data.conn
	if data.known != 0 {
		c = k.conns.at(data.known)
	}
	if mode == ftpExtended {
		return fmt.Sprintf("|||%d|", c.vport)
	}
	a := addrOf(uint32(c.family), &c.virtual).As4()
	return fmt.Sprintf("%d,%d,%d,%d,%d,%d", a[0], a[1], a[2], a[3], c.vport>>8, c.vport&0xff)
}

// openData enters a data connection, which its control connection outlives. It listens,
// also if it was there already.
func (k *Kernel) openData(data *ftpData, server *dest, control connID) {
	id := data.known
	if id == 0 {
		k.assign(&data.conn, server)
		data.conn.control = control
		k.conns.at(control).controls++
		id = k.bindData(data, server)
	}
	c := k.conns.at(id)
	c.state, c.timeout = uint8(tcpListen), k.tcpTimeout(tcpListen)
	k.rearm(id, c)
}

// bindData enters a data connection of a server. Its address need not be that of the real
// server.
func (k *Kernel) bindData(data *ftpData, server *dest) connID {
	if data.conn.is(connAwaited) {
		k.awaited++
	}
	if data.server.Addr() == server.Addr.Addr() {
		id, _ := k.bind(&data.conn, server)
		return id
	}
	data.conn.flags |= connForeign
	k.attach(server, false)
	id := k.enter(&data.conn)
	if data.conn.is(connHelped) { // its port is one of the helper's
		k.ftp.begin(id, &data.conn)
	}
	k.foreign[id] = &data.server
	addr := data.server.Addr().As16()
	k.conns.linkReply(id, k.conns.at(id), &addr)
	k.natServers[addr]++
	return id
}

// findRequest returns the connection that a client's packet would have.
func (k *Kernel) findRequest(e *ends) connID {
	t := &k.conns
	for i := *bucket(t.byEnds, t.hash(e.protocol, &e.src, e.sport, &e.dst, e.dport)); i != 0; i = t.at(i).next {
		c := t.at(i)
		if c.protocol == e.protocol && uint32(c.family) == e.family && c.clientPort == e.sport && c.is(connAwaited) == (e.sport == 0) &&
			c.vport == e.dport && c.client == e.src && c.virtual == e.dst && !c.is(connTemplate) {
			return i
		}
	}
	return k.findAwaited(e)
}

// findAwaited returns the connection that waits for a client's first packet.
func (k *Kernel) findAwaited(e *ends) connID {
	t := &k.conns
	for i := *bucket(t.byEnds, t.hash(e.protocol, &e.src, 0, &e.dst, e.dport)); i != 0; i = t.at(i).next {
		c := t.at(i)
		if c.is(connAwaited) && c.clientPort == 0 && c.protocol == e.protocol && uint32(c.family) == e.family &&
			c.vport == e.dport && c.client == e.src && c.virtual == e.dst {
			return i
		}
	}
	return 0
}

// arrive gives a connection that waited the port of its client.
func (k *Kernel) arrive(id connID, c *conn, port uint16) {
	k.conns.unlink(id, c)
	k.conns.unlinkReply(id, c)
	c.clientPort, c.flags = port, c.flags&^connAwaited
	k.awaited--
	server := k.serverAddr(id, c).As16()
	k.conns.link(id, c)
	k.conns.linkReply(id, c, &server)
}

// serverAddr returns the address of a connection's server, which may not be that of any
// real server.
func (k *Kernel) serverAddr(id connID, c *conn) netip.Addr {
	if c.is(connForeign) {
		return k.foreign[id].Addr()
	}
	return k.dests[c.dest].Addr.Addr()
}
