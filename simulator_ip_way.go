package lvs

import (
	"net/netip"

	"github.com/golvs/lvs/internal/ippacket"
	"github.com/golvs/lvs/internal/netstate"
)

// ipHop is where a packet goes next.
type ipHop struct {
	found, local bool
	to           netip.Addr
	iface        string
	next         netip.Addr
	mtu          int
	way          netstate.RouteEntry
}

// route returns the next hop on the way to an address.
func (d *ipDelivery) route(to netip.Addr, mark uint32) ipHop {
	if d.ways == nil {
		return ipHop{found: true, to: to, next: to, mtu: ippacket.MaxLength}
	}
	way := d.ways.to(to, mark)
	h := ipHop{found: way.Onward() || way.Local(), local: way.Local(), to: to, iface: way.Interface, next: to, mtu: way.MTU, way: way.RouteEntry}
	if h.mtu == 0 {
		h.mtu = d.ways.mtus[way.Interface]
	}
	if way.Via.IsValid() {
		h.next = way.Via
	}
	return h
}

// sourceOf returns the director's address for packets of its own by a hop, which it sends
// because of a client's packet.
func (d *ipDelivery) sourceOf(hop ipHop, because *ippacket.Packet) netip.Addr {
	switch {
	case hop.way.Source.IsValid() && (hop.to.Is4() || !hop.way.ByKernel):
		return hop.way.Source
	case hop.local && hop.to.Is4():
		return hop.to
	case d.ways != nil:
		return netstate.SourceFor(d.ways.addresses, hop.to, hop.way)
	case hop.to.Is4() == because.Is4():
		return because.Destination
	case hop.to.Is4():
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}
