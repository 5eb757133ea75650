package ippacket

import (
	"encoding/binary"
	"net/netip"
)

// Quoted returns the packet that an ICMP error is about, as far as it is quoted. Its bytes
// are those of p. It is not ok if p is not an error or does not quote a whole IP header.
func (p *Packet) Quoted() (q Packet, ok bool) {
	if !p.IsError() || len(p.Payload()) < icmpHeader {
		return q, false
	}
	b := p.Payload()[icmpHeader:]
	read := header6Of
	if p.Protocol == ICMP {
		read = header4Of
	}
	q, err := read(b)
	return q, err == nil
}

// ICMP returns the type, the code and the MTU of an ICMP message. The MTU is that of
// errors that have one. It is not ok if p has no whole header.
func (p *Packet) ICMP() (kind, code uint8, mtu int, ok bool) {
	b := p.Payload()
	if p.Protocol != ICMP && p.Protocol != ICMPv6 || p.Offset != 0 || len(b) < icmpHeader {
		return 0, 0, 0, false
	}
	return b[0], b[1], int(binary.BigEndian.Uint16(b[6:])), true
}

// NewError returns an ICMP error for IPv4.
func NewError(kind, code uint8) Error { return Error{type4: kind, code4: code} }

// IsTooLong4 reports whether it says for IPv4 that a packet is too long.
func (e Error) IsTooLong4() bool { return e.type4 == TooLong.type4 && e.code4 == TooLong.code4 }

// Inside returns the IPv4 packet in a quoted tunnel over IPv4, and the length of all
// headers before it. It is not ok if there is none, or if the tunnel has a header that
// IPVS does not read.
func (p *Packet) Inside() (inner Packet, headers int, ok bool) {
	b := p.Payload()
	at := 0
	switch p.Protocol {
	case IPIP:
	case UDP:
		const control, version = 0x20, 0xc0
		if len(b) < udpHeader+gueHeader || b[udpHeader]&(control|version) != 0 || b[udpHeader+1] != IPIP {
			return inner, 0, false
		}
		at = udpHeader + gueHeader + int(b[udpHeader]&0x1f)*4
	case GRE:
		if len(b) < greHeader || binary.BigEndian.Uint16(b[2:]) != 0x0800 {
			return inner, 0, false
		}
		at = greHeader
		for _, bit := range []byte{0x80, 0x20, 0x10} { // checksum, key and sequence number
			if b[0]&bit != 0 {
				at += 4
			}
		}
	default:
		return inner, 0, false
	}
	if p.Offset != 0 || len(b) < at {
		return inner, 0, false
	}
	inner, err := header4Of(b[at:])
	return inner, p.Transport + at, err == nil
}

// FirstPorts returns what is where the ports of a packet would be, even if it is a
// fragment that has none.
func (p *Packet) FirstPorts() (source, destination uint16, ok bool) {
	b := p.Payload()
	if len(b) < 4 {
		return 0, 0, false
	}
	return binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:]), true
}

// RedirectError gives an ICMP error of a client's side another destination, and what it
// quotes that source, as NAT does with errors about packets from a server.
func (p *Packet) RedirectError(to netip.AddrPort) {
	p.translateQuoted(source, to)
	p.SetDestination(to)
	p.completeError()
}

// DisguiseError gives an ICMP error of a server's side another source, and what it quotes
// that destination, as NAT does with errors about packets to a server.
func (p *Packet) DisguiseError(as netip.AddrPort) {
	p.translateQuoted(destination, as)
	p.SetSource(as)
	p.completeError()
}

// completeError writes the checksum of an error that NAT changed. Linux completes that of
// ICMPv6 when it sends.
func (p *Packet) completeError() {
	p.FillChecksum()
	if b := p.Payload(); p.Protocol == ICMPv6 && len(b) >= icmpHeader {
		binary.BigEndian.PutUint16(b[2:], notZero(binary.BigEndian.Uint16(b[2:])))
	}
}

// translateQuoted changes an end of what an error quotes, whose checksum behind the IP
// header stays.
func (p *Packet) translateQuoted(e end, to netip.AddrPort) {
	q, ok := p.Quoted()
	if !ok {
		return
	}
	at, length := q.addrAt(e)
	copy(q.Bytes[at:at+length], to.Addr().AsSlice())
	if b := q.Payload(); hasPorts(q.Protocol) && len(b) >= 4 {
		binary.BigEndian.PutUint16(b[int(e)*2:], to.Port())
	}
	if q.Is4() {
		fillHeaderChecksum(q.Bytes)
	}
}
