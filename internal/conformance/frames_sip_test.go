package conformance

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/golvs/lvs"
)

// Services with the persistence engine sip tie clients by the Call-ID of their messages, and
// their servers speak first.

// addCalled adds a service with the engine.
func (f *framer) addCalled() {
	vip := netip.MustParseAddr(one(f.Rand, frameVIPs...))
	s := &frameService{protocol: protocolUDP, called: true, vip: netip.AddrPortFrom(vip, one(f.Rand, uint16(5060), 5060, 5061))}
	f.enter(s, "udp "+s.vip.String())
}

// varyCalled is vary for a service with the engine, which may lose it.
func (f *framer) varyCalled(s attributes) attributes {
	const persistent, onePacket, often = 1, 4, 8
	flags := uint32(0)
	if f.IntN(often) > 0 {
		flags |= persistent
	}
	if f.IntN(2) == 0 {
		flags |= onePacket
	}
	s = s.without(sEngine).set(sTimeout, u32(300)).set(sFlags, flagBytes(flags))
	if f.IntN(often) > 0 {
		s = s.plus(sEngine, text("sip"))
	}
	return s
}

// speak makes a packet a message.
func (f *framer) speak(p *ipPacket) *ipPacket {
	const most = 600 // bytes, so that every wire takes it
	p.payload, p.data = sipText(f.Rand), min(p.data, most)
	p.payload = p.payload[:min(most, len(p.payload))]
	return p
}

// answer makes a packet of a flow by messages one too, mostly of the same call.
func (f *framer) answer(x *flow, p *ipPacket) {
	if x.packet.payload == "" {
		return
	}
	if f.speak(p); f.IntN(3) > 0 {
		p.payload = x.packet.payload
	}
}

// called returns a service that has the engine, or had it; nil if there is none.
func (f *framer) called() *frameService {
	var all []*frameService
	for _, s := range f.services {
		if s.called {
			all = append(all, s)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return one(f.Rand, all...)
}

// caller returns an end of a client, which is one of few.
func (f *framer) caller(six bool) netip.AddrPort {
	network := one(f.Rand, "10.9.0.%d", "10.1.9.%d")
	if six {
		network = one(f.Rand, "fd00:9::%d", "fd00:1::9:%d")
	}
	return netip.AddrPortFrom(netip.MustParseAddr(fmt.Sprintf(network, 1+f.IntN(3))), uint16(5060+f.IntN(3)))
}

// call lets clients send messages.
func (f *framer) call() {
	s := f.called()
	if s == nil {
		return
	}
	for range 1 + f.IntN(3) {
		x := f.send(f.packetTo(s, flagSYN, f.caller(s.vip.Addr().Is6())))
		f.flows = append(f.flows, x)
		if x.verdict.Reason != lvs.ReasonConnection {
			f.forget()
		}
	}
}

// callBack lets a server of any mode send a message of its own.
func (f *framer) callBack() {
	s := f.called()
	if s == nil || len(s.servers) == 0 {
		return
	}
	d := one(f.Rand, s.servers...)
	addr, _ := netip.AddrFromSlice(d.get(dAddr))
	port := binary.BigEndian.Uint16(d.get(dPort))
	if port == 0 || f.IntN(10) == 0 {
		port = one(f.Rand, uint16(5060), 5061, 8081)
	}
	client := f.caller(addr.Is6())
	if f.IntN(4) == 0 {
		client = f.localClient(addr.Is6())
	}
	p := f.speak(f.packet(protocolUDP, 0, netip.AddrPortFrom(addr, port), client))
	switch {
	case isOwn(addr):
		f.do(frame{f.wireOf(p), p})
	case !f.isDirector(addr):
		f.fromServer(p)
	}
}
