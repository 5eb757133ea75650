package lvs

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"

	"github.com/golvs/lvs/internal/kernel"
)

// Packet is a packet that reaches IPVS on the director: from a client to a
// virtual address, or, in [NAT] mode, from a real server to a client.
type Packet struct {
	Protocol    Protocol       // at most 255
	Source      netip.AddrPort // the sender
	Destination netip.AddrPort // of a client: the virtual address
	TCP         TCPFlags       // of a TCP packet; others have none
	FWMark      uint32         // the firewall's mark on it; 0 is none
	Length      int            // of the IP packet, in bytes; 0 is one without data
}

// Equal tells whether both are the same, as == does.
func (p Packet) Equal(other Packet) bool { return p == other }

// TCPFlags are the flags of a TCP packet that IPVS looks at.
type TCPFlags uint8

// The flags.
const (
	FIN TCPFlags = kernel.TCPFin
	SYN TCPFlags = kernel.TCPSyn
	RST TCPFlags = kernel.TCPRst
	ACK TCPFlags = kernel.TCPAck
)

// Verdict is what becomes of a packet, and why.
type Verdict struct {
	Action  Action         `json:"action"`           // what becomes of it
	Reason  Reason         `json:"reason"`           // why
	Service ServiceID      `json:"service,omitzero"` // the zero value if none is for the packet
	Server  netip.AddrPort `json:"server,omitzero"`  // the real server, as its service knows it; not valid if there is none
	Port    uint16         `json:"port,omitempty"`   // on which the server gets the packet, also when its own is 0
	Mode    Mode           `json:"mode,omitzero"`    // how it gets there; left out of JSON when it is [DR]
	State   ConnState      `json:"state,omitempty"`  // of the connection after the packet; "" if there is none
}

// Equal tells whether both are the same, as == does.
func (v Verdict) Equal(other Verdict) bool { return v == other }

// String says it in words, such as "forwarded to 10.168.0.94:80 by dr: the
// scheduler picked it".
func (v Verdict) String() string {
	var b strings.Builder
	b.WriteString(v.Action.String())
	if v.Action == Forwarded {
		fmt.Fprintf(&b, " to %s by %s", netip.AddrPortFrom(v.Server.Addr(), v.Port), v.Mode)
	}
	b.WriteString(": " + v.Reason.String())
	return b.String()
}

// Action is what becomes of a packet.
type Action uint8

// What becomes of a packet.
const (
	Forwarded = Action(kernel.Forwarded) // to a real server
	Replied   = Action(kernel.Replied)   // it is a real server's, and goes to the client
	Refused   = Action(kernel.Refused)   // the client is told by ICMP: port unreachable, or as the reason says
	Dropped   = Action(kernel.Dropped)   // nobody is told
	Passed    = Action(kernel.Passed)    // IPVS leaves it to the director's own stack
)

// String returns a word.
func (a Action) String() string {
	switch a {
	case Forwarded:
		return "forwarded"
	case Replied:
		return "replied"
	case Refused:
		return "refused"
	case Dropped:
		return "dropped"
	case Passed:
		return "passed on"
	}
	return "action-" + strconv.Itoa(int(a))
}

// Reason is why a packet was forwarded or not.
type Reason uint8

