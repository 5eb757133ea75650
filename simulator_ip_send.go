package lvs

import (
	"net/netip"

	"github.com/golvs/lvs/internal/ippacket"
	"github.com/golvs/lvs/internal/simipvs"
)

// follow does with a packet what its verdict says.
func (d *ipDelivery) follow(p *ippacket.Packet, told *simipvs.Verdict) {
	if d.way = told.Way; told.Rewrite != nil {
		rewrite(p, told.Rewrite)
	}
	switch d.Verdict.Action {
	case ActionForwarded:
		d.toServer(p, wayTo(told))
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
		if d.Verdict.Reason == ReasonNotOnLink || d.strays() {
			d.toServer(p, wayTo(told))
		}
	}
}

// strays reports whether a packet for another host, whose server is the director, leaves on
// the way there nevertheless.
func (d *ipDelivery) strays() bool {
	v := &d.Verdict
	return v.Reason == ReasonOwnStack && (v.Mode == ModeLocalNode() || d.own && v.Mode == NAT())
}

// rewrite changes a packet as a helper did.
func rewrite(p *ippacket.Packet, r *simipvs.Rewrite) {
	if r.Changed {
		p.SetData(r.Data)
	}
	p.Resequence(r.Seq, r.Ack)
}

// toServer sends a packet of a client to its server, by the way to a real server.
func (d *ipDelivery) toServer(p *ippacket.Packet, real netip.Addr) {
	mode, server := d.Verdict.Mode, d.Verdict.Server.Addr()
	hop := d.toward(real)
	if hop.next == real {
		hop.next = server
	}
	if hop.local || mode == ModeLocalNode() {
		way := d.route(p.Destination, d.mark)
		if mode == NAT() {
			setDestination(p, d.Verdict.Target())
		}
		d.passBy(way, p)
		return
	}
	if p.TTL() <= 1 {
		d.reject(p, ReasonExpired, ippacket.Expired, 0)
		return
	}
	p.DecrementTTL()
	if mode.IsTunnel() {
		d.tunnel(p, hop)
		return
	}
	if tooLong(p, hop.mtu) {
		d.reject(p, ReasonTooLong, ippacket.TooLong, hop.mtu)
		return
	}
	if mode == NAT() {
		setDestination(p, d.Verdict.Target())
	}
	d.send(p, hop, sending{anyway: mode == NAT()})
}

// toClient sends a packet of a NAT server to its client.
func (d *ipDelivery) toClient(p *ippacket.Packet, virtual netip.AddrPort) {
	if d.ways == nil && !d.own && !d.losesHop(p) {
		return
	}
	if d.Verdict.Mode == NAT() {
		setSource(p, virtual)
	}
	hop := d.route(p.Destination, d.mark)
	if hop.local {
		d.Local = p.Bytes
		return
	}
	d.send(p, hop, sending{})
}

// pass leaves a packet to the director's own stack, which forwards it if it is for
// another host.
func (d *ipDelivery) pass(p *ippacket.Packet) { d.passBy(d.route(p.Destination, d.mark), p) }

// passBy passes on a packet by the way that it came to IPVS on, whatever its destination
// is now.
func (d *ipDelivery) passBy(hop ipHop, p *ippacket.Packet) {
	switch {
	case d.ways == nil && !d.own || hop.local:
		d.Local = p.Bytes
	case hop.found && (d.own || d.routes):
		d.send(p, hop, sending{})
	}
}

// passes does what a router does with a packet before netfilter sees that it is
// forwarded. It reports false if the packet gets no further.
func (d *ipDelivery) passes(p *ippacket.Packet, hop ipHop) bool {
	if !hop.found {
		d.stop(ActionDropped, ReasonNoRoute)
		d.refuse(p, ippacket.NoRoute, 0)
		return false
	}
	mtu := hop.mtu
	if !p.Is4() {
		mtu = max(mtu, ippacket.LeastMTU6)
	}
	switch {
	case p.TTL() <= 1:
		return d.losesHop(p)
	case tooLong(p, mtu):
		d.reject(p, ReasonTooLong, ippacket.TooLong, mtu)
		return false
	}
	return d.losesHop(p)
}

