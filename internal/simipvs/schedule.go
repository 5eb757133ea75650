package simipvs

import (
	"fmt"
	"net/netip"

	"github.com/golvs/lvs/internal/simipvs/sched"
)

const (
	ftpPort     = 21
	ftpDataPort = 20
)

// open finds a server for a packet that has no connection.
func (k *Kernel) open(p *Packet, e *ends) (outcome, error) {
	s := k.serviceFor(p.Mark, e)
	if s == nil {
		return outcome{action: Passed, reason: NoService}, nil
	}
	o := outcome{action: Passed, reason: NotOpening}
	switch {
	case !k.opens(p):
	case s.engine != "" && s.flags&flagPersistent != 0 && p.Protocol == protoUDP:
		return o, fmt.Errorf("the persistence engine %s is not simulated: %w", s.engine, ErrUnsupported)
	case k.drops():
		o = outcome{action: Dropped, reason: DropRate}
	default:
		o = k.schedule(s, p, e)
	}
	o.service = s
	return o, nil
}

// opens tells whether a packet can open a connection.
func (k *Kernel) opens(p *Packet) bool {
	if p.Protocol == protoUDP {
		return true
	}
	return (p.TCP&TCPSyn != 0 || k.sysctl.sloppyTCP != 0) && p.TCP&TCPRst == 0
}

// drops tells whether drop_packet takes this packet.
func (k *Kernel) drops() bool {
	const always = 3
	if k.sysctl.dropPacket != always {
		return false
	}
	if k.dropCounter--; k.dropCounter > 0 {
		return false
	}
	k.dropCounter = k.sysctl.amDroprate
	return true
}

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

// schedule opens a connection to a server of the service.
func (k *Kernel) schedule(s *service, p *Packet, e *ends) outcome {
	switch {
	case e.sport == ftpDataPort:
		return outcome{action: Passed, reason: FromFTPData}
	case s.flags&flagPersistent != 0:
		return k.schedulePersistent(s, p, e)
	case s.key.mark == 0 && e.dport != s.key.port:
		return k.leave(s, p, e, OtherPort)
	}
	d := k.pick(s, p)
	if d == nil {
		return k.leave(s, p, e, NoServer)
	}
	if k.full() {
		return outcome{action: Dropped, reason: TooMany}
	}
	return k.begin(Scheduled, s, d, 0, d.portFor(e.dport), p, e)
}

// pick asks the scheduler.
func (k *Kernel) pick(s *service, p *Packet) *dest {
	k.flow = k.flowOf(s, p)
	picked := s.group.Pick(&k.flow)
	if picked == nil || int(picked.ID) >= len(k.dests) {
		return nil
	}
	if d := k.dests[picked.ID]; d != nil && &d.Server == picked && d.svc == s {
		return d
	}
	return nil // an algorithm of somebody's own may pick what it likes
}

func (k *Kernel) flowOf(s *service, p *Packet) sched.Flow {
	return sched.Flow{Client: *p.Source, Dest: *p.Destination, Protocol: p.Protocol, Flags: s.flags, Now: int64(k.now)}
}

// portFor returns the port to which a server gets what came to a port.
func (d *dest) portFor(port uint16) uint16 {
	if own := d.Addr.Port(); own != 0 {
		return own
	}
	return port
}

// full tells whether conn_max is reached.
func (k *Kernel) full() bool { return k.fullWith(0) }

// fullWith reports whether conn_max is reached by some more connections.
func (k *Kernel) fullWith(more int) bool {
	return k.sysctl.connMax >= 0 && k.conns.live+k.elsewhere+more >= k.sysctl.connMax
}

// begin opens a connection to a server with its first packet.
func (k *Kernel) begin(why Reason, s *service, d *dest, template connID, port uint16, p *Packet, e *ends) outcome {
	c := &k.opening
	*c = conn{
		client: e.src, virtual: e.dst, clientPort: e.sport, vport: e.dport, destPort: port,
		protocol: e.protocol, family: uint8(e.family), control: template,
	}
	if s.flags&flagOnePacket != 0 && e.protocol == protoUDP {
		c.flags |= connOnePacket
	}
	id, c := k.bind(c, d)
	if template != 0 {
		k.conns.at(template).controls++
	}
	k.countConn(d)
	k.input(id, c, p)
	if c.is(connOnePacket) {
		k.unbind(c)
	}
	return transmit(why, c)
}

