package simipvs

import (
	"errors"
	"fmt"
	"net/netip"
)

// Packet is a packet that comes to the director, to one of its addresses or
// from a real server.
type Packet struct {
	Protocol            uint8
	TCP                 uint8           // flags
	Chunks              string          // of SCTP, a byte each: its type
	Mark                uint32          // of the firewall
	Length              int             // of the IP packet in bytes
	Source, Destination *netip.AddrPort // IPv4 addresses are not mapped into IPv6
	Data                string          // behind the headers; "": not known, or none
	ICMP                *ICMP           // of an ICMP error; nil: it is none
	Seq, Ack            uint32          // of TCP; they matter where a helper changes packets
	Own                 bool            // a program of the director sends it
}

// Action is what happens to a packet.
type Action uint8

// What happens to a packet.
const (
	Forwarded Action = iota + 1 // to a real server
	Replied                     // to the client
	Refused                     // the client gets an ICMP error
	Dropped
	Passed // IPVS leaves it to the director's own stack
)

// Reason is why.
type Reason uint8

// Why a packet is forwarded, replied, refused, dropped or passed.
const (
	Connected     Reason = iota + 1 // by its connection
	Scheduled                       // by the scheduler
	ByTemplate                      // by persistence
	Bypassed                        // by cache_bypass
	NoService                       // no service is for it
	NoServer                        // the scheduler found no usable server
	NoServers                       // the service has no servers
	NoScheduler                     // the service has no scheduler
	NotOpening                      // it cannot open a connection
	OtherPort                       // the service has port 0 and no persistence
	FTPData                         // a service of port 21 without persistence serves no other port
	FromFTPData                     // it comes from port 20
	NoKey                           // the service's persistence engine finds no key in it
	ServerRemoved                   // its connection's server is no longer in the service
	Conntracked                     // netfilter knows another connection of the same addresses and ports
	DropRate                        // drop_packet
	TooMany                         // conn_max
	BackupOnly                      // backup_only is on and a backup daemon runs
	NoTransmitter                   // the kernel does not know the server's forwarding method
	NoConnection                    // a NAT server's packet of no connection, and nat_icmp_send
	OtherProtocol                   // IPVS does not balance its protocol
	NoChunk                         // an SCTP packet of no connection, and without a chunk
	Related                         // it is an ICMP error about a packet of a connection
	WrongChecksum                   // it is an ICMP error with a wrong checksum
	NotTracked                      // a helper has to change it, which needs netfilter
	Reversed                        // a NAT server sends it first, and its service has a persistence engine
	OwnStack                        // cache_bypass would send it to the director itself

	// Why a packet does not follow its old connection. No verdict has these.
	ServerQuiesced // its old connection's server has weight 0
	Reused         // its old connection has ended
)

// Verdict is what happens to a packet, and why. A field that does not apply is zero.
type Verdict struct {
	Action  Action
	Reason  Reason
	Service *ServiceName    // nil: none; not to be changed
	Server  *netip.AddrPort // as its service has it; nil: none; not to be changed
	Way     *Way            // by which the packet leaves; nil: that to Server
	Port    uint16          // to which the server gets the packet
	Method  uint8
	Tunnel  Tunnel
	State   string         // as connections are listed; "" without a connection
	Virtual netip.AddrPort // of a reply: what the client takes for its source
	Rewrite *Rewrite       // nil: no helper changes the packet
	Read    bool           // a persistence engine of the kernel's read the packet, which made one piece of it
}

// ServiceName names a service.
type ServiceName struct {
	Family   uint8
	Protocol uint16
	Addr     netip.AddrPort
	Mark     uint32
}

// Way is a real server's route, which Linux looks up for its first packet. It is a new one
// whenever the server is added or edited.
type Way struct {
	Server netip.AddrPort
	Kept   any // what the caller of [Kernel.Deliver] keeps of the route; nil: nothing
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
	case !p.hasPorts() && (p.Source.Port() != 0 || p.Destination.Port() != 0):
		return fmt.Errorf("a packet of protocol %d has no ports", p.Protocol)
	case p.Length < 0 || p.Length > 65535:
		return fmt.Errorf("a packet of %d bytes", p.Length)
	}
	e.family, e.protocol = inet6, p.Protocol
	if src.Is4() {
		e.family = inet4
	}
	e.src, e.dst = src.As16(), dst.As16()
	e.sport, e.dport = p.Source.Port(), p.Destination.Port()
	if p.isIPsec() {
		e.protocol, e.sport, e.dport = protoUDP, isakmpPort, isakmpPort
	}
	return nil
}

// Deliver lets a packet come in and writes what happens to it. With an error nothing has
// happened.
func (k *Kernel) Deliver(p *Packet, v *Verdict) error {
	if p.ICMP != nil {
		return k.deliverError(p, v)
	}
	var e ends
	if err := p.ends(&e); err != nil {
		return err
	}
	k.lock()
	defer k.mu.Unlock()
	k.rethrow()
	var d decision
	if err := k.decide(&d, p, &e, nil); err != nil {
		return err
	}
	k.commit(&d, p, &e)
	d.tell(p, v)
	return nil
}

// PassOn lets netfilter see a packet that the director forwards without IPVS, and writes
// what happens to it: [Passed], or [Dropped] if netfilter knows another connection of the
// same addresses and ports.
func (k *Kernel) PassOn(p *Packet, v *Verdict) error {
	var e ends
	if err := p.ends(&e); err != nil {
		return err
	}
	k.lock()
	defer k.mu.Unlock()
	var d decision
	d.pass(NoService)
	if k.tracks(e.family) && p.isTracked() {
		if begun, _ := k.begins(p, &e); d.enters(begun) {
			reply := e.reversed()
			k.dropClash(&d, &e, &reply)
		}
		k.commit(&d, p, &e)
	}
	d.tell(p, v)
	return nil
}

// tell writes the verdict.
func (d *decision) tell(p *Packet, v *Verdict) {
	v.Action, v.Reason, v.Rewrite, v.Read = d.action, d.reason, d.rewrite, d.read
	if d.service != nil {
		v.Service = d.service.name
	}
	c := d.conn
	if c == nil {
		return
	}
	v.Method, v.State, v.Port = c.method, c.stateName(), c.destPort
	if d.dest == nil {
		v.Port = c.vport
	}
	virtual := c.vport
	if !p.hasPorts() && p.ICMP == nil {
		v.Port, virtual = 0, 0
	}
	if d.action == Replied {
		v.Virtual = netip.AddrPortFrom(addrOf(uint32(c.family), &c.virtual), virtual)
	}
	server := d.dest
	if server == nil {
		bypassed := netip.AddrPortFrom(addrOf(uint32(c.family), &c.virtual), c.vport)
		v.Server = &bypassed
		return
	}
	v.Server, v.Service, v.Way = &server.Addr, server.name, server.way
	if d.foreign != nil {
		v.Server = d.foreign
	}
	if c.method == methodTunnel {
		v.Tunnel = Tunnel{server.tunType, server.tunPort, server.tunFlags}
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
