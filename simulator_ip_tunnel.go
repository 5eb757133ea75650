package lvs

import "github.com/golvs/lvs/internal/ippacket"

// tunnel sends a packet to its real server inside another packet.
func (d *ipDelivery) tunnel(p *ippacket.Packet, hop ipHop) {
	const least4 = 68
	mode, discovers := d.Verdict.Mode, d.sim.kernel.DiscoversMTU()
	t := ippacket.Tunnel{
		Source: d.sourceOf(hop, p), Destination: hop.to, Protocol: tunnelProtocols[mode.Name()],
		// The packet has its checksum already, so none is left to the receiver.
		Checksum: mode.TunnelFlags() != 0,
		DF:       p.Is4() && p.DF() && discovers,
	}
	mtu := hop.mtu - t.Overhead()
	switch {
	case hop.to.Is4() && mtu < least4, hop.to.Is6() && mtu < ippacket.LeastMTU6:
		d.stop(ActionDropped, ReasonTooLong)
		return
	case p.Is4() && !discovers:
	case tooLong(p, mtu):
		d.reject(p, ReasonTooLong, ippacket.TooLong, mtu)
		return
	}
	var drawn ippacket.Drawn
	if t.Destination.Is4() && !t.DF {
		t.ID, drawn = uint16(d.sim.ip.rand.Uint32()), ippacket.DrawnID
	}
	if t.Protocol == ippacket.UDP {
		t.FromPort, t.ToPort = d.sim.ip.guePort(p), mode.Port()
		drawn |= ippacket.DrawnPort
	}
	outer := t.Encapsulate(p)
	if d.forward && p.Is4() && !outer.Is4() {
		outer.Largest = 1 // Linux takes the mark of a forwarded packet for this
	}
	d.send(&outer, hop, sending{drawn: drawn, anyway: true})
}

// tunnelProtocols are the protocols of the outer packets.
var tunnelProtocols = map[string]uint8{
	IPIP().Name(): ippacket.IPIP, GUE(1).Name(): ippacket.UDP, GRE().Name(): ippacket.GRE,
}

// guePort returns the port that a packet's GUE tunnel comes from. It is the same for all
// packets of a connection.
func (s *ipState) guePort(p *ippacket.Packet) uint16 {
	const first, last = 32768, 60999 // net.ipv4.ip_local_port_range
	hash := s.secret
	mix := func(bytes ...byte) {
		for _, b := range bytes {
			hash = (hash ^ uint64(b)) * 1099511628211
		}
	}
	mix(p.Source.AsSlice()...)
	mix(p.Destination.AsSlice()...)
	mix(p.Protocol)
	if from, to, ok := p.Ports(); ok {
		mix(byte(from>>8), byte(from), byte(to>>8), byte(to))
	}
	return uint16(first + (hash>>16)%(last-first+1))
}