// bind gives a connection, or a template, to a server. A one-packet connection
// is in no table and has no number.
func (k *Kernel) bind(c *conn, d *dest) (connID, *conn) {
	c.dest, c.method = d.ID, uint8(d.method)
	c.timeout = initialTimeout
	c.flags |= connInactive
	if c.method != methodMasq {
		c.flags |= connNoOutput
	}
	k.bound(d, c.is(connTemplate))
	if c.is(connOnePacket) {
		k.leaveToConntrack(c)
		return 0, c
	}
	id := k.enter(c)
	c = k.conns.at(id)
	if c.method == methodMasq && !c.is(connTemplate) {
		addr := d.addr16()
		k.conns.linkReply(id, c, &addr)
		if d.replies++; d.replies == 1 {
			k.natServers[addr]++
		}
	}
	return id, c
}

func (d *dest) addr16() [16]byte { return d.Addr.Addr().As16() }

// enter takes a connection into the table and starts its timer.
func (k *Kernel) enter(c *conn) connID {
	k.leaveToConntrack(c)
	id := k.conns.add(c)
	in := k.conns.at(id)
	in.expires = k.now + in.timeout
	k.timers.set(id, in)
	return id
}

// leaveToConntrack does what conntrack=1 asks for.
func (k *Kernel) leaveToConntrack(c *conn) {
	if k.sysctl.conntrack != 0 && !c.is(connTemplate) {
		c.flags |= connTracked
	}
}

// rearm starts the timer again, as each packet does.
func (k *Kernel) rearm(id connID, c *conn) {
	if id != 0 {
		c.expires = k.now + c.timeout
		k.timers.update(id, c)
	}
}

// leave is what becomes of a packet that gets no server.
func (k *Kernel) leave(s *service, p *Packet, e *ends, why Reason) outcome {
	if k.bypasses(s, p) {
		return k.bypass(s, p, e)
	}
	return k.refuse(s, e, why)
}

// bypasses tells whether packets without a server go on to where they were going.
func (k *Kernel) bypasses(s *service, p *Packet) bool {
	return k.sysctl.cacheBypass != 0 && s.key.mark != 0 && k.isRemoteUnicast(p.Destination.Addr())
}

func (k *Kernel) refuse(s *service, e *ends, why Reason) outcome {
	if s.key.port == ftpPort && e.dport != ftpPort {
		return outcome{action: Passed, reason: FTPData}
	}
	if why == NoServer {
		why = s.lack()
	}
	return outcome{action: Refused, reason: why}
}

// lack tells why a service has no server for a client.
func (s *service) lack() Reason {
	switch {
	case s.scheduler == noScheduler:
		return NoScheduler
	case s.group.Len() == 0:
		return NoServers
	}
	return NoServer
}

// bypass sends a packet on to where it was going.
func (k *Kernel) bypass(s *service, p *Packet, e *ends) outcome {
	if k.full() {
		return outcome{action: Dropped, reason: TooMany}
	}
	c := &k.opening
	*c = conn{
		client: e.src, virtual: e.dst, clientPort: e.sport, vport: e.dport,
		protocol: e.protocol, family: uint8(e.family), method: methodBypass, timeout: initialTimeout,
	}
	var id connID
	if s.flags&flagOnePacket == 0 || e.protocol != protoUDP {
		id = k.enter(c)
		c = k.conns.at(id)
	}
	k.input(id, c, p)
	return transmit(Bypassed, c)
}

// isRemoteUnicast tells whether an address is another host's.
func (k *Kernel) isRemoteUnicast(a netip.Addr) bool {
	return !k.isLocal(a) && !a.IsMulticast() && !a.IsUnspecified()
}
