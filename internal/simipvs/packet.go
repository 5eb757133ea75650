package simipvs

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// Packet is a packet that comes to the director, to one of its addresses or
// from a real server.
type Packet struct {
	Protocol            uint8
	TCP                 uint8           // flags
	Mark                uint32          // of the firewall
	Length              int             // of the IP packet in bytes
	Source, Destination *netip.AddrPort // IPv4 addresses are not mapped into IPv6
}

// Action is what becomes of a packet.
type Action uint8

// What becomes of a packet.
const (
	Forwarded Action = iota + 1 // to a real server
	Replied                     // to the client
	Refused                     // the client is told by ICMP
	Dropped
	Passed // IPVS does not touch it
)

// Reason is why.
type Reason uint8

// Why a packet is forwarded, replied, refused, dropped or passed.
const (
	Connected      Reason = iota + 1 // by its connection
	Scheduled                        // by the scheduler
	ByTemplate                       // by persistence
	Bypassed                         // by cache_bypass
	NoService                        // no service is for it
	NoServer                         // the scheduler found none that is usable
	NoServers                        // the service has none
	NoScheduler                      // the service has none
	NotOpening                       // it cannot open a connection
	OtherPort                        // the service has no port and no persistence
	FTPData                          // no other port than 21 of a service without persistence
	FromFTPData                      // from port 20
	ServerRemoved                    // its connection's server is no longer in the service
	ServerQuiesced                   // its old connection's server has weight 0
	Reused                           // its old connection has ended
	Conntracked                      // conntrack knows an old connection of the same addresses and ports
	DropRate                         // drop_packet
	TooMany                          // conn_max
	BackupOnly                       // backup_only, and a backup daemon runs
	NoTransmitter                    // the server's forwarding method is none
	NotLocal                         // the packet is not for the director, so IPVS does not see it
	NoRoute                          // the director has no route to the server
	NotOnLink                        // a router is between the director and a server of direct routing
	Loopback                         // a loopback address that packets of the network cannot have
	LinkDown                         // the interface on the way has no carrier
	TooLong                          // the packet is longer than the way lets pass
	NotListening                     // the server is the director, where no program listens
	ForwardingOff                    // the director does not forward the answers of NAT
	NoNeighbour                      // no host answers for the next address on the link
	Firewalled                       // a firewall of the director takes it
	NoConnection                     // a NAT server's packet of no connection, and nat_icmp_send
)

// Verdict is what becomes of a packet, and why. What a verdict does not have is
// zero: a packet that is passed on may have no service.
type Verdict struct {
	Action  Action
	Reason  Reason
	Service *ServiceName    // nil: none; not to be changed
	Server  *netip.AddrPort // as its service has it; nil: none; not to be changed
	Port    uint16          // to which the server gets the packet
	Method  uint8
	Tunnel  Tunnel
	State   string // as connections are listed; "" without a connection
}

// ServiceName names a service.
type ServiceName struct {
	Family   uint8
	Protocol uint16
	Addr     netip.AddrPort
	Mark     uint32
}

// Tunnel is how a server is reached through a tunnel.
type Tunnel struct {
	Type  uint8
	Port  uint16
	Flags uint16
}

// ends are the two ends of a packet as connections know them.
type ends struct {
	family       uint32
	protocol     uint8
	src, dst     [16]byte
	sport, dport uint16
}

// ErrUnsupported is what is not simulated.
var ErrUnsupported = errors.ErrUnsupported

func (p *Packet) ends(e *ends) error {
	src, dst := p.Source.Addr(), p.Destination.Addr()
	switch {
	case !src.IsValid() || !dst.IsValid():
		return errors.New("a packet needs a source and a destination")
	case src.Is4() != dst.Is4() || src.Is4In6() || dst.Is4In6():
		return fmt.Errorf("a packet cannot go from %s to %s: two address families", src, dst)
	case p.Protocol == protoSCTP:
		return fmt.Errorf("the states of SCTP are not simulated: %w", ErrUnsupported)
	case p.Protocol != protoTCP && p.Protocol != protoUDP:
		return fmt.Errorf("packets of protocol %d are not simulated: %w", p.Protocol, ErrUnsupported)
	case p.Source.Port() == 0 || p.Destination.Port() == 0:
		return errors.New("a packet has no port 0")
	case p.Length < 0 || p.Length > 65535:
		return fmt.Errorf("a packet of %d bytes", p.Length)
	}
	e.family, e.protocol = inet6, p.Protocol
	if src.Is4() {
		e.family = inet4
	}
	e.src, e.dst = src.As16(), dst.As16()
	e.sport, e.dport = p.Source.Port(), p.Destination.Port()
	return nil
}

