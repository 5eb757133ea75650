package lvs

import (
	"net/netip"

	"github.com/golvs/lvs/internal/ippacket"
	"github.com/golvs/lvs/internal/simipvs"
)

// follow does with a packet what its verdict says.
func (d *ipDelivery) follow(p *ippacket.Packet, told *simipvs.Verdict) {
	switch d.Verdict.Action {
	case ActionForwarded:
		d.toServer(p)
	case ActionReplied:
		d.toClient(p, told.Virtual)
	case ActionRefused:
		e := ippacket.PortUnreachable
		if d.Verdict.Reason == ReasonNoRoute {
			e = ippacket.HostUnreachable
		}
		d.refuse(p, e, 0)
	case ActionPassed:
		d.pass(p)
	case ActionDropped:
		if d.Verdict.Reason == ReasonNotOnLink {
			d.toServer(p)
		}
	}
}

// toServer sends a packet of a client to its real server.
func (d *ipDelivery) toServer(p *ippacket.Packet) {
	mode, server := d.Verdict.Mode, d.Verdict.Server.Addr()
	hop := d.route(server, 0)
	if hop.local || mode == ModeLocalNode() {
		if mode == NAT() {
			p.SetDestination(d.Verdict.Target())
		}
		d.Local = p.Bytes
		return
	}
	p.DecrementTTL()
	switch {
	case mode == NAT():
		p.SetDestination(d.Verdict.Target())
	case mode.IsTunnel():
		d.tunnel(p, hop)
		return
	}
	d.send(p, hop, 0)
}

// tunnel sends a packet to its real server inside another packet.
func (d *ipDelivery) tunnel(p *ippacket.Packet, hop ipHop) {
	mode := d.Verdict.Mode
	flags, crosses := mode.TunnelFlags(), p.Is4() != hop.to.Is4()
	t := ippacket.Tunnel{
		Source: d.sourceOf(hop, p), Destination: hop.to, Protocol: tunnelProtocols[mode.Name()],
		// The packet has its checksum already, so none is left to the receiver.
		Checksum: flags&TunnelChecksum != 0 || flags&TunnelRemoteChecksum != 0 && crosses,
		DF:       p.Is4() && p.DF(),
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
	d.send(&outer, hop, drawn)
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

// toClient sends a packet of a NAT server to its client.
func (d *ipDelivery) toClient(p *ippacket.Packet, virtual netip.AddrPort) {
	if d.Verdict.Mode == NAT() {
		p.SetSource(virtual)
	}
	hop := d.route(p.Destination, d.mark)
	if hop.local {
		d.Local = p.Bytes
		return
	}
	if !d.own {
		p.DecrementTTL()
	}
	d.send(p, hop, 0)
}

// pass leaves a packet to the director's own stack, which forwards it if it is for
// another host.
func (d *ipDelivery) pass(p *ippacket.Packet) {
	hop := d.route(p.Destination, d.mark)
	switch {
	case d.ways == nil || hop.local:
		d.Local = p.Bytes
	case !hop.found:
	case d.own:
		d.send(p, hop, 0)
	case d.ways.isOn(d.ways.to(p.Source, 0).Interface, "forwarding", p.Destination):
		p.DecrementTTL()
		d.send(p, hop, 0)
	}
}

// refuse sends an ICMP error about a packet. Programs of the director itself see an error
// of their system call.
func (d *ipDelivery) refuse(about *ippacket.Packet, e ippacket.Error, mtu int) {
	hop := d.route(about.Source, 0)
	if d.own || !hop.found || hop.local {
		return
	}
	a := ippacket.Answer{Source: about.Destination, MTU: mtu, ID: uint16(d.sim.ip.rand.Uint32()), FlowLabel: d.sim.ip.rand.Uint32()}
	if d.forward {
		a.Source = d.sourceOf(hop, about)
	}
	drawn := ippacket.DrawnID
	if !about.Is4() {
		drawn = ippacket.DrawnFlowLabel
	}
	p := e.Make(about, a)
	d.send(&p, hop, drawn)
}

func (d *ipDelivery) send(p *ippacket.Packet, hop ipHop, drawn ippacket.Drawn) {
	d.Sent = append(d.Sent, SimSent{Interface: hop.iface, NextHop: hop.next, Packet: p.Bytes, drawn: drawn})
}
