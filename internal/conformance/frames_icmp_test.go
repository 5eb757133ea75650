package conformance

import (
	"bytes"
	"net/netip"
	"slices"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/internal/ippacket"
)

// reversed is a packet that goes back on the way of this one.
func (f *framer) reversed(x *flow) *ipPacket {
	return f.plain(x.protocol(), x.packet.to, x.packet.from)
}

// plain is a packet with a TTL and all else as usual.
func (f *framer) plain(protocol uint8, from, to netip.AddrPort) *ipPacket {
	p := &ipPacket{load: udpLoad{}, from: from, to: to, ttl: uint8(1 + f.IntN(64)), data: f.IntN(60)}
	switch protocol {
	case protocolTCP:
		p.load = newTCP(flagACK)
	case protocolSCTP:
		p.load = sctpLoad{chunkData}
	}
	if !p.six() {
		p.df = f.IntN(2) == 0
	}
	return p
}

// errorAbout is an ICMP error. It may quote too little, or a fragment, or have a wrong
// checksum, or a type that does not concern IPVS.
func (f *framer) errorAbout(from, to netip.Addr, about *ipPacket) *ipPacket {
	l := icmpLoad{kind: one(f.Rand, uint8(3), 3, 3, 4, 11, 11, 12, 5), code: uint8(f.IntN(6))}
	if to.Is6() {
		l.kind = one(f.Rand, uint8(1), 1, 2, 3, 4, 100, 127, 1)
	}
	header := ipv4
	if to.Is6() {
		header = ipv6
	}
	if l.kind == 3 && l.code == 4 && to.Is4() || l.kind == 2 && to.Is6() {
		l.value = one(f.Rand, 1, 68, 552, 700, 1000+f.Uint32N(600))
	}
	switch f.IntN(20) {
	case 0:
		l.quote = 1 + f.IntN(header+3)
	case 1:
		l.quote = header + f.IntN(6)
	case 2, 3:
		l.quote = header + 8
	case 4:
		about.cut = part{offset: 0, length: 16, more: true}
	case 5:
		about.cut, about.id = part{offset: 16, length: 16, more: f.IntN(2) == 0}, 7
	}
	p := &ipPacket{load: l, from: netip.AddrPortFrom(from, 0), to: netip.AddrPortFrom(to, 0), ttl: usualTTL, inner: about}
	switch f.IntN(30) {
	case 0:
		p.bad = badLoad
	case 1:
		p.ttl = 1
	case 2:
		p.tos = 0xc0
	}
	return p
}

// complain sends an error. One of a long packet that reaches the director's stack is left
// out: there raw sockets, by which the stack is watched, learn an MTU from it.
func (f *framer) complain(wire string, p *ipPacket) {
	if isOwn(p.from.Addr()) {
		wire = f.wireOf(p)
	}
	f.mark(p, p.mark)
	d := f.do(frame{wire, p})
	if d.Local != nil && p.load.(icmpLoad).value != 0 {
		f.h = f.h[:len(f.h)-1]
		f.frames--
	}
}

// clientError lets a client, or a router before it, complain about what it got.
func (f *framer) clientError() {
	x := f.flow()
	if x == nil {
		return
	}
	from := x.packet.from.Addr()
	if f.IntN(3) == 0 {
		from = netip.MustParseAddr("10.9.0.254")
		if x.packet.six() {
			from = netip.MustParseAddr("fd00:9::fe")
		}
	}
	about := f.reversed(x)
	if f.IntN(20) == 0 {
		about.from, about.to = about.to, about.from
	}
	p := f.errorAbout(from, x.packet.to.Addr(), about)
	p.mark = x.packet.mark
	f.complain(fromClient, p)
}

// serverError lets a server, or a router before it, complain about what it got.
func (f *framer) serverError() {
	x := f.flow()
	if x == nil || x.verdict.Action != lvs.ActionForwarded || f.isDirector(x.verdict.Server.Addr()) {
		return
	}
	to := x.packet.to
	if x.verdict.Mode == lvs.NAT() {
		to = x.verdict.Target()
	}
	from := x.verdict.Server.Addr()
	if from.Is6() != to.Addr().Is6() {
		from = to.Addr()
		if f.isDirector(from) {
			return
		}
	}
	f.complain(fromServer, f.errorAbout(from, x.packet.from.Addr(), f.plain(x.protocol(), x.packet.from, to)))
}

// isDirector reports whether an address is the director's.
func (f *framer) isDirector(a netip.Addr) bool {
	s := a.String()
	return isOwn(a) || slices.Contains(frameServers4[5:], s) || slices.Contains(frameServers6[5:], s) || slices.Contains(frameVIPs, s)
}

// tunnelError lets a server, or a router before it, complain about a tunnel of the
// director.
func (f *framer) tunnelError() {
	x := f.flow()
	if x == nil || x.verdict.Action != lvs.ActionForwarded || !x.verdict.Mode.IsTunnel() || f.isDirector(x.verdict.Server.Addr()) {
		return
	}
	server, own := x.verdict.Server.Addr(), netip.MustParseAddr("10.2.0.1")
	if server.Is6() {
		own = netip.MustParseAddr("fd00:2::1")
	}
	outer := &ipPacket{
		load: ip4Load{}, from: netip.AddrPortFrom(own, 0), to: netip.AddrPortFrom(server, 0),
		ttl: 63, inner: f.plain(x.protocol(), x.packet.from, x.packet.to),
	}
	switch {
	case x.verdict.Mode == lvs.GRE():
		outer.load = greLoad{}
	case x.verdict.Mode == lvs.GRE(lvs.TunnelChecksum):
		outer.load = greLoad{summed: true}
	case x.verdict.Mode.Port() != 0:
		outer.load, outer.from, outer.to = gueLoad{}, netip.AddrPortFrom(own, 40000), netip.AddrPortFrom(server, x.verdict.Mode.Port())
	case x.packet.six():
		outer.load = ip6Load{}
	}
	f.complain(fromServer, f.errorAbout(server, own, outer))
}

// strayError complains about what no connection knows.
func (f *framer) strayError() {
	s := one(f.Rand, f.services...)
	client := f.client(s.vip.Addr().Is6())
	to := netip.AddrPortFrom(s.vip.Addr(), one(f.Rand, s.vip.Port(), s.vip.Port(), 9999))
	p := f.errorAbout(client.Addr(), s.vip.Addr(), f.plain(s.protocol, to, client))
	p.mark = s.mark
	f.complain(fromClient, p)
}

func (f *framer) scheduleErrors() { f.do(requirement{"schedule_icmp", f.IntN(2)}) }

// isHidden reports whether a packet that reaches the director's stack is not seen there:
// sockets get no ICMPv6 message with a wrong checksum.
func isHidden(b []byte) bool {
	p, err := ippacket.Parse(b)
	return err == nil && !p.Is4() && p.Protocol == ippacket.ICMPv6 && !p.RightChecksum()
}

// sameButSum reports whether two ICMPv6 messages are the same but for the checksum, which
// the kernel leaves to a network card, and does not compute if there is none on the way.
func sameButSum(sim, seen []byte) bool {
	p, err := ippacket.Parse(sim)
	if err != nil || p.Protocol != ippacket.ICMPv6 || len(p.Payload()) < 4 || len(sim) != len(seen) {
		return false
	}
	at := p.Transport + 2
	return bytes.Equal(sim[:at], seen[:at]) && bytes.Equal(sim[at+2:], seen[at+2:])
}