// Deliver lets a packet come in and tells what becomes of it. What is not
// simulated is [ErrUnsupported]; then nothing happened.
func (k *Kernel) Deliver(p *Packet, v *Verdict) error {
	var e ends
	if err := p.ends(&e); err != nil {
		return err
	}
	k.lock()
	defer k.mu.Unlock()
	k.rethrow()
	o, err := k.receive(p, &e)
	if err == nil {
		k.tell(o, v)
	}
	return err
}

// outcome is a verdict in short.
type outcome struct {
	action  Action
	reason  Reason
	service *service // that the packet is for, if that was looked up
	conn    *conn    // nil: none
}

// receive lets netfilter and IPVS see a packet.
func (k *Kernel) receive(p *Packet, e *ends) (outcome, error) {
	begun, known := k.track(p, e)
	o, err := k.balance(p, e, known)
	if err == nil && !k.confirm(begun, e, &o) {
		o.action, o.reason = Dropped, Conntracked
	}
	return o, err
}

// balance is what IPVS does with a packet, of which netfilter may have an entry.
func (k *Kernel) balance(p *Packet, e *ends, tracked bool) (outcome, error) {
	if k.services.of(e.family) == 0 {
		return outcome{action: Passed, reason: NoService}, nil // its hooks are not there
	}
	id, reply := k.find(e)
	if reply {
		return k.reply(id, p), nil
	}
	if k.refusesServer(p, e) {
		return outcome{action: Refused, reason: NoConnection}, nil
	}
	if k.sysctl.backupOnly != 0 && k.daemons.backupRuns() {
		return outcome{action: Passed, reason: BackupOnly}, nil
	}
	if id == 0 {
		return k.open(p, e)
	}
	c := k.conns.at(id)
	if c.is(connCopied) {
		tracked = c.knownCopy()
	}
	switch why := k.outdated(c, p); {
	case why == 0:
		k.input(id, c, p)
		return transmit(Connected, c), nil
	case why == ServerRemoved && k.sysctl.expireNodestConn == 0:
		return outcome{action: Dropped, reason: ServerRemoved, conn: c}, nil
	case tracked:
		k.expireNow(id)
		return outcome{action: Dropped, reason: Conntracked}, nil
	}
	// The kernel ends the old connection with its next tick: while it schedules
	// the new one, the old one still counts. The new one's entry is not the old one's.
	c.flags &^= connTracked
	o, err := k.open(p, e)
	if err == nil {
		k.expireNow(id)
	}
	return o, err
}

// find returns the connection of a packet, and whether the packet is a reply.
func (k *Kernel) find(e *ends) (id connID, reply bool) {
	t := &k.conns
	hash := t.hash(e.protocol, &e.src, e.sport, &e.dst, e.dport)
	for i := *bucket(t.byEnds, hash); i != 0; {
		c := t.at(i)
		switch {
		case c.protocol != e.protocol || uint32(c.family) != e.family || c.is(connTemplate):
		case c.clientPort == e.sport && c.vport == e.dport && c.client == e.src && c.virtual == e.dst:
			id = i
		case c.method != methodMasq && c.clientPort == e.dport && c.vport == e.sport && c.client == e.dst && c.virtual == e.src:
			return i, true
		}
		i = c.next
	}
	if t.replies == 0 || k.natServers[e.src] == 0 {
		return id, false
	}
	for i := *bucket(t.byReply, hash|1); i != 0; {
		c := t.at(i)
		if c.clientPort == e.dport && c.destPort == e.sport && c.client == e.dst &&
			c.protocol == e.protocol && uint32(c.family) == e.family && k.dests[c.dest].addr16() == e.src {
			return i, true
		}
		i = c.nextReply
	}
	return id, false
}

