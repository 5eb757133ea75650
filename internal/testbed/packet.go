package testbed

import (
	"bytes"
	"encoding/binary"
	"net/netip"
)

// Packet is a TCP or UDP packet that can be recognized when it is seen again.
type Packet struct {
	Protocol uint8
	TCP      uint8 // flags
	From, To netip.AddrPort
	Data     int // bytes after the tag
}

// TTL is that of a packet that no router has forwarded yet.
const TTL = 64

const (
	protocolTCP = 6
	protocolUDP = 17
)

var tagMagic = []byte("lvs\xf1")

// tagLength is the length of the magic and the tag.
const tagLength = 8

// Length returns the length of the IP packet.
func (p Packet) Length() int {
	n := 20
	if p.From.Addr().Is6() {
		n = 40
	}
	if p.Protocol == protocolUDP {
		return n + 8 + tagLength + p.Data
	}
	return n + 20 + tagLength + p.Data
}

// Encode returns the bytes of the packet, which carries the tag. The checksum of an
// IPv4 header is left to the kernel.
func (p Packet) Encode(tag uint32) []byte {
	var b []byte
	src, dst := p.From.Addr().AsSlice(), p.To.Addr().AsSlice()
	if p.From.Addr().Is4() {
		b = append(b, 0x45, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(p.Length()))
		b = append(b, 0, 0, 0, 0, TTL, p.Protocol, 0, 0)
	} else {
		b = append(b, 0x60, 0, 0, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(p.Length()-40))
		b = append(b, p.Protocol, TTL)
	}
	b = append(append(b, src...), dst...)
	header := len(b)
	b = binary.BigEndian.AppendUint16(b, p.From.Port())
	b = binary.BigEndian.AppendUint16(b, p.To.Port())
	checksum := header + 6
	if p.Protocol == protocolUDP {
		b = binary.BigEndian.AppendUint16(b, uint16(8+tagLength+p.Data))
		b = append(b, 0, 0)
	} else {
		checksum = header + 16
		b = append(b, 0, 0, 0, 1, 0, 0, 0, 1, 5<<4, p.TCP, 0xff, 0xff, 0, 0, 0, 0)
	}
	b = binary.BigEndian.AppendUint32(append(b, tagMagic...), tag)
	b = append(b, make([]byte, p.Data)...)
	pseudo := append(append(bytes.Clone(src), dst...), 0, p.Protocol, byte((len(b)-header)>>8), byte(len(b)-header))
	binary.BigEndian.PutUint16(b[checksum:], Checksum(append(pseudo, b[header:]...)))
	return b
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
	at := bytes.LastIndex(b, tagMagic)
	if at < 0 || len(b) < at+tagLength {
		return 0, s, false
	}
	tag = binary.BigEndian.Uint32(b[at+len(tagMagic):])
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
	case protocol == protocolTCP && inner == 20, protocol == protocolUDP && inner == 8:
		s.From = netip.AddrPortFrom(from, binary.BigEndian.Uint16(b[header:]))
		s.To = netip.AddrPortFrom(to, binary.BigEndian.Uint16(b[header+2:]))
		return tag, s, true
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
