package conformance

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/internal/ippacket"
)

const (
	trialDirector = "10.2.0.254" // from where tunnels come
	trialRouter   = "10.8.0.9"   // on the clients' side
)

// complain explains an ICMP error about a packet of a flow, sends it, and compares.
func (h *trial) complain() {
	f := h.randomFlow()
	if h.IntN(4) > 0 && h.latest.Client.IsValid() {
		f = h.latest
	}
	if f.Client.Addr().String() == trialLocal {
		return
	}
	e := lvs.FlowError{Type: []uint8{3, 3, 3, 4, 11, 12}[h.IntN(6)], Code: uint8(h.IntN(5)), FromServer: h.IntN(2) == 0}
	x, err := h.host.ExplainError(context.Background(), f, e)
	must(h.T, err)
	sent, way := h.errorAbout(f, e)
	got := h.sendError(sent, way)
	h.note("%s, about %s: %s", e, f, got)
	h.judge(x, got, h.isError(x, sent, got))
}

// errorAbout is an error as who got the packet would send it, and the wire by which it
// comes. That is not certain of a server whose connection is not listed.
func (h *trial) errorAbout(f lvs.Flow, e lvs.FlowError) (p ippacket.Packet, by *trialLink) {
	kind := ippacket.NewError(e.Type, e.Code)
	if !e.FromServer {
		about := plainPacket(f.Protocol, f.VIP, f.Client)
		return kind.Make(&about, ippacket.Answer{Source: netip.MustParseAddr(trialRouter)}), &h.fromClients
	}
	about, sender := plainPacket(f.Protocol, f.Client, f.VIP), netip.MustParseAddr("10.2.0.4")
	if conns := h.connections(f); len(conns) == 1 {
		sender = conns[0].Server.Addr()
		switch h.modes[sender] {
		case lvs.NAT():
			about = plainPacket(f.Protocol, f.Client, conns[0].Server)
		case lvs.IPIP():
			t := ippacket.Tunnel{Source: netip.MustParseAddr(trialDirector), Destination: sender, Protocol: ippacket.IPIP, DF: true}
			about = t.Encapsulate(&about)
		}
	}
	if sender.String() == trialLocal || sender.IsLoopback() || sender.IsUnspecified() {
		sender = netip.MustParseAddr("10.2.0.4")
	}
	return kind.Make(&about, ippacket.Answer{Source: sender}), &h.fromServers
}

// plainPacket is a packet that must not be fragmented.
func plainPacket(protocol lvs.Protocol, from, to netip.AddrPort) ippacket.Packet {
	b := make([]byte, 20)
	b[0], b[1], b[2], b[3] = byte(from.Port()>>8), byte(from.Port()), byte(to.Port()>>8), byte(to.Port())
	b[12] = 5 << 4
	p := ippacket.Build(ippacket.Header{Source: from.Addr(), Destination: to.Addr(), Protocol: uint8(protocol), TTL: startTTL, DF: true}, b)
	p.FillChecksum()
	return p
}

// sendError sends an error, and sees on both sides which errors come of it.
func (h *trial) sendError(p ippacket.Packet, by *trialLink) (got seenFate) {
	h.drain()
	h.sent++
	h.inject(by, p.Bytes)
	for range 4 {
		for b := h.fromServers.next(); b != nil; b = h.fromServers.next() {
			got.servers += errorText(b)
		}
		for b := h.fromClients.next(); b != nil; b = h.fromClients.next() {
			got.client += errorText(b)
		}
		if got != (seenFate{}) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	return got
}

// errorText describes an ICMP error and what it quotes, and in which tunnel it is.
func errorText(b []byte) string {
	p, err := ippacket.Parse(b)
	if err != nil {
		return err.Error()
	}
	if p.Protocol == ippacket.IPIP {
		return fmt.Sprintf("to %s: %s", p.Destination, errorText(p.Payload()))
	}
	kind, code, _, ok := p.ICMP()
	if !ok {
		return ""
	}
	text := fmt.Sprintf("%d/%d %s>%s", kind, code, p.Source, p.Destination)
	if q, ok := p.Quoted(); ok {
		source, destination, _ := q.FirstPorts()
		text += fmt.Sprintf(" (%d %s:%d>%s:%d)", q.Protocol, q.Source, source, q.Destination, destination)
	}
	return text
}

// isError reports whether one of the verdicts is what was seen of an error.
func (h *trial) isError(x lvs.Explanation, sent ippacket.Packet, got seenFate) bool {
	return slices.ContainsFunc(x.Verdicts, func(v lvs.Verdict) bool {
		var want seenFate
		switch f, to := x.Flow, v.Server.Addr(); {
		case v.Action == lvs.ActionForwarded && (to.String() == trialLocal || to.IsLoopback()): // the director is the server
		case v.Action == lvs.ActionForwarded && (v.Mode == lvs.DR() || v.Mode == lvs.ModeBypass()):
			want.servers = errorText(sent.Bytes)
		case v.Action == lvs.ActionForwarded && v.Mode == lvs.IPIP():
			want.servers = fmt.Sprintf("to %s: %s", to, errorText(sent.Bytes))
		case v.Action == lvs.ActionForwarded:
			want.servers = fmt.Sprintf("%d/%d %s>%s (%d %s>%s)", x.Error.Type, x.Error.Code, sent.Source, to, f.Protocol, v.Target(), f.Client)
		case v.Action == lvs.ActionRefused, v.Action == lvs.ActionReplied && v.Mode == lvs.NAT():
			want.client = fmt.Sprintf("%d/%d %s>%s (%d %s>%s)", x.Error.Type, x.Error.Code, f.VIP.Addr(), f.Client.Addr(), f.Protocol, f.Client, f.VIP)
		case v.Action == lvs.ActionReplied, v.Action == lvs.ActionPassed && sent.Destination == f.Client.Addr():
			want.client = errorText(sent.Bytes)
		case v.Reason == lvs.ReasonNotLocal:
			want.client = got.client // the director forwards it, perhaps by the way that it came
		}
		return got == want
	})
}
