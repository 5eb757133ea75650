package conformance

import (
	"fmt"
	"net/netip"
)

// The firewall marks frames. A service of a mark takes what has the mark, whatever its
// destination and protocol.

// marksOfOthers are marks that frames have now and then, whatever they are for. Some have a
// service, see markedService and addMarked.
var marksOfOthers = []uint32{1, 2, 3, localMark, 1 << 31}

// addMarked adds a service of the next mark. Its VIP is only where its clients turn to most.
func (f *framer) addMarked() {
	f.marks++
	s := &frameService{
		protocol: f.anyProtocol(), mark: f.marks,
		vip: netip.AddrPortFrom(netip.MustParseAddr(one(f.Rand, frameVIPs...)), one(f.Rand, uint16(80), 53, isakmp)),
	}
	family := 4
	if s.vip.Addr().Is6() {
		family = 6
	}
	s.called = s.protocol == protocolUDP && f.IntN(2) == 0
	f.enter(s, fmt.Sprintf("mark%d %d", family, s.mark))
}

func (f *framer) anyProtocol() uint8 {
	return one(f.Rand, uint8(protocolTCP), protocolTCP, protocolUDP, protocolSCTP)
}

// packetTo returns a packet that is for a service, if its mark does not contradict.
func (f *framer) packetTo(s *frameService, flags uint8, from netip.AddrPort) *ipPacket {
	protocol, to := s.protocol, s.vip
	if s.mark != 0 && f.IntN(3) == 0 {
		protocol = f.anyProtocol()
		vip := f.ofFamily(to.Addr().Is6(), append(frameVIPs[:3:3], localClients4[:4]...), append(frameVIPs[3:6:6], localClients6[:4]...))
		to = netip.AddrPortFrom(vip, one(f.Rand, uint16(80), 53, 8080))
	}
	p := f.packet(protocol, flags, from, to)
	if f.mark(p, s.mark); s.called {
		f.speak(p)
	}
	return p
}

// again returns another packet of a flow's client.
func (f *framer) again(x *flow, protocol, flags uint8) *ipPacket {
	p := f.packet(protocol, flags, x.packet.from, x.packet.to)
	f.mark(p, x.packet.mark)
	f.answer(x, p)
	return p
}

// mark gives a packet a mark, or rarely another one.
func (f *framer) mark(p *ipPacket, mark uint32) {
	const seldom = 40
	if p.mark = mark; f.IntN(seldom) == 0 {
		p.mark = one(f.Rand, marksOfOthers...)
	}
}