// tooLong reports whether a packet cannot pass an MTU. Of IPv6 the fragments in which it
// came may.
func tooLong(p *ippacket.Packet, mtu int) bool {
	if !p.Is4() && p.Largest > 0 {
		return p.Largest > mtu
	}
	return p.DF() && len(p.Bytes) > mtu
}

// losesHop takes a hop off the TTL. It reports false if none is left.
func (d *ipDelivery) losesHop(p *ippacket.Packet) bool {
	if p.TTL() <= 1 {
		d.reject(p, ReasonExpired, ippacket.Expired, 0)
		return false
	}
	p.DecrementTTL()
	return true
}

// reject refuses a packet that gets no further.
func (d *ipDelivery) reject(p *ippacket.Packet, why Reason, e ippacket.Error, mtu int) {
	d.stop(ActionRefused, why)
	d.refuse(p, e, mtu)
}

// refuse sends an ICMP error about a packet. Programs of the director itself get it by lo.
func (d *ipDelivery) refuse(about *ippacket.Packet, e ippacket.Error, mtu int) {
	hop := d.route(about.Source, 0)
	if !hop.found || about.IsError() || about.Offset != 0 {
		return
	}
	a := ippacket.Answer{Source: about.Destination, MTU: mtu, ID: uint16(d.sim.ip.rand.Uint32()), FlowLabel: d.sim.ip.rand.Uint32()}
	if d.ways != nil && !d.answersAs(about) {
		a.Source = d.sourceOf(hop, about)
	}
	p := e.Make(about, a)
	d.sendError(&p)
}

// answersAs reports whether errors about a packet come from its destination. IPv6 wants
// it to be an address of an interface.
func (d *ipDelivery) answersAs(p *ippacket.Packet) bool {
	if p.Is4() || d.forward {
		return !d.forward && d.ways.to(p.Destination, d.mark).Local()
	}
	for _, a := range d.ways.addresses {
		if a.Prefix.Addr() == p.Destination {
			return true
		}
	}
	return false
}

// sending is how a packet is sent.
type sending struct {
	drawn  ippacket.Drawn
	anyway bool // the director fragments it if it must
}

// send sends a packet, in fragments if it must.
func (d *ipDelivery) send(p *ippacket.Packet, hop ipHop, s sending) {
	if len(p.Bytes) <= hop.mtu && (p.Largest == 0 || !p.Is4() && len(p.Bytes) <= p.Largest) {
		d.emit(p, hop, s.drawn)
		return
	}
	mtu := hop.mtu
	if p.Largest > 0 {
		mtu = min(mtu, p.Largest)
	}
	// What came in fragments leaves in fragments, unless a router put it together.
	if p.DF() && !s.anyway && (p.Largest == 0 || d.forward && p.Is4()) || p.Is4() && p.DF() && p.Largest > hop.mtu {
		d.forward = true // the error comes from where it is met
		d.reject(p, ReasonTooLong, ippacket.TooLong, hop.mtu)
		return
	}
	if !p.Is4() {
		mtu = max(mtu, ippacket.LeastMTU6)
		s.drawn |= ippacket.DrawnFragmentID
	}
	fragments := p.Fragments(mtu, d.sim.ip.rand.Uint32())
	for i := range fragments {
		d.emit(&fragments[i], hop, s.drawn)
	}
}

func (d *ipDelivery) emit(p *ippacket.Packet, hop ipHop, drawn ippacket.Drawn) {
	d.Sent = append(d.Sent, SimSent{Interface: hop.iface, NextHop: hop.next, Packet: p.Bytes, drawn: drawn | d.drawn})
}
