package testbed

import (
	"bytes"
	"encoding/binary"
	"net/netip"
)

// Packet is a packet that can be recognized when it is seen again. One of a protocol
// other than TCP, UDP and SCTP has no ports.
type Packet struct {
	Protocol uint8
	TCP      uint8  // flags
	Chunks   string // of SCTP, a byte each: its type
	From, To netip.AddrPort
	Payload  string // after the tag
	Data     int    // bytes after the payload
}

// TTL is that of a packet that no router has forwarded yet.
const TTL = 64

const (
	protocolTCP  = 6
	protocolUDP  = 17
	protocolSCTP = 132
)

var tagMagic = []byte("lvs\xf1")

// TagLength is the length of the magic and the tag, with which the data of a packet
// begins. Neither has the byte of a line's end: payloads of text may follow.
const TagLength = 8

// Length returns the length of the IP packet.
func (p Packet) Length() int {
	if p.From.Addr().Is6() {
		return 40 + len(p.payload(0))
	}
	return 20 + len(p.payload(0))
}

// Encode returns the bytes of the packet, which carries the tag. The checksum of an
// IPv4 header is left to the kernel.
func (p Packet) Encode(tag uint32) []byte {
	var b []byte
	src, dst := p.From.Addr().AsSlice(), p.To.Addr().AsSlice()
	payload := p.payload(tag)
	if p.From.Addr().Is4() {
		b = append(b, 0x45, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(20+len(payload)))
		b = binary.BigEndian.AppendUint16(b, uint16(p.inHeader(tag)))
		b = append(b, 0, 0, TTL, p.Protocol, 0, 0)
	} else {
		b = binary.BigEndian.AppendUint32(b, 6<<28|p.inHeader(tag))
		b = binary.BigEndian.AppendUint16(b, uint16(len(payload)))
		b = append(b, p.Protocol, TTL)
	}
	b = append(append(b, src...), dst...)
	switch p.Protocol {
	case protocolTCP:
		p.sum(payload, 16)
	case protocolUDP:
		p.sum(payload, 6)
	}
	return append(b, payload...)
}

// payload returns what is behind the IP header, without the checksum of TCP and UDP.
func (p Packet) payload(tag uint32) (b []byte) {
	if p.Protocol == protocolTCP || p.Protocol == protocolUDP {
		b = binary.BigEndian.AppendUint16(b, p.From.Port())
		b = binary.BigEndian.AppendUint16(b, p.To.Port())
	}
	switch p.Protocol {
	case protocolSCTP:
		return p.sctp(tag)
	case protocolUDP:
		b = binary.BigEndian.AppendUint16(b, uint16(8+TagLength+len(p.Payload)+p.Data))
		b = append(b, 0, 0)
	case protocolTCP:
		b = append(b, 0, 0, 0, 1, 0, 0, 0, 1, 5<<4, p.TCP, 0xff, 0xff, 0, 0, 0, 0)
	}
	return p.tagged(b, tag)
}

// tagged appends the tag, and what is after it.
func (p Packet) tagged(b []byte, tag uint32) []byte {
	b = appendTag(append(b, tagMagic...), tag)
	return append(append(b, p.Payload...), make([]byte, p.Data)...)
}

// sum sets the checksum of TCP or UDP.
func (p Packet) sum(payload []byte, at int) {
	pseudo := append(p.From.Addr().AsSlice(), p.To.Addr().AsSlice()...)
	pseudo = append(pseudo, 0, p.Protocol, byte(len(payload)>>8), byte(len(payload)))
	binary.BigEndian.PutUint16(payload[at:], Checksum(append(pseudo, payload...)))
}

// appendTag appends seven bits of a tag in each byte, whose first bit is set.
func appendTag(b []byte, tag uint32) []byte {
	for shift := 21; shift >= 0; shift -= 7 {
		b = append(b, byte(tag>>shift)|0x80)
	}
	return b
}

func readTag(b []byte) (tag uint32) {
	for _, c := range b {
		tag = tag<<7 | uint32(c&0x7f)
	}
	return tag
}

// Checksum returns the internet checksum of b.
func Checksum(b []byte) uint16 {
	var sum uint32
	for i, c := range b {
		if i%2 == 0 {
			sum += uint32(c) << 8
		} else {
			sum += uint32(c)
		}
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

// Seen is a packet with a tag that was seen again.
type Seen struct {
	From, To netip.AddrPort // without ports if the packet is encapsulated
	TTL      int
	Tunnel   string // in which the packet is: "ipip", "gue" or "gre"; empty: in none
}

// See reads the bytes of a packet. It reports false if the packet carries no tag, or is
// an ICMP message about the packet that does.
func See(b []byte) (tag uint32, s Seen, ok bool) {
	at := bytes.Index(b, tagMagic)
	if at < 0 || len(b) < at+TagLength {
		return 0, s, false
	}
	if tag, ok = chunklessTag(b, at); !ok {
		tag = readTag(b[at+len(tagMagic) : at+TagLength])
	}
	const icmp, icmp6, gre = 1, 58, 47
	var from, to netip.Addr
	var protocol byte
	header := 20
	switch b[0] >> 4 {
	case 4:
		protocol, s.TTL = b[9], int(b[8])
		from, to = netip.AddrFrom4([4]byte(b[12:])), netip.AddrFrom4([4]byte(b[16:]))
	case 6:
		header = 40
		protocol, s.TTL = b[6], int(b[7])
		from, to = netip.AddrFrom16([16]byte(b[8:])), netip.AddrFrom16([16]byte(b[24:]))
	}
	switch inner := at - header; {
	case protocol == icmp, protocol == icmp6:
		return 0, s, false
	case protocol == protocolTCP && inner == 20, protocol == protocolUDP && inner == 8, protocol == protocolSCTP:
		s.From = netip.AddrPortFrom(from, binary.BigEndian.Uint16(b[header:]))
		s.To = netip.AddrPortFrom(to, binary.BigEndian.Uint16(b[header+2:]))
		return tag, s, true
	case inner == 0:
	case protocol == protocolUDP:
		s.Tunnel = "gue"
	case protocol == gre:
		s.Tunnel = "gre"
	default:
		s.Tunnel = "ipip"
	}
	s.From, s.To = netip.AddrPortFrom(from, 0), netip.AddrPortFrom(to, 0)
	return tag, s, true
}
