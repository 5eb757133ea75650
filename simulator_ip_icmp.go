package lvs

import (
	"net/netip"

	"github.com/golvs/lvs/internal/ippacket"
	"github.com/golvs/lvs/internal/simipvs"
)

// balanceICMP asks IPVS about an ICMP packet, and does with it what it says.
func (d *ipDelivery) balanceICMP(p *ippacket.Packet) error {
	kind, code, mtu, whole := p.ICMP()
	if !whole && d.sim.kernel.Hooked(!p.Is4()) {
		d.stop(ActionDropped, ReasonMalformed)
		return nil
	}
	from, to := netip.AddrPortFrom(p.Source, 0), netip.AddrPortFrom(p.Destination, 0)
	m := &simipvs.ICMP{
		Type: kind, Code: code, Leaving: d.own && d.ways != nil && !d.ways.to(p.Destination, d.mark).Local(),
		WrongChecksum: !p.RightChecksum() && !(d.own && d.sim.kernel.Release().ChecksICMP()),
	}
	quoted, ok := p.Quoted()
	var inside ippacket.Packet
	var headers int
	if ok {
		m.About = aboutOf(&quoted, m)
	}
	if ok && p.Is4() && !d.forward {
		if inside, headers, ok = quoted.Inside(); ok {
			m.Inside, m.DF = aboutOf(&inside, m), inside.DF()
		}
	}
	var told simipvs.Verdict
	raw := simipvs.Packet{Protocol: p.Protocol, Source: &from, Destination: &to, Mark: d.mark, Length: len(p.Bytes), ICMP: m}
	if err := d.sim.deliver(d.ways, &raw, &told, &d.Verdict); err != nil {
		return err
	}
	if d.Verdict.Reason != ReasonRelated || d.Verdict.Action == ActionForwarded || d.Verdict.Action == ActionReplied {
		d.follow(p, &told)
		return nil
	}
	d.way = told.Way
	d.answerTunnel(&inside, ippacket.NewError(kind, code), func() int { return d.learnMTU(quoted.Destination, mtu, headers) })
	return nil
}

// answerTunnel tells a client what an error about a tunnel says about the packet inside,
// if the VIP is the director's.
func (d *ipDelivery) answerTunnel(inside *ippacket.Packet, e ippacket.Error, learn func() int) {
	mtu := 0
	if e.IsTooLong4() {
		mtu = learn()
	}
	if d.Verdict.Action == ActionRefused && (d.ways == nil || d.answersAs(inside)) {
		d.refuse(inside, e, mtu)
	}
}

// aboutOf returns a quoted packet as the simulated kernel has it, and notes in m whether
// it has ports.
func aboutOf(q *ippacket.Packet, m *simipvs.ICMP) *simipvs.Packet {
	var source, destination uint16
	m.Short, m.Fragment = false, q.Offset != 0
	switch q.Protocol {
	case ippacket.TCP, ippacket.UDP, ippacket.SCTP:
		var ok bool
		source, destination, ok = q.FirstPorts()
		m.Short = !ok
	}
	from, to := netip.AddrPortFrom(q.Source, source), netip.AddrPortFrom(q.Destination, destination)
	return &simipvs.Packet{Protocol: q.Protocol, Source: &from, Destination: &to, Length: len(q.Bytes)}
}

// sendError sends an ICMP error that the director made. It passes IPVS as what programs of
// the director send.
func (d *ipDelivery) sendError(p *ippacket.Packet) {
	own := ipDelivery{sim: d.sim, ways: d.ways, own: true, drawn: ippacket.DrawnID}
	if !p.Is4() {
		own.drawn = ippacket.DrawnFlowLabel
	}
	if own.balanceICMP(p) != nil {
		return
	}
	d.Sent = append(d.Sent, own.Sent...)
	if own.Local != nil {
		d.Sent = append(d.Sent, SimSent{Interface: "lo", NextHop: p.Destination, Packet: own.Local, drawn: own.drawn})
	}
}

// setSource and setDestination translate a packet or an ICMP error.

func setSource(p *ippacket.Packet, to netip.AddrPort) {
	if p.IsError() {
		p.DisguiseError(to)
	} else {
		p.SetSource(to)
	}
}

func setDestination(p *ippacket.Packet, to netip.AddrPort) {
	if p.IsError() {
		p.RedirectError(to)
	} else {
		p.SetDestination(to)
	}
}
