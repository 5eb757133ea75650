package lvs

import (
	"context"
	"net/netip"
	"slices"

	"github.com/golvs/lvs/internal/ippacket"
)

// error explains an ICMP error about a packet of a flow and lets it come.
func (e *explained) error() {
	f := e.randomFlow()
	if e.IntN(2) == 0 && e.last.Client.IsValid() {
		f = e.last
	}
	about := FlowError{Type: []uint8{3, 3, 3, 3, 4, 11, 12}[e.IntN(7)], Code: uint8(e.IntN(5)), FromServer: e.IntN(2) == 0}
	x := e.explain(f, &about)
	packet := e.errorAbout(f, about)
	mark := f.FWMark
	if about.FromServer {
		mark = 0
	}
	d, err := e.sim.DeliverIP(packet, mark)
	must(e.T, err)
	other, err := e.plain.DeliverIP(packet, mark)
	must(e.T, err)
	if d.Verdict != other.Verdict {
		e.Fatalf("the error was %s, and without explanations %s", d.Verdict, other.Verdict)
	}
	if d.Verdict.Action == ActionForwarded {
		e.forwarded[f] = d.Verdict
	}
	e.comes(x, d.Verdict)
}

// errorAbout is an error as the sender makes it of what it got.
func (e *explained) errorAbout(f Flow, about FlowError) []byte {
	kind := ippacket.NewError(about.Type, about.Code)
	sender := ippacket.Answer{Source: netip.MustParseAddr("10.7.0.1")} // a router
	if !about.FromServer {
		p := bytesOf(f.Protocol, f.VIP, f.Client)
		p = kind.Make(&p, sender)
		return p.Bytes
	}
	p := bytesOf(f.Protocol, f.Client, f.VIP)
	switch v := e.forwarded[f]; {
	case !e.isListed(f):
	case v.Mode == NAT():
		p = bytesOf(f.Protocol, f.Client, v.Target())
	case v.Mode == IPIP():
		t := ippacket.Tunnel{Source: netip.MustParseAddr("10.2.0.254"), Destination: v.Server.Addr(), Protocol: ippacket.IPIP, DF: true}
		p = t.Encapsulate(&p)
	}
	p = kind.Make(&p, sender)
	return p.Bytes
}

// isListed reports whether a flow has a connection.
func (e *explained) isListed(f Flow) bool {
	all, err := CollectConnections(e.sim.Host().Connections(context.Background(), ConnectionFilter{}))
	must(e.T, err)
	return slices.ContainsFunc(all, f.owns)
}

// bytesOf is a packet that must not be fragmented.
func bytesOf(protocol Protocol, from, to netip.AddrPort) ippacket.Packet {
	b := make([]byte, 20)
	b[0], b[1], b[2], b[3] = byte(from.Port()>>8), byte(from.Port()), byte(to.Port()>>8), byte(to.Port())
	b[12] = 5 << 4
	p := ippacket.Build(ippacket.Header{Source: from.Addr(), Destination: to.Addr(), Protocol: uint8(protocol), TTL: 9, DF: true}, b)
	p.FillChecksum()
	return p
}
