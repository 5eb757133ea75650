package conformance

import (
	"encoding/binary"
	"net/netip"

	"github.com/golvs/lvs/internal/testbed"
)

// ipPacket is a whole IP packet as plain values.
type ipPacket struct {
	load     load
	from, to netip.AddrPort // port 0: the load has no ports
	ttl, tos uint8
	id       uint16 // of IPv4
	df       bool   // likewise
	flow     uint32 // label of IPv6
	bad      string // which checksum is wrong: badHeader or badLoad; "": none

	payload string    // behind the headers of the load
	data    int       // bytes behind the payload
	inner   *ipPacket // behind those: a packet in a tunnel, or one that is quoted
	mark    uint32    // of the director's firewall

	cut part // of it, if it is a fragment
}

// load is what an IP packet carries. Each kind has a line in loads.
type load interface {
	// words are its text, before the ends of the packet; "": none.
	words() string

	// encode returns its header and then what is behind that, rest, with right checksums.
	encode(p *ipPacket, rest []byte) []byte
}

// part is what a fragment has of a packet: bytes from the end of its IP header on.
type part struct {
	offset, length int // 0 bytes: not a fragment
	more           bool
}

// Checksums that can be wrong.
const (
	badHeader = "header"
	badLoad   = "load"
)

const (
	usualTTL = 64
	ipv4     = 20 // bytes of a header
	ipv6     = 40
)

func (p *ipPacket) six() bool { return p.to.Addr().Is6() }

func (p *ipPacket) protocol() uint8 {
	if other, ok := p.load.(otherLoad); ok {
		return other.number
	}
	k := kindOfLoad(p.load)
	if p.six() {
		return k.protocol6
	}
	return k.protocol4
}

// rest is what is behind the headers of the load.
func (p *ipPacket) rest() []byte {
	b := []byte(p.payload)
	for i := range p.data {
		b = append(b, byte(i))
	}
	if p.inner != nil {
		b = append(b, p.inner.encode()...)
	}
	return b
}

// encode returns the bytes of the packet.
func (p *ipPacket) encode() []byte {
	body := p.load.encode(p, p.rest())
	if p.bad == badLoad {
		if at := kindOfLoad(p.load).checksum; at < len(body) {
			body[at] ^= 0x55
		}
	}
	protocol := p.protocol()
	if p.cut.length > 0 {
		body = body[min(p.cut.offset, len(body)):min(p.cut.offset+p.cut.length, len(body))]
		if p.six() {
			body, protocol = append(p.fragmentHeader(protocol), body...), fragmentProtocol
		}
	}
	if p.six() {
		return append(p.header6(protocol, len(body)), body...)
	}
	return append(p.header4(protocol, len(body)), body...)
}

const fragmentProtocol = 44

// fragmentHeader is that of IPv6.
func (p *ipPacket) fragmentHeader(protocol uint8) []byte {
	b := []byte{protocol, 0}
	bits := uint16(p.cut.offset) &^ 7
	if p.cut.more {
		bits |= 1
	}
	b = binary.BigEndian.AppendUint16(b, bits)
	return binary.BigEndian.AppendUint32(b, uint32(p.id))
}

func (p *ipPacket) header4(protocol uint8, length int) []byte {
	b := []byte{0x45, p.tos}
	b = binary.BigEndian.AppendUint16(b, uint16(ipv4+length))
	b = binary.BigEndian.AppendUint16(b, p.id)
	const dontFragment, moreFragments = 0x4000, 0x2000
	flags := uint16(p.cut.offset / 8)
	if p.cut.more {
		flags |= moreFragments
	}
	if p.df {
		flags |= dontFragment
	}
	b = binary.BigEndian.AppendUint16(b, flags)
	b = append(b, p.ttl, protocol, 0, 0)
	b = append(append(b, p.from.Addr().AsSlice()...), p.to.Addr().AsSlice()...)
	checksum := testbed.Checksum(b)
	if p.bad == badHeader {
		checksum ^= 0x5500
	}
	binary.BigEndian.PutUint16(b[10:], checksum)
	return b
}

func (p *ipPacket) header6(protocol uint8, length int) []byte {
	b := binary.BigEndian.AppendUint32(nil, 6<<28|uint32(p.tos)<<20|p.flow)
	b = binary.BigEndian.AppendUint16(b, uint16(length))
	b = append(b, protocol, p.ttl)
	return append(append(b, p.from.Addr().AsSlice()...), p.to.Addr().AsSlice()...)
}

// sum returns the checksum of a load that covers the addresses too.
func (p *ipPacket) sum(protocol uint8, body []byte) uint16 {
	b := append(p.from.Addr().AsSlice(), p.to.Addr().AsSlice()...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(body)))
	b = append(b, 0, 0, 0, protocol)
	return testbed.Checksum(append(b, body...))
}