// Why a packet was forwarded or not.
const (
	ReasonConnection      = Reason(kernel.Connected)     // it belongs to a connection
	ReasonScheduled       = Reason(kernel.Scheduled)     // the scheduler picked the server
	ReasonPersistence     = Reason(kernel.ByTemplate)    // persistence ties the client to the server, whatever its weight and thresholds
	ReasonBypass          = Reason(kernel.Bypassed)      // no server was usable, and cache_bypass is on
	ReasonNoService       = Reason(kernel.NoService)     // no service is for it
	ReasonNoServerUsable  = Reason(kernel.NoServer)      // the scheduler found none: those with weight 0 or at their upper threshold do not count
	ReasonNoServers       = Reason(kernel.NoServers)     // the service has none
	ReasonNoScheduler     = Reason(kernel.NoScheduler)   // the service's scheduler is [NoScheduler]
	ReasonNotOpening      = Reason(kernel.NotOpening)    // it belongs to no connection and cannot open one
	ReasonNotPersistent   = Reason(kernel.OtherPort)     // a service of port 0 takes packets only when it is persistent
	ReasonFTPData         = Reason(kernel.FTPData)       // it may be FTP data, for which the service would have to be persistent
	ReasonFromFTPData     = Reason(kernel.FromFTPData)   // it comes from port 20, which IPVS never schedules
	ReasonServerRemoved   = Reason(kernel.ServerRemoved) // its connection's server was removed, and expire_nodest_conn is off
	ReasonConntrack       = Reason(kernel.Conntracked)   // netfilter has an entry in its way, perhaps of an earlier packet: net.ipv4.vs.conntrack need not be 1
	ReasonDropRate        = Reason(kernel.DropRate)      // drop_packet is on
	ReasonConnectionLimit = Reason(kernel.TooMany)       // conn_max is reached
	ReasonBackupOnly      = Reason(kernel.BackupOnly)    // backup_only is on, and a backup daemon runs
	ReasonNoMode          = Reason(kernel.NoTransmitter) // the server has a mode that is none

	// What keeps a packet from getting onward, although IPVS may have a server for it.
	ReasonNotLocal      = Reason(kernel.NotLocal)      // the VIP is not an address of the director, so IPVS does not see the packet
	ReasonNoRoute       = Reason(kernel.NoRoute)       // the director has no route to the server; the client is told by ICMP: host unreachable
	ReasonNotOnLink     = Reason(kernel.NotOnLink)     // a router is between the director and a server of [DR], and does not know to send it there
	ReasonLoopback      = Reason(kernel.Loopback)      // the VIP or the server is a loopback address, which packets from outside cannot have
	ReasonLinkDown      = Reason(kernel.LinkDown)      // the interface by which it would leave has no carrier
	ReasonTooLong       = Reason(kernel.TooLong)       // it is longer than the MTU on the way lets pass
	ReasonNotListening  = Reason(kernel.NotListening)  // the server is the director itself, where no program listens
	ReasonForwardingOff = Reason(kernel.ForwardingOff) // it is an answer of a server of [NAT], and the director does not forward
	ReasonNoNeighbour   = Reason(kernel.NoNeighbour)   // no host on the link answers for the address of the server, or of the router before it
	ReasonFirewall      = Reason(kernel.Firewalled)    // a firewall of the director takes it
	ReasonNoConnection  = Reason(kernel.NoConnection)  // it comes from a server of [NAT] and belongs to no connection, and nat_icmp_send is on
)

var reasons = map[Reason]string{
	ReasonConnection:      "it belongs to a connection",
	ReasonScheduled:       "the scheduler picked it",
	ReasonPersistence:     "persistence ties the client to it",
	ReasonBypass:          "no server is usable, and cache_bypass is on",
	ReasonNoService:       "no service is for it",
	ReasonNoServerUsable:  "no server is usable: each has weight 0 or is at its upper threshold",
	ReasonNoServers:       "the service has no servers",
	ReasonNoScheduler:     "the service has no scheduler",
	ReasonNotOpening:      "it belongs to no connection and cannot open one",
	ReasonNotPersistent:   "a service of port 0 must be persistent",
	ReasonFTPData:         "it may be FTP data, for which the service must be persistent",
	ReasonFromFTPData:     "it comes from port 20",
	ReasonServerRemoved:   "its connection's server was removed",
	ReasonConntrack:       "conntrack knows another connection of its addresses and ports",
	ReasonDropRate:        "drop_packet took it",
	ReasonConnectionLimit: "conn_max is reached",
	ReasonBackupOnly:      "backup_only is on and a backup daemon runs",
	ReasonNoMode:          "the server's forwarding mode is none",

	ReasonNotLocal:      "its destination is not an address of the director, so IPVS does not see it",
	ReasonNoRoute:       "the director has no route to the server",
	ReasonNotOnLink:     "a router is between the director and the server, which dr cannot cross",
	ReasonLoopback:      "packets from outside do not get to a loopback address",
	ReasonLinkDown:      "the interface to the server has no carrier",
	ReasonTooLong:       "it is longer than the MTU on the way to the server lets pass",
	ReasonNotListening:  "the server is the director itself, where no program listens",
	ReasonForwardingOff: "the director does not forward, so answers of nat do not reach the client",
	ReasonNoNeighbour:   "no host on the link to the server answers for its address",
	ReasonFirewall:      "a firewall of the director takes it",
	ReasonNoConnection:  "it comes from a server of nat and belongs to no connection, and nat_icmp_send is on",
}

// String returns the reason in words.
func (r Reason) String() string {
	if s, ok := reasons[r]; ok {
		return s
	}
	return "reason-" + strconv.Itoa(int(r))
}

