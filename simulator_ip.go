package lvs

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"sync"

	"github.com/golvs/lvs/internal/ippacket"
	"github.com/golvs/lvs/internal/simipvs"
)

// SimDelivery is what became of an IP packet.
type SimDelivery struct {
	Verdict Verdict   // as [Simulator.Deliver] returns it
	Sent    []SimSent // the packets that the director sends, in order: forwarded, replied, ICMP errors
	Local   []byte    // the packet as it reaches the director's own stack; nil: it does not
}

// SimSent is an IP packet that the director sends.
type SimSent struct {
	Interface string     // by which it leaves; "" if the simulator has no interfaces; "lo": a program of the director gets it
	NextHop   netip.Addr // whose MAC address its frame is for: a router, a real server or the packet's destination
	Packet    []byte     // from its IP header on

	drawn ippacket.Drawn
}

// Matches reports whether a packet that was seen is this one. It may differ in what Linux
// draws at random, and in the checksums of that: in the ID of an IPv4 header or of IPv6
// fragments, in the flow label, and in the UDP port that a [GUE] tunnel comes from, if
// the director made them. In [SimSent.Packet] they depend on [SimOptions.Seed].
func (s SimSent) Matches(seen []byte) bool {
	return bytes.Equal(s.drawn.CopyFrom(seen, s.Packet), seen)
}

// ipState is what a simulator knows of IP packets.
type ipState struct {
	mu        sync.Mutex
	rand      *rand.Rand // of what Linux draws
	secret    uint64     // of hashes
	fragments ippacket.Reassembler
	paths     map[netip.Addr]*pathMTU
}

func (s *ipState) seed(seed uint64) {
	s.rand = rand.New(rand.NewPCG(seed, seed))
	s.secret = s.rand.Uint64()
	s.paths = make(map[netip.Addr]*pathMTU)
}

// DeliverIP delivers a whole IP packet, from its IP header on, and returns every packet
// that the director sends because of it, byte for byte as Linux would send it. mark is
// the firewall's mark on the packet; 0 is none. Fragments that are put together get the
// mark of the first one. What follows the packet in its frame is ignored.
//
// The verdict is that of [Simulator.Deliver]. What Linux drops without looking further,
// such as a packet that is cut off, is [ActionDropped] for [ReasonMalformed], so that
// whatever was captured can be delivered. The error matches [ErrInvalid] if the bytes are
// neither IPv4 nor IPv6; nothing has happened then.
//
// A simulator without [SimOptions.Interfaces] has no addresses and no routes. The next hop
// is then the real server or the client, no packet is too long, and what the director
// would send from an address of its own comes from the VIP, or from the unspecified
// address if the VIP is of the other family.
//
// A packet whose source is an address of the director is one that a program there sends,
// never one that comes in. ICMP errors about it leave by lo.
//
// Programs of the director do not reply to what reaches its stack, and the limits on the
// rate of ICMP errors are not simulated.
func (s *Simulator) DeliverIP(packet []byte, mark uint32) (SimDelivery, error) {
	if len(packet) == 0 || packet[0]>>4 != 4 && packet[0]>>4 != 6 {
		return SimDelivery{}, invalid("packet", "its first byte must say IPv4 or IPv6").about(OpDeliver, "IP packet")
	}
	s.ip.mu.Lock()
	defer s.ip.mu.Unlock()
	d := ipDelivery{sim: s, ways: s.network.ways.Load(), mark: mark}
	p, err := ippacket.Parse(packet)
	if err != nil {
		d.stop(ActionDropped, ReasonMalformed)
		return d.SimDelivery, nil
	}
	p.Mark = mark
	if err := d.receive(p.Clone()); err != nil {
		return SimDelivery{}, (&Error{kind: ErrInvalid, cause: err}).about(OpDeliver, Protocol(p.Protocol).String()+" packet from "+p.Source.String()+" to "+p.Destination.String())
	}
	return d.SimDelivery, nil
}

// ipDelivery is one packet on its way.
type ipDelivery struct {
	SimDelivery
	sim  *Simulator
	ways *simulatedWays // nil: there are no interfaces
	mark uint32

	own     bool // a program of the director sent it
	forward bool // it is for another host
	routes  bool // the director forwards

	drawn ippacket.Drawn // of a packet that the director made
	way   *simipvs.Way   // to the server; nil: its route is not kept
}

