package simipvs

import "github.com/golvs/lvs/internal/simipvs/sched"

const (
	ftpPort     = 21
	ftpDataPort = 20
)

// serviceFor returns the service that a packet is for, nil if there is none.
func (k *Kernel) serviceFor(mark uint32, e *ends) *service {
	if mark != 0 {
		if s := k.lookup(serviceKey{family: e.family, mark: mark}); s != nil {
			return s
		}
	}
	key := serviceKey{family: e.family, protocol: uint16(e.protocol), port: e.dport, addr: e.dst}
	if s := k.lookup(key); s != nil {
		return s
	}
	if k.services.ftp > 0 && k.takesFTP(e) {
		key.port = ftpPort
		if s := k.lookup(key); s != nil {
			return s
		}
	}
	if k.services.anyPort > 0 {
		key.port = 0
		return k.lookup(key)
	}
	return nil
}

// takesFTP reports whether a packet may be for a service of FTP by another port.
func (k *Kernel) takesFTP(e *ends) bool {
	return e.protocol == protoTCP && (e.dport == ftpDataPort || int(e.dport) >= k.sysctl.unprivilegedPortStart)
}

// schedule decides which server of a service gets a new connection.
func (k *Kernel) schedule(d *decision, s *service, p *Packet, e *ends, w *world) {
	switch {
	case e.sport == ftpDataPort:
		d.pass(FromFTPData)
		return
	case p.Own && k.repliesFromHere(e):
		d.pass(NotOpening)
		return
	case s.flags&flagPersistent != 0:
		k.schedulePersistent(d, s, p, e, w)
		return
	case s.key.mark == 0 && e.dport != s.key.port:
		k.noServer(d, s, p, e, w, OtherPort)
		return
	}
	server := k.pick(s, p, w)
	switch {
	case server == nil:
		k.noServer(d, s, p, e, w, NoServer)
	case k.full(0):
		d.action, d.reason = Dropped, TooMany
	default:
		k.begin(d, s, server, e, server.portFor(e.dport))
		d.transmit(Scheduled, d.conn, server)
	}
}

// repliesFromHere reports whether a packet of the director's own replies to a client of a
// connection from the VIP, which opens nothing.
func (k *Kernel) repliesFromHere(e *ends) bool {
	request := e.reversed()
	return k.findRequest(&request) != 0
}

// pick asks the scheduler of a service. An algorithm of the caller's can only be asked
// by letting it pick, so only [Kernel.Deliver] does that.
func (k *Kernel) pick(s *service, p *Packet, w *world) *dest {
	k.flow = sched.Flow{Client: *p.Source, Dest: *p.Destination, Protocol: p.Protocol, Flags: s.flags, Now: int64(k.now)}
	if w != nil {
		return k.supposedPick(s, w)
	}
	picked := s.group.Pick(&k.flow)
	if picked == nil || int(picked.ID) >= len(k.dests) {
		return nil
	}
	if d := k.dests[picked.ID]; d != nil && &d.Server == picked && d.svc == s {
		return d
	}
	return nil // a caller's algorithm may pick anything
}

// portFor returns the port on which a server gets what was sent to a port.
func (d *dest) portFor(port uint16) uint16 {
	if own := d.Addr.Port(); own != 0 {
		return own
	}
	return port
}

// full reports whether conn_max is reached by so many connections more.
func (k *Kernel) full(more int) bool {
	return k.sysctl.connMax >= 0 && k.conns.live+k.elsewhere.Connections+more >= k.sysctl.connMax
}

// begin sets the connection that a packet opens with a server. It is not in the table.
func (k *Kernel) begin(d *decision, s *service, server *dest, e *ends, port uint16) {
	c := &k.opening
	*c = conn{
		client: e.src, virtual: e.dst, clientPort: e.sport, vport: e.dport, destPort: port,
		protocol: e.protocol, family: uint8(e.family),
	}
	if s.flags&flagOnePacket != 0 && e.protocol == protoUDP {
		c.flags |= connOnePacket
	}
	k.assign(c, server)
	d.conn, d.effect = c, effectOpening
}

// assign makes a connection, or a template, that of a server.
func (k *Kernel) assign(c *conn, server *dest) {
	c.dest, c.method, c.timeout = server.ID, uint8(server.method), initialTimeout
	c.flags |= connInactive
	if c.method != methodMasq {
		c.flags |= connNoOutput
	}
	k.leaveToConntrack(c)
	if k.ftp.helps(c) {
		c.flags |= connHelped | connTracked
	}
}

// leaveToConntrack does what conntrack=1 asks for. In templates it only shows in messages
// of a sync daemon.
func (k *Kernel) leaveToConntrack(c *conn) {
	if k.sysctl.conntrack != 0 {
		c.flags |= connTracked
	}
}

// noServer decides about a packet that gets no server.
func (k *Kernel) noServer(d *decision, s *service, p *Packet, e *ends, w *world, why Reason) {
	switch {
	case k.bypasses(s, p, w):
		k.bypass(d, s, e)
	case s.key.port == ftpPort && e.dport != ftpPort:
		d.pass(FTPData)
	case why == NoServer:
		d.action, d.reason = Refused, s.whyNoServer()
	default:
		d.action, d.reason = Refused, why
	}
}

// whyNoServer returns why a service has no server for a client.
func (s *service) whyNoServer() Reason {
	switch {
	case s.scheduler == noScheduler:
		return NoScheduler
	case s.group.Len() == 0:
		return NoServers
	}
	return NoServer
}
