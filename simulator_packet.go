package lvs

import (
	"fmt"
	"math"
	"net/netip"

	"github.com/golvs/lvs/internal/simipvs"
)

// SimPacket is a packet that reaches IPVS on the director: from a client to a
// virtual address, or, in [NAT] mode, from a real server to a client.
type SimPacket struct {
	Protocol    Protocol       // at most 255
	Source      netip.AddrPort // the sender; its port is 0 unless the protocol is TCP, UDP or SCTP
	Destination netip.AddrPort // of a client: the virtual address
	TCP         SimTCPFlags    // of a TCP packet; others have none
	SCTP        SimSCTPChunks  // of an SCTP packet; others have none
	FWMark      uint32         // the firewall's mark on it; 0 is none
	Length      int            // of the IP packet, in bytes; 0 is the headers and Data

	// Data are the bytes behind the headers, as far as they matter: to the
	// persistence engine of a service, or to the helper for FTP.
	Data string

	// ICMPType and ICMPCode are those of an ICMP packet, whose ports are 0.
	ICMPType, ICMPCode uint8

	// About is the packet that an ICMP error is about, as the sender of the error saw it:
	// a server of [NAT] got it at its own address. Nil is none, or one of which the error
	// quotes so little that its ports are not known.
	About *SimPacket
}

// Equal reports whether both are the same packet. Unlike ==, it compares what About
// points to.
func (p SimPacket) Equal(other SimPacket) bool {
	if p.About != nil && other.About != nil && p.About.Equal(*other.About) {
		p.About = other.About
	}
	return p == other
}

// SimTCPFlags are the flags of a TCP packet that IPVS looks at.
type SimTCPFlags uint8

// The flags.
const (
	SimFIN SimTCPFlags = simipvs.TCPFin
	SimSYN SimTCPFlags = simipvs.TCPSyn
	SimRST SimTCPFlags = simipvs.TCPRst
	SimACK SimTCPFlags = simipvs.TCPAck
)

// validate refuses what contradicts itself. The rest is the kernel's to refuse.
func (p *SimPacket) validate() *Error {
	least := p.least()
	switch {
	case p.Protocol > 255:
		return invalid("Protocol", "%s is not a protocol of a packet", p.Protocol)
	case p.TCP != 0 && p.Protocol != ProtocolTCP:
		return invalid("TCP", "a %s packet has no TCP flags", p.Protocol)
	case p.SCTP != "" && p.Protocol != ProtocolSCTP:
		return invalid("SCTP", "a %s packet has no SCTP chunks", p.Protocol)
	case p.ICMPType|p.ICMPCode != 0 && !p.isICMP():
		return invalid("ICMPType", "a %s packet has no ICMP type and code", p.Protocol)
	case p.isICMP() && (p.Protocol == ProtocolICMPv6) != unmap(p.Destination).Addr().Is6():
		return invalid("Protocol", "%s is not the ICMP of %s", p.Protocol, p.Destination.Addr())
	case p.About != nil && !p.isICMP():
		return invalid("About", "a %s packet is not about another one", p.Protocol)
	case p.Length != 0 && p.Length < least:
		return invalid("Length", "%d bytes are less than the %d bytes of headers and data", p.Length, least)
	case max(p.Length, least) > math.MaxUint16:
		return invalid("Length", "a packet has at most %d bytes, not %d", math.MaxUint16, max(p.Length, least))
	}
	if p.About != nil {
		if bad := p.validateAbout(); bad != nil {
			return bad
		}
	}
	return validateEnds(p.Protocol, "Source", p.Source, "Destination", p.Destination)
}

// Deliver delivers a packet to the director and returns the verdict on it. If the
// simulator has interfaces, the packet reaches IPVS only if it is for an address or a
// local route of the director, comes from there, or is an answer that the director
// forwards; and it is [ActionForwarded] only if the director has a route to the server,
// in mode [DR] without a router. A packet whose source is the director's comes from a
// program there, any other from outside. The error matches [ErrInvalid] for what is not a
// packet; nothing has happened then.
func (s *Simulator) Deliver(p SimPacket) (v Verdict, err error) {
	if bad := p.validate(); bad != nil {
		return v, bad.about(OpDeliver, "packet")
	}
	raw := simipvs.Packet{
		Protocol: uint8(p.Protocol), Source: &p.Source, Destination: &p.Destination,
		TCP: uint8(p.TCP), Chunks: string(p.SCTP), Mark: p.FWMark, Length: p.Length, Data: p.Data,
	}
	if p.Source.Addr().Is4In6() || p.Destination.Addr().Is4In6() {
		p.Source, p.Destination = unmap(p.Source), unmap(p.Destination)
	}
	if raw.Length == 0 {
		raw.Length = p.least()
	}
	if p.isICMP() {
		raw.ICMP = p.icmp()
	}
	var told simipvs.Verdict
	if err := s.deliver(s.network.ways.Load(), &raw, &told, &v); err != nil {
		return v, deliverError(&p, err)
	}
	return v, nil
}