// refusesServer reports whether nat_icmp_send refuses a packet of no connection
// that comes from a NAT server. A reset is not answered.
func (k *Kernel) refusesServer(p *Packet, e *ends) bool {
	if k.sysctl.natICMPSend == 0 || p.Protocol == protoTCP && p.TCP&TCPRst != 0 {
		return false
	}
	return slices.ContainsFunc(k.dests, func(d *dest) bool {
		return d != nil && d.svc != nil && d.method == methodMasq && d.Addr == *p.Source &&
			(d.key.mark != 0 || d.key.protocol == uint16(e.protocol))
	})
}

// reply lets a packet from a real server pass to the client.
func (k *Kernel) reply(id connID, p *Packet) outcome {
	c := k.conns.at(id)
	if d := k.dests[c.dest]; d != nil && d.Available {
		k.countOut(d, p.Length)
	}
	k.follow(c, p, fromServer)
	k.rearm(id, c)
	return outcome{action: Replied, reason: Connected, conn: c}
}

// outdated tells why a packet may not go by its old connection, 0 if it may.
func (k *Kernel) outdated(c *conn, p *Packet) Reason {
	d := k.dests[c.dest]
	if p.Protocol == protoTCP && p.TCP&TCPSyn != 0 {
		if k.sysctl.expireNodestConn != 0 && d != nil && d.Weight == 0 {
			return ServerQuiesced
		}
		if k.sysctl.connReuseMode != 0 && c.control == 0 && reusable(c, k.sysctl.connReuseMode) {
			return Reused
		}
	}
	if d != nil && !d.Available {
		return ServerRemoved
	}
	return 0
}

// reusable tells whether a client may open a connection again with the same
// port, because the old one has ended.
func reusable(c *conn, mode int) bool {
	switch State(c.state) {
	case tcpTimeWait, tcpClose:
		return true
	case tcpFinWait:
		return mode&2 != 0 && c.is(connNoOutput)
	}
	return false
}

// input counts a packet to a server and follows what it says.
func (k *Kernel) input(id connID, c *conn, p *Packet) {
	if d := k.dests[c.dest]; d != nil && d.Available {
		k.countIn(d, p.Length)
	}
	k.follow(c, p, fromClient)
	k.rearm(id, c)
}

// transmit hands a packet to the connection's server.
func transmit(why Reason, c *conn) outcome {
	if c.method > methodBypass {
		return outcome{action: Passed, reason: NoTransmitter, conn: c}
	}
	return outcome{action: Forwarded, reason: why, conn: c}
}

// tell writes a verdict out.
func (k *Kernel) tell(o outcome, v *Verdict) {
	v.Action, v.Reason = o.action, o.reason
	if o.service != nil {
		v.Service = o.service.name
	}
	c := o.conn
	if c == nil {
		return
	}
	v.Method, v.State = c.method, c.stateName()
	d := k.dests[c.dest]
	if d == nil {
		bypassed := netip.AddrPortFrom(addrOf(uint32(c.family), &c.virtual), c.vport)
		v.Server, v.Port = &bypassed, c.vport
		return
	}
	v.Server, v.Port, v.Service = &d.Addr, c.destPort, d.name
	if c.method == methodTunnel {
		v.Tunnel = Tunnel{d.tunType, d.tunPort, d.tunFlags}
	}
}

func addrOf(family uint32, a *[16]byte) netip.Addr {
	addr := netip.AddrFrom16(*a)
	if family == inet4 {
		return addr.Unmap()
	}
	return addr
}

// key is what a service of that name is looked up by.
func (n *ServiceName) key() serviceKey {
	if n.Mark != 0 {
		return serviceKey{family: uint32(n.Family), mark: n.Mark}
	}
	return serviceKey{family: uint32(n.Family), protocol: n.Protocol, port: n.Addr.Port(), addr: n.Addr.Addr().As16()}
}

func (s *serviceKey) name() *ServiceName {
	n := &ServiceName{Family: uint8(s.family), Protocol: s.protocol, Mark: s.mark}
	if s.mark == 0 {
		n.Addr = netip.AddrPortFrom(addrOf(s.family, &s.addr), s.port)
	}
	return n
}