func (d *ipDelivery) stop(what Action, why Reason) {
	d.Verdict.Action, d.Verdict.Reason = what, why
}

// receive delivers a packet, whose bytes it may change. Before IPVS sees it, fragments
// are put together, and what is for another host loses a hop.
func (d *ipDelivery) receive(p ippacket.Packet) error {
	if d.ways != nil {
		d.own = d.ways.to(p.Source, d.mark).Local()
		d.forward = !d.own && !d.ways.to(p.Destination, d.mark).Local()
		d.routes = d.forward && d.ways.isOn(d.ways.to(p.Source, 0).Interface, "forwarding", p.Destination)
	}
	if !p.Is4() && !d.gather(&p, d.sim.kernel.Reassembles6() || d.staysHere(p.Destination)) {
		return nil
	}
	if d.routes && !d.passes(&p, d.route(p.Destination, d.mark)) {
		return nil
	}
	if p.Is4() && !d.gather(&p, d.staysHere(p.Destination) || d.gathers4(&p)) {
		return nil
	}
	if p.Protocol == ippacket.ICMP && p.Is4() || p.Protocol == ippacket.ICMPv6 && !p.Is4() {
		return d.balanceICMP(&p)
	}
	if !balanced(&p) || !p.HasHeader() && !d.sim.kernel.Hooked(!p.Is4()) {
		d.stop(ActionPassed, ReasonNoService)
		if d.forward {
			d.stop(ActionPassed, ReasonNotLocal)
		}
		d.pass(&p)
		return nil
	}
	return d.balance(&p)
}

// gathers4 reports whether IPVS puts fragments of an IPv4 packet together that is on its way
// to another host. It looks for ports, which AH and ESP do not have.
func (d *ipDelivery) gathers4(p *ippacket.Packet) bool {
	switch p.Protocol {
	case ippacket.TCP, ippacket.UDP, ippacket.SCTP, ippacket.ICMP:
		return (d.own || d.routes) && d.sim.kernel.Hooked(false)
	}
	return false
}

// staysHere reports whether the director's own stack gets what is for an address.
func (d *ipDelivery) staysHere(a netip.Addr) bool {
	return d.ways == nil || d.ways.to(a, d.mark).Local()
}

// gather puts fragments together, where that happens. It reports false if more fragments
// must come first.
func (d *ipDelivery) gather(p *ippacket.Packet, here bool) (ok bool) {
	if !here || !p.IsFragment() {
		return true
	}
	if *p, ok = d.sim.ip.fragments.Add(*p, d.sim.Now()); !ok {
		d.stop(ActionPassed, ReasonFragment)
		return false
	}
	if d.mark = p.Mark; p.Is4() && !d.forward {
		p.Join()
	}
	return true
}

// balance asks IPVS, and does with a packet what it says.
func (d *ipDelivery) balance(p *ippacket.Packet) error {
	whole := p.HasHeader()
	if !whole && !d.forward {
		d.stop(ActionDropped, ReasonMalformed)
		return nil
	}
	var told simipvs.Verdict
	source, destination, _ := p.Ports()
	from, to := netip.AddrPortFrom(p.Source, source), netip.AddrPortFrom(p.Destination, destination)
	raw := simipvs.Packet{
		Protocol: p.Protocol, Source: &from, Destination: &to, Mark: d.mark, Length: len(p.Bytes), Data: string(p.Data()),
	}
	switch {
	case !whole:
		x, err := d.sim.kernel.Explain(&raw, simipvs.Suppose{})
		if err != nil {
			return err
		}
		if x.Verdict.Action == simipvs.Replied {
			d.stop(ActionDropped, ReasonMalformed)
			return nil
		}
	case p.Protocol == ippacket.TCP:
		raw.TCP, raw.Seq, raw.Ack = p.TCPFlags(), p.Seq(), p.Ack()
	case p.Protocol == ippacket.SCTP:
		raw.Chunks = p.Chunks()
	}
	if err := d.sim.deliver(d.ways, &raw, &told, &d.Verdict); err != nil {
		return err
	}
	if told.Read {
		p.Join()
	}
	d.follow(p, &told)
	return nil
}

// balanced reports whether IPVS looks at packets of a protocol.
func balanced(p *ippacket.Packet) bool {
	switch p.Protocol {
	case ippacket.TCP, ippacket.UDP, ippacket.SCTP, ippacket.AH, ippacket.ESP:
		return true
	}
	return false
}
