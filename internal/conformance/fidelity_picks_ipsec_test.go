package conformance

import (
	"cmp"
	"fmt"
	"net/netip"
	"testing"

	"github.com/golvs/lvs/internal/release"
)

const (
	protocolESP = 50
	protocolAH  = 51

	isakmp = 500 // the port of UDP by which IPsec exchanges keys
)

// Packets of IPsec follow the connections by which their keys are exchanged.
func TestFidelityIPsec(t *testing.T) {
	const few, players = 2000, 6
	make := func(t testing.TB, r release.Release, seed uint64) (history, int) {
		s := &scope{TB: t}
		defer s.end()
		p := newPicker(s, r, pickSchedulers[seed%uint64(len(pickSchedulers))], seed)
		p.only, p.ipsec = protocolUDP, true
		p.make()
		return p.h, p.h.packets()
	}
	fidelity{"ipsec", make, cmp.Or(*fidelityPackets, few), players}.run(t, openFidelity(t))
}

// fromISAKMP gives a client the port from which keys are exchanged, and an address of its
// own: a server's packets could not say otherwise which of two connections they are of.
func (p *picker) fromISAKMP(pk *packet) {
	if !p.ipsec || p.IntN(4) == 0 {
		return
	}
	client := netip.AddrFrom4([4]byte{10, 1, 64 + byte(p.port>>8)%64, byte(p.port)})
	if pk.from.Addr().Is6() {
		client = netip.MustParseAddr(fmt.Sprintf("fd00:1::c:1:%x", p.port))
	}
	pk.from = netip.AddrPortFrom(client, isakmp)
}

// secure sends a packet of IPsec between the ends of a connection, and reports whether it
// does.
func (p *picker) secure(o opened) bool {
	if !p.ipsec || p.IntN(4) == 0 {
		return false
	}
	pk := o.packet
	if p.IntN(3) == 0 {
		pk = o.reply(0, 0)
	}
	pk.protocol, pk.data = one(p.Rand, uint8(protocolESP), protocolAH, 47), p.IntN(50)
	pk.from, pk.to = netip.AddrPortFrom(pk.from.Addr(), 0), netip.AddrPortFrom(pk.to.Addr(), 0)
	p.do(pk)
	return true
}
