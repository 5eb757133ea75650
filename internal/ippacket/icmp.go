package ippacket

import (
	"encoding/binary"
	"net/netip"
)

// Error is an ICMP error, by its type and code of ICMP for IPv4 and ICMPv6.
type Error struct {
	type4, code4, type6, code6 uint8
}

// ICMP errors.
var (
	PortUnreachable = Error{3, 3, 1, 4}
	HostUnreachable = Error{3, 1, 1, 3}
	NoRoute         = Error{3, 0, 1, 0}
	TooLong         = Error{3, 4, 2, 0} // fragmentation needed, or packet too big
	Expired         = Error{11, 0, 3, 0}
)

const (
	icmpHeader = 8
	errorTTL   = 64  // of what a host sends
	most4      = 576 // bytes of an error; of IPv6 it is the least MTU
)

// LeastMTU6 is the least MTU on which IPv6 works.
const LeastMTU6 = 1280

// Answer is what an ICMP error has besides its kind.
type Answer struct {
	Source    netip.Addr
	MTU       int    // of TooLong
	ID        uint16 // of IPv4
	FlowLabel uint32 // of IPv6
}

// Make returns the error about a packet, to its source. It quotes as much of it as Linux
// does.
func (e Error) Make(about *Packet, a Answer) Packet {
	h := Header{Source: a.Source, Destination: about.Source, Protocol: ICMP, TTL: errorTTL, ID: a.ID, FlowLabel: a.FlowLabel}
	b := make([]byte, icmpHeader)
	most := most4 - header4
	if about.Is4() {
		const control, lowDelay = 0xc0, 0x1e // the precedence, and what stays of the packet's
		h.TOS = about.TOS()&lowDelay | control
		b[0], b[1] = e.type4, e.code4
		binary.BigEndian.PutUint16(b[6:], uint16(a.MTU))
	} else {
		h.Protocol, most = ICMPv6, LeastMTU6-header6
		b[0], b[1] = e.type6, e.code6
		binary.BigEndian.PutUint32(b[4:], uint32(a.MTU))
	}
	quoted := about.Bytes[:min(len(about.Bytes), most-icmpHeader)]
	p := Build(h, append(b, quoted...))
	p.FillChecksum()
	return p
}

// IsError reports whether it is an ICMP error, which no other may answer.
func (p *Packet) IsError() bool {
	b := p.Payload()
	if len(b) == 0 || p.Offset != 0 {
		return false
	}
	switch p.Protocol {
	case ICMP:
		switch b[0] {
		case 3, 4, 5, 11, 12:
			return true
		}
	case ICMPv6:
		return b[0] < 128
	}
	return false
}
