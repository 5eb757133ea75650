// Package ippacket reads and makes IP packets as bytes: headers, checksums, tunnels, ICMP
// errors and fragments. It knows nothing of IPVS.
package ippacket

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// Protocols.
const (
	ICMP     = 1
	IPIP     = 4
	TCP      = 6
	UDP      = 17
	IPv6     = 41
	GRE      = 47
	ESP      = 50
	AH       = 51
	ICMPv6   = 58
	None     = 59
	SCTP     = 132
	hop      = 0
	routing  = 43
	fragment = 44
	options  = 60
)

const (
	header4 = 20 // without options
	header6 = 40

	// MaxLength is the length of the longest packet.
	MaxLength = 65535
)

// Packet is an IP packet and where its parts are. What Parse returns shares the bytes
// that it was given.
type Packet struct {
	Bytes               []byte // without what follows the packet on the wire
	Source, Destination netip.Addr
	Protocol            uint8 // of what follows the IP headers
	Transport           int   // where that begins

	Mark uint32 // of the firewall; one that was put together has that of its first fragment

	Offset int    // of a fragment, in bytes
	More   bool   // fragments follow
	ID     uint32 // of fragments of the same packet; of IPv6 only fragments have one

	Largest int   // of the fragments that it was put together from, in bytes; 0: of none
	pieces  []int // what each of them had of it
	probes  bool  // the largest must not be fragmented further, an IPv4 packet

	fragmentAt int // header of IPv6; 0: none
	nextAt     int // where IPv6 says what follows the headers that each fragment has
}

// Parse reads the headers of an IP packet. The error says what Linux does not accept.
// The bytes behind the IP headers can be anything.
func Parse(b []byte) (p Packet, err error) {
	switch {
	case len(b) == 0:
		return p, fmt.Errorf("an empty packet")
	case b[0]>>4 == 4:
		return parse4(b)
	case b[0]>>4 == 6:
		return parse6(b)
	}
	return p, fmt.Errorf("version %d is neither IPv4 nor IPv6", b[0]>>4)
}

func parse4(b []byte) (p Packet, err error) {
	if p, err = header4Of(b); err != nil {
		return p, err
	}
	total := int(binary.BigEndian.Uint16(b[2:]))
	switch {
	case total > len(b):
		return p, fmt.Errorf("%d bytes of an IPv4 packet of %d bytes", len(b), total)
	case total < p.Transport:
		return p, fmt.Errorf("an IPv4 packet of %d bytes with a header of %d bytes", total, p.Transport)
	case Checksum(b[:p.Transport]) != 0:
		return p, fmt.Errorf("the checksum of the IPv4 header is wrong")
	}
	p.Bytes = b[:total]
	return p, nil
}

// header4Of reads an IPv4 header, whatever follows it.
func header4Of(b []byte) (p Packet, err error) {
	if len(b) < header4 {
		return p, fmt.Errorf("%d bytes are too few for an IPv4 header", len(b))
	}
	length := int(b[0]&15) * 4
	if b[0]>>4 != 4 || length < header4 || length > len(b) {
		return p, fmt.Errorf("an IPv4 header of %d bytes in %d bytes", length, len(b))
	}
	flags := binary.BigEndian.Uint16(b[6:])
	return Packet{
		Bytes:  b,
		Source: netip.AddrFrom4([4]byte(b[12:])), Destination: netip.AddrFrom4([4]byte(b[16:])),
		Protocol: b[9], Transport: length,
		Offset: int(flags&0x1fff) * 8, More: flags&moreFragments != 0, ID: uint32(binary.BigEndian.Uint16(b[4:])),
	}, nil
}

func parse6(b []byte) (p Packet, err error) {
	if len(b) >= header6 {
		total := header6 + int(binary.BigEndian.Uint16(b[4:]))
		if total > len(b) {
			return p, fmt.Errorf("%d bytes of an IPv6 packet of %d bytes", len(b), total)
		}
		b = b[:total]
	}
	return header6Of(b)
}

