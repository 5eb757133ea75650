package conformance

import (
	"fmt"
	"net/netip"

	"github.com/golvs/lvs"
)

// exchanging returns an end from which keys of IPsec are exchanged. Its address is its own:
// packets without ports could not say otherwise of which of two connections they are.
func (f *framer) exchanging(from netip.AddrPort) netip.AddrPort {
	own := fmt.Sprintf("10.9.%d.%d", 2+f.clients/250, 1+f.clients%250)
	if from.Addr().Is6() {
		own = fmt.Sprintf("fd00:9::1:%x", f.clients)
	}
	return netip.AddrPortFrom(netip.MustParseAddr(own), isakmp)
}

// secure lets a client, or a server by NAT, send a packet of IPsec, or one of another
// protocol, of which IPVS knows nothing.
func (f *framer) secure() {
	x := f.secured()
	if x == nil {
		return
	}
	p := f.again(x, protocolUDP, 0)
	protocols := []uint8{protocolESP, protocolAH, 47}
	if p.six() {
		protocols = []uint8{protocolESP} // AH would have to be an extension header
	}
	p.load, p.bad = otherLoad{one(f.Rand, protocols...)}, ""
	switch nat := x.verdict.Mode == lvs.NAT(); {
	case f.IntN(3) > 0 || x.wire != fromClient:
		f.do(frame{f.wireOf(p), withoutPorts(p)})
		f.forget()
	case x.verdict.Action == lvs.ActionForwarded && nat && !f.isDirector(x.verdict.Server.Addr()):
		p.from, p.to = x.verdict.Target(), x.packet.from
		f.fromServer(withoutPorts(p))
	}
}

// secured returns a recent flow by which keys are exchanged; nil if there is none.
func (f *framer) secured() *flow {
	const tries = 10
	for range tries {
		if x := f.flow(); x != nil && x.protocol() == protocolUDP && x.packet.to.Port() == isakmp {
			return x
		}
	}
	return nil
}

func withoutPorts(p *ipPacket) *ipPacket {
	p.from, p.to = netip.AddrPortFrom(p.from.Addr(), 0), netip.AddrPortFrom(p.to.Addr(), 0)
	return p
}
