package ippacket

import (
	"bytes"
	"encoding/binary"
	"net/netip"
)

// DecrementTTL does what a router does with the TTL or the hop limit.
func (p *Packet) DecrementTTL() {
	p.Bytes[p.ttlAt()]--
	if p.Is4() {
		fillHeaderChecksum(p.Bytes)
	}
}

// end is an end of a packet: its source or its destination.
type end int

const (
	source end = iota
	destination
)

// addrAt returns where the address of an end is, and its length.
func (p *Packet) addrAt(e end) (at, length int) {
	if p.Is4() {
		return 12 + int(e)*4, 4
	}
	return 8 + int(e)*16, 16
}

// SetSource gives the packet another source, as NAT does with what comes from a server.
func (p *Packet) SetSource(to netip.AddrPort) { p.translate(source, to) }

// SetDestination gives the packet another destination, as NAT does.
func (p *Packet) SetDestination(to netip.AddrPort) { p.translate(destination, to) }

// translate changes an address and a port. The checksum of TCP and UDP is updated, so a
// wrong one stays as wrong. A UDP packet without one gets one.
func (p *Packet) translate(e end, to netip.AddrPort) {
	at, length := p.addrAt(e)
	old := bytes.Clone(p.Bytes[at : at+length])
	lacks := false
	if _, _, ok := p.Ports(); ok && p.HasHeader() {
		lacks = p.Protocol == UDP && p.Payload()[6] == 0 && p.Payload()[7] == 0
		p.setPort(e, old, to)
	}
	copy(p.Bytes[at:], to.Addr().AsSlice())
	if e == source {
		p.Source = to.Addr()
	} else {
		p.Destination = to.Addr()
	}
	if lacks {
		p.FillChecksum()
	}
	if p.Is4() {
		fillHeaderChecksum(p.Bytes)
	}
}

// setPort changes a port, and the checksum by it and by the address.
func (p *Packet) setPort(e end, oldAddr []byte, to netip.AddrPort) {
	b := p.Payload()
	port := b[int(e)*2 : int(e)*2+2]
	old := append(bytes.Clone(oldAddr), port...)
	now := binary.BigEndian.AppendUint16(to.Addr().AsSlice(), to.Port())
	moved := !bytes.Equal(port, now[len(now)-2:])
	copy(port, now[len(now)-2:])
	if p.Protocol == SCTP {
		if moved { // it covers no address
			p.FillChecksum()
		}
		return
	}
	at, _ := checksumAt(p.Protocol)
	check := update(binary.BigEndian.Uint16(b[at:]), old, now)
	if p.Protocol == UDP {
		check = notZero(check)
	}
	binary.BigEndian.PutUint16(b[at:], check)
}
