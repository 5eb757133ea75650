package ippacket

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// Tunnel is how a packet is put into another one.
type Tunnel struct {
	Source, Destination netip.Addr
	Protocol            uint8 // IPIP, UDP for GUE, or GRE; IPIP is also IPv6 inside
	FromPort, ToPort    uint16
	Checksum            bool   // of GUE and GRE
	DF                  bool   // of an outer IPv4 header
	ID                  uint16 // likewise
}

const (
	udpHeader = 8
	gueHeader = 4
	greHeader = 4
)

// Overhead returns how many bytes a tunnel adds.
func (t *Tunnel) Overhead() int {
	n := header4
	if t.Destination.Is6() {
		n = header6
	}
	return n + t.between()
}

// between returns the length of what is between the two IP headers.
func (t *Tunnel) between() int {
	switch {
	case t.Protocol == UDP:
		return udpHeader + gueHeader
	case t.Protocol == GRE && t.Checksum:
		return greHeader + 4
	case t.Protocol == GRE:
		return greHeader
	}
	return 0
}

// Encapsulate returns the packet in another one, which has its TTL and its type of
// service, but has met no congestion yet.
func (t *Tunnel) Encapsulate(inner *Packet) Packet {
	payload := make([]byte, t.between(), t.between()+len(inner.Bytes))
	kind, ether := uint8(IPIP), uint16(0x0800)
	if !inner.Is4() {
		kind, ether = IPv6, 0x86dd
	}
	protocol := t.Protocol
	switch t.Protocol {
	case UDP:
		binary.BigEndian.PutUint16(payload, t.FromPort)
		binary.BigEndian.PutUint16(payload[2:], t.ToPort)
		binary.BigEndian.PutUint16(payload[4:], uint16(len(payload)+len(inner.Bytes)))
		payload[udpHeader+1] = kind
	case GRE:
		binary.BigEndian.PutUint16(payload[2:], ether)
	default:
		protocol = kind
	}
	payload = append(payload, inner.Bytes...)
	tos := inner.TOS()
	const congested = 3
	if tos&congested == congested {
		tos--
	}
	outer := Build(Header{
		Source: t.Source, Destination: t.Destination, Protocol: protocol,
		TOS: tos, TTL: inner.TTL(), ID: t.ID, DF: t.DF,
	}, payload)
	switch {
	case t.Checksum && t.Protocol == UDP:
		outer.FillChecksum()
	case t.Checksum && t.Protocol == GRE:
		b := outer.Payload()
		b[0] = 0x80 // it has a checksum
		binary.BigEndian.PutUint16(b[4:], notZero(Checksum(b)))
	}
	t.inherit(&outer, inner)
	return outer
}

// inherit tells the outer packet of the fragments that the inner one came in.
func (t *Tunnel) inherit(outer, inner *Packet) {
	// Between the families, Linux takes the length of the largest fragment for flags of
	// IPv4, and the flags for the length.
	const probes = 1 << 6
	switch {
	case outer.Is4() == inner.Is4():
		outer.Largest, outer.probes = inner.Largest, inner.probes
	case outer.Is4():
		outer.probes = inner.Largest&probes != 0
	case inner.probes:
		outer.Largest = probes
	}
	if len(inner.pieces) > 0 {
		kept, _ := inner.unfragmentable()
		outer.pieces = slices.Clone(inner.pieces)
		outer.pieces[0] += t.between() + kept
	}
}

// Header is what an IP header says.
type Header struct {
	Source, Destination netip.Addr
	Protocol            uint8
	TOS, TTL            uint8
	ID                  uint16 // of IPv4
	DF                  bool   // likewise
	FlowLabel           uint32 // of IPv6
}

// Build returns a packet without options.
func Build(h Header, payload []byte) Packet {
	var b []byte
	if h.Destination.Is4() {
		b = append(make([]byte, 0, header4+len(payload)), 0x45, h.TOS)
		b = binary.BigEndian.AppendUint16(b, uint16(header4+len(payload)))
		b = binary.BigEndian.AppendUint16(b, h.ID)
		flags := uint16(0)
		if h.DF {
			flags = dontFragment
		}
		b = binary.BigEndian.AppendUint16(b, flags)
		b = append(b, h.TTL, h.Protocol, 0, 0)
	} else {
		b = make([]byte, 0, header6+len(payload))
		b = binary.BigEndian.AppendUint32(b, 6<<28|uint32(h.TOS)<<20|h.FlowLabel&0xfffff)
		b = binary.BigEndian.AppendUint16(b, uint16(len(payload)))
		b = append(b, h.Protocol, h.TTL)
	}
	b = append(append(b, h.Source.AsSlice()...), h.Destination.AsSlice()...)
	if h.Destination.Is4() {
		fillHeaderChecksum(b)
	}
	return Packet{
		Bytes: append(b, payload...), Source: h.Source, Destination: h.Destination,
		Protocol: h.Protocol, Transport: len(b), ID: uint32(h.ID), nextAt: 6,
	}
}