// validate refuses what contradicts itself. The rest is the kernel's to refuse.
func (p Packet) validate() *Error {
	switch headers := headersOf(p.Protocol, unmap(p.Destination)); {
	case p.Protocol > 255:
		return invalid("Protocol", "%s is not a protocol of a packet", p.Protocol)
	case p.TCP != 0 && p.Protocol != ProtocolTCP:
		return invalid("TCP", "a %s packet has no TCP flags", p.Protocol)
	case p.Length != 0 && p.Length < headers:
		return invalid("Length", "%d bytes are less than the %d bytes of headers", p.Length, headers)
	case p.Length > math.MaxUint16:
		return invalid("Length", "a packet has at most %d bytes, not %d", math.MaxUint16, p.Length)
	}
	return validateEnds(p.Protocol, "Source", p.Source, "Destination", p.Destination)
}

// validateEnds refuses fields that cannot be the two ends of a packet.
func validateEnds(p Protocol, field string, from netip.AddrPort, other string, to netip.AddrPort) *Error {
	for _, end := range []struct {
		field string
		at    netip.AddrPort
	}{{field, from}, {other, to}} {
		switch {
		case !end.at.IsValid():
			return invalid(end.field, "is not set")
		case end.at.Addr().Zone() != "":
			return invalid(end.field, "%s has a zone, which no packet has", end.at)
		case end.at.Port() == 0 && (p == ProtocolTCP || p == ProtocolUDP):
			return invalid(end.field, "%s has port 0, which no packet has", end.at)
		}
	}
	if from.Addr().Unmap().Is4() != to.Addr().Unmap().Is4() {
		return invalid(other, "%s is not of the address family of %s", to, from)
	}
	return nil
}

// Deliver lets a packet come to the director and returns what happens to it. If the
// simulator has interfaces, the packet reaches IPVS only if it is for an address or
// by a local route of the director, comes from there, or is an answer that the
// director forwards; and it is [Forwarded] only if there is a route to its server,
// by no router in mode [DR]. A packet whose source is the director's comes from a
// program there, others from outside. The error is
// [errors.ErrUnsupported] for what is not simulated, or of the kind [ErrInvalid]
// for what is not a packet; then nothing has happened.
func (s *Simulator) Deliver(p Packet) (v Verdict, err error) {
	if bad := p.validate(); bad != nil {
		return v, bad.about("deliver", "packet")
	}
	raw := kernel.Packet{
		Protocol: uint8(p.Protocol), Source: &p.Source, Destination: &p.Destination,
		TCP: uint8(p.TCP), Mark: p.FWMark, Length: p.Length,
	}
	if p.Source.Addr().Is4In6() || p.Destination.Addr().Is4In6() {
		p.Source, p.Destination = unmap(p.Source), unmap(p.Destination)
	}
	if raw.Length == 0 {
		raw.Length = headersOf(p.Protocol, p.Destination)
	}
	ways := s.network.ways.Load()
	if ways != nil {
		if v, stops, err := ways.stopsBefore(&raw); err != nil {
			return v, deliverError(&p, err)
		} else if stops {
			return v, nil
		}
	}
	var told kernel.Verdict
	if err := s.kernel.Deliver(&raw, &told); err != nil {
		return v, deliverError(&p, err)
	}
	if v.take(&told); ways != nil {
		ways.stopAfter(&raw, &v)
	}
	return v, nil
}

// take makes it what the kernel told. It is written in place, for a verdict is
// large, and there is one for each packet.
func (v *Verdict) take(told *kernel.Verdict) {
	v.Action, v.Reason, v.Port = Action(told.Action), Reason(told.Reason), told.Port
	if told.Service != nil {
		v.Service = serviceIDOf(told.Service)
	}
	if told.Server != nil {
		v.Server, v.State = *told.Server, ConnState(told.State)
		v.Mode = newMode(uint32(told.Method), told.Tunnel.Type, told.Tunnel.Port, told.Tunnel.Flags)
	}
}

func deliverError(p *Packet, err error) error {
	e := &Error{cause: err}
	if !errors.Is(err, errors.ErrUnsupported) {
		e.kind = ErrInvalid
	}
	return e.about("deliver", fmt.Sprintf("%s packet from %s to %s", p.Protocol, p.Source, p.Destination))
}

// headersOf returns the length of a packet without data.
func headersOf(p Protocol, to netip.AddrPort) int {
	length := 20
	if to.Addr().Is6() {
		length = 40
	}
	if p == ProtocolUDP {
		return length + 8
	}
	return length + 20
}

func serviceIDOf(n *kernel.ServiceName) ServiceID {
	return ServiceID{protocol: Protocol(n.Protocol), vip: n.Addr, mark: n.Mark, family: uint16(n.Family)}
}