// deliver delivers a packet by the ways of the network, if there are any.
func (s *Simulator) deliver(ways *simulatedWays, raw *simipvs.Packet, told *simipvs.Verdict, v *Verdict) (err error) {
	if ways != nil {
		var stops bool
		if *v, stops, err = ways.stopsBefore(raw, told); err != nil || stops {
			return err
		}
	}
	if err := s.kernel.Deliver(raw, told); err != nil {
		return err
	}
	if ways != nil && ways.passesAgain(raw, told) {
		if err := s.kernel.Deliver(raw, told); err != nil {
			return err
		}
	}
	if v.take(told); ways != nil {
		ways.stopAfter(raw, told, v)
	}
	return nil
}

// take makes it what the kernel told. It is written in place, for a verdict is
// large, and there is one for each packet.
func (v *Verdict) take(told *simipvs.Verdict) {
	v.Action, v.Reason, v.Port = actionOf[told.Action], reasonOf[told.Reason], told.Port
	if told.Service != nil {
		v.Service = serviceIDOf(told.Service)
	}
	if told.Server != nil {
		v.Server, v.State = *told.Server, ConnState(told.State)
		v.Mode = newMode(uint32(told.Method), told.Tunnel.Type, told.Tunnel.Port, told.Tunnel.Flags)
	}
}

// actionOf and reasonOf translate from the simulated kernel.
var (
	actionOf = [...]Action{
		simipvs.Forwarded: ActionForwarded, simipvs.Replied: ActionReplied, simipvs.Refused: ActionRefused,
		simipvs.Dropped: ActionDropped, simipvs.Passed: ActionPassed,
	}
	reasonOf = [...]Reason{
		simipvs.Connected: ReasonConnection, simipvs.Scheduled: ReasonScheduled, simipvs.ByTemplate: ReasonPersistence,
		simipvs.Bypassed: ReasonBypass, simipvs.NoService: ReasonNoService, simipvs.NoServer: ReasonNoServerUsable,
		simipvs.NoServers: ReasonNoServers, simipvs.NoScheduler: ReasonNoScheduler, simipvs.NotOpening: ReasonNotOpening,
		simipvs.OtherPort: ReasonNotPersistent, simipvs.FTPData: ReasonFTPData, simipvs.FromFTPData: ReasonFromFTPData, simipvs.NoKey: ReasonEngine,
		simipvs.ServerRemoved: ReasonServerRemoved, simipvs.Conntracked: ReasonConntrack, simipvs.DropRate: ReasonDropRate,
		simipvs.TooMany: ReasonConnectionLimit, simipvs.BackupOnly: ReasonBackupOnly, simipvs.NoTransmitter: ReasonNoMode,
		simipvs.NoConnection: ReasonNoConnection, simipvs.OtherProtocol: ReasonProtocol, simipvs.NoChunk: ReasonNoChunk,
		simipvs.Related: ReasonRelated, simipvs.WrongChecksum: ReasonChecksum,
		simipvs.NotTracked: ReasonNotTracked,
		simipvs.Reversed:   ReasonServerFirst,
		simipvs.OwnStack:   ReasonOwnStack,
	}
)

func deliverError(p *SimPacket, err error) error {
	e := &Error{kind: ErrInvalid, cause: err}
	return e.about(OpDeliver, fmt.Sprintf("%s packet from %s to %s", p.Protocol, p.Source, p.Destination))
}

// headers returns the length of the packet without data.
func (p *SimPacket) headers() int {
	const chunk = 4
	return headersOf(p.Protocol, unmap(p.Destination)) + chunk*len(p.SCTP)
}

// headersOf returns the length of the headers of a packet.
func headersOf(p Protocol, to netip.AddrPort) int {
	length := 20
	if to.Addr().Is6() {
		length = 40
	}
	switch p {
	case ProtocolTCP:
		return length + 20
	case ProtocolUDP, ProtocolICMP, ProtocolICMPv6:
		return length + 8
	case ProtocolSCTP:
		return length + 12
	}
	return length
}

// least returns the length of the packet if it is not longer than it must be.
func (p *SimPacket) least() int {
	n := p.headers() + len(p.Data)
	if p.About != nil {
		n += p.About.least()
	}
	return n
}

func serviceIDOf(n *simipvs.ServiceName) ServiceID {
	return ServiceID{protocol: Protocol(n.Protocol), vip: n.Addr, mark: n.Mark, family: uint16(n.Family)}
}
