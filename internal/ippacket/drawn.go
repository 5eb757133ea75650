package ippacket

import (
	"bytes"
	"encoding/binary"
)

// Drawn are the parts of a packet that Linux draws at random.
type Drawn uint8

// Parts that are drawn.
const (
	DrawnID         Drawn = 1 << iota // of an IPv4 header
	DrawnFlowLabel                    // of an IPv6 header
	DrawnFragmentID                   // of the header of IPv6 fragments
	DrawnPort                         // from which a GUE tunnel comes
)

// CopyFrom returns a packet with what was drawn for another one, if both have it at the
// same place, and with checksums that follow.
func (d Drawn) CopyFrom(other, packet []byte) []byte {
	p, err := Parse(packet)
	q, err2 := Parse(other)
	if err != nil || err2 != nil || p.Is4() != q.Is4() || p.Transport != q.Transport || len(p.Bytes) != len(q.Bytes) {
		return packet
	}
	p = p.Clone()
	if d&DrawnID != 0 && p.Is4() {
		copy(p.Bytes[4:6], q.Bytes[4:6])
		fillHeaderChecksum(p.Bytes)
	}
	if d&DrawnFlowLabel != 0 && !p.Is4() {
		const label = 0xfffff
		all := binary.BigEndian.Uint32(p.Bytes)&^label | binary.BigEndian.Uint32(q.Bytes)&label
		binary.BigEndian.PutUint32(p.Bytes, all)
	}
	if d&DrawnFragmentID != 0 && p.fragmentAt != 0 {
		copy(p.Bytes[p.fragmentAt+4:p.fragmentAt+8], q.Bytes[p.fragmentAt+4:])
	}
	if _, _, ok := q.Ports(); ok && d&DrawnPort != 0 && p.HasHeader() {
		p.drawPort(q.Payload()[:2])
	}
	return p.Bytes
}

// drawPort makes it come from another UDP port.
func (p *Packet) drawPort(port []byte) {
	b := p.Payload()
	old := bytes.Clone(b[:2])
	copy(b, port)
	if check := binary.BigEndian.Uint16(b[6:]); check != 0 {
		binary.BigEndian.PutUint16(b[6:], notZero(update(check, old, port)))
	}
}