// header6Of reads an IPv6 header and its extension headers, whatever follows them.
func header6Of(b []byte) (p Packet, err error) {
	if len(b) < header6 || b[0]>>4 != 6 {
		return p, fmt.Errorf("%d bytes are too few for an IPv6 header", len(b))
	}
	p = Packet{
		Bytes:  b,
		Source: netip.AddrFrom16([16]byte(b[8:])), Destination: netip.AddrFrom16([16]byte(b[24:])),
		Protocol: b[6], Transport: header6, nextAt: 6,
	}
	for isExtension(p.Protocol) {
		at := p.Transport
		if len(b) < at+8 {
			return p, fmt.Errorf("an IPv6 extension header %d at %d of %d bytes", p.Protocol, at, len(b))
		}
		length := 8 + int(b[at+1])*8
		switch p.Protocol {
		case AH:
			length = 8 + int(b[at+1])*4
		case fragment:
			length = 8
			offset := binary.BigEndian.Uint16(b[at+2:])
			p.fragmentAt, p.ID, p.Offset, p.More = at, binary.BigEndian.Uint32(b[at+4:]), int(offset&^7), offset&1 != 0
		}
		if p.fragmentAt == 0 {
			p.nextAt = at
		}
		p.Protocol, p.Transport = b[at], at+length
		if p.Transport > len(b) {
			return p, fmt.Errorf("an IPv6 extension header of %d bytes at %d of %d bytes", length, at, len(b))
		}
		if p.Offset != 0 {
			return p, nil // only the first fragment has what follows
		}
	}
	return p, nil
}

func isExtension(protocol uint8) bool {
	switch protocol {
	case hop, routing, fragment, AH, options:
		return true
	}
	return false
}

// Is4 reports whether it is IPv4.
func (p *Packet) Is4() bool { return p.Bytes[0]>>4 == 4 }

// IsFragment reports whether it is a part of a packet. IPv6 has fragments of one part.
func (p *Packet) IsFragment() bool { return p.Offset != 0 || p.More || p.fragmentAt != 0 }

// TTL returns the TTL or the hop limit.
func (p *Packet) TTL() uint8 { return p.Bytes[p.ttlAt()] }

func (p *Packet) ttlAt() int {
	if p.Is4() {
		return 8
	}
	return 7
}

// TOS returns the type of service or the traffic class: DSCP and ECN.
func (p *Packet) TOS() uint8 {
	if p.Is4() {
		return p.Bytes[1]
	}
	return uint8(binary.BigEndian.Uint16(p.Bytes) >> 4)
}

const (
	dontFragment  = 0x4000
	moreFragments = 0x2000
)

// DF reports whether no router may fragment the packet.
func (p *Packet) DF() bool { return !p.Is4() || p.Bytes[6]&(dontFragment>>8) != 0 }

// Clone returns the packet with bytes of its own.
func (p Packet) Clone() Packet {
	p.Bytes = append([]byte(nil), p.Bytes...)
	return p
}

// Payload returns the bytes behind the IP headers.
func (p *Packet) Payload() []byte { return p.Bytes[p.Transport:] }

// Ports returns the ports. Protocols that have none, and packets that are too short,
// are not ok.
func (p *Packet) Ports() (source, destination uint16, ok bool) {
	b := p.Payload()
	if !hasPorts(p.Protocol) || len(b) < 4 || p.Offset != 0 {
		return 0, 0, false
	}
	return binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:]), true
}

func hasPorts(protocol uint8) bool { return protocol == TCP || protocol == UDP || protocol == SCTP }

// Data returns the bytes behind the headers of TCP, UDP or SCTP; none if those are cut off.
func (p *Packet) Data() []byte {
	b := p.Payload()
	length := 8
	switch p.Protocol {
	case TCP:
		if len(b) < 20 {
			return nil
		}
		length = int(b[12]>>4) * 4
	case SCTP:
		length = 12
	}
	if length > len(b) {
		return nil
	}
	return b[length:]
}

// TCPFlags returns the flags of a TCP packet, which must have a header.
func (p *Packet) TCPFlags() uint8 { return p.Bytes[p.Transport+13] }

// Chunks returns the types of the first two chunks of an SCTP packet, a byte each, as far
// as their headers are whole.
func (p *Packet) Chunks() (types string) {
	const header, chunk, most = 12, 4, 2
	b := p.Payload()
	for at := header; len(types) < most && at+chunk <= len(b); {
		types += string(b[at : at+1])
		at += (int(binary.BigEndian.Uint16(b[at+2:])) + 3) &^ 3 // chunks are padded
	}
	return types
}

// HasHeader reports whether the header of TCP, UDP or SCTP is whole.
func (p *Packet) HasHeader() bool {
	least := map[uint8]int{TCP: 20, UDP: 8, SCTP: 12}[p.Protocol]
	return len(p.Payload()) >= least
}
