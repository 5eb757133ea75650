package ippacket

import (
	"encoding/binary"
	"hash/crc32"
	"net/netip"
)

// sum adds the 16-bit words of b to a sum in ones' complement.
func sum(b []byte, to uint64) uint64 {
	for ; len(b) >= 4; b = b[4:] {
		to += uint64(binary.BigEndian.Uint32(b))
	}
	if len(b) >= 2 {
		to, b = to+uint64(binary.BigEndian.Uint16(b)), b[2:]
	}
	if len(b) > 0 {
		to += uint64(b[0]) << 8
	}
	return to
}

// fold makes a checksum of a sum.
func fold(sum uint64) uint16 {
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

// Checksum returns the internet checksum of b. It is 0 if b has a right one.
func Checksum(b []byte) uint16 { return fold(sum(b, 0)) }

// pseudo returns the sum of the addresses, the protocol and the length that checksums
// cover besides the packet.
func pseudo(from, to netip.Addr, protocol uint8, length int) uint64 {
	return sum(to.AsSlice(), sum(from.AsSlice(), uint64(protocol)+uint64(length)))
}

// update returns a checksum after a change of what it covers, as it would be by
// subtracting the old words and adding the new ones. A wrong checksum stays as wrong.
func update(check uint16, old, now []byte) uint16 {
	s := uint64(^check)
	for i := 0; i < len(old); i += 2 {
		s += uint64(^binary.BigEndian.Uint16(old[i:]))
	}
	return fold(sum(now, s))
}

// checksumAt returns where in its header a protocol's checksum of 16 bits is; ok is false
// for others.
func checksumAt(protocol uint8) (at int, ok bool) {
	switch protocol {
	case TCP:
		return 16, true
	case UDP:
		return 6, true
	case ICMP, ICMPv6:
		return 2, true
	}
	return 0, false
}

// RightChecksum reports whether the checksum behind the IP headers is right. A packet
// without one, or of another protocol, counts as right.
func (p *Packet) RightChecksum() bool {
	b := p.Payload()
	if p.Protocol == SCTP {
		return len(b) >= 12 && binary.LittleEndian.Uint32(b[8:]) == sctpChecksum(b)
	}
	at, ok := checksumAt(p.Protocol)
	switch {
	case !ok:
		return true
	case len(b) < at+2:
		return false
	case p.Protocol == UDP && b[at] == 0 && b[at+1] == 0:
		return p.Is4()
	}
	return fold(sum(b, p.pseudo())) == 0
}

// pseudo returns the sum of what the checksum covers besides the payload.
func (p *Packet) pseudo() uint64 {
	if p.Protocol == ICMP {
		return 0
	}
	return pseudo(p.Source, p.Destination, p.Protocol, len(p.Payload()))
}

// FillChecksum writes the right checksum behind the IP headers.
func (p *Packet) FillChecksum() {
	b := p.Payload()
	if p.Protocol == SCTP && len(b) >= 12 {
		binary.LittleEndian.PutUint32(b[8:], sctpChecksum(b))
	}
	at, ok := checksumAt(p.Protocol)
	if !ok || len(b) < at+2 {
		return
	}
	b[at], b[at+1] = 0, 0
	check := fold(sum(b, p.pseudo()))
	if p.Protocol == UDP {
		check = notZero(check)
	}
	binary.BigEndian.PutUint16(b[at:], check)
}

// notZero returns a checksum of 0 as the other number that stands for the same. UDP means
// something else by 0, and Linux writes all checksums so that it completes when it sends.
func notZero(check uint16) uint16 {
	if check == 0 {
		return 0xffff
	}
	return check
}

// fillHeaderChecksum writes the right checksum of the IPv4 header.
func fillHeaderChecksum(header []byte) {
	header = header[:int(header[0]&15)*4]
	header[10], header[11] = 0, 0
	binary.BigEndian.PutUint16(header[10:], Checksum(header))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sctpChecksum returns that of an SCTP packet, as if it had none.
func sctpChecksum(b []byte) uint32 {
	c := crc32.Update(0, castagnoli, b[:8])
	c = crc32.Update(c, castagnoli, make([]byte, 4))
	return crc32.Update(c, castagnoli, b[12:])
}
