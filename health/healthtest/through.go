package healthtest

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"github.com/golvs/lvs"
)

// Path is a way into a [Network] that leads through IPVS. It implements health.Network for
// "tcp" and "udp".
type Path struct {
	network *Network
	sim     *lvs.Simulator
	from    netip.Addr
	mark    uint32
}

// Through returns a way into the network that leads through the IPVS of a simulated
// director. Packets come from the address from, with a firewall mark, where 0 is none.
// Those for a VIP reach the server that IPVS picks, in the mode of that server. Where IPVS
// picks none, connecting fails as it does with the kernel: it is refused, or waits in
// vain. It also waits in vain for a server with [NoVIP] or [TunnelDown], if that matters in
// the mode.
//
// Inside [testing/synctest] the simulator should have the clock [time.Now].
func (n *Network) Through(sim *lvs.Simulator, from netip.Addr, mark uint32) *Path {
	return &Path{network: n, sim: sim, from: from, mark: mark}
}

// DialContext connects to the server that IPVS picks for a VIP.
func (p *Path) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return dial{network: network, way: p}.connect(ctx, p.network, address)
}

func (p *Path) source(netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(p.from, p.network.nextPort())
}

func (p *Path) open(protocol lvs.Protocol, from, to netip.AddrPort, size int) (*arrival, error) {
	f := &flow{sim: p.sim, protocol: protocol, client: from, vip: to, mark: p.mark}
	v, err := f.forward(lvs.SimSYN, size)
	switch {
	case err != nil:
		return nil, fmt.Errorf("send it through IPVS: %w", err)
	case v.Action == lvs.ActionDropped:
		return nil, nil
	case v.Action != lvs.ActionForwarded:
		return nil, errRefused
	}
	f.server, f.nat = v.Target(), v.Mode == lvs.NAT()
	a, err := p.network.reach(f.server, func(b Behaviour) kind { return b.on(v.Mode) })
	if a != nil {
		a.request, a.answer = fromClient{f}, fromServer{f}
	}
	return a, err
}

// flow is the packets of a connection through IPVS.
type flow struct {
	sim         *lvs.Simulator
	protocol    lvs.Protocol
	client, vip netip.AddrPort
	server      netip.AddrPort
	mark        uint32
	nat         bool // answers come through IPVS
}

// forward sends a packet to the VIP.
func (f *flow) forward(flags lvs.SimTCPFlags, size int) (lvs.Verdict, error) {
	return f.deliver(lvs.SimPacket{Source: f.client, Destination: f.vip, TCP: flags, FWMark: f.mark}, size)
}

// back sends a packet of the server's, and reports whether it arrives.
func (f *flow) back(flags lvs.SimTCPFlags, size int) bool {
	if !f.nat {
		return true
	}
	v, err := f.deliver(lvs.SimPacket{Source: f.server, Destination: f.client, TCP: flags}, size)
	return err == nil && v.Action == lvs.ActionReplied
}

func (f *flow) deliver(p lvs.SimPacket, size int) (lvs.Verdict, error) {
	headers := 20 + 20 // IPv4 and TCP
	if p.Destination.Addr().Unmap().Is6() {
		headers += 20
	}
	if p.Protocol = f.protocol; p.Protocol == lvs.ProtocolUDP {
		p.TCP, headers = 0, headers-12
	}
	p.Length = min(headers+size, 1<<16-1)
	return f.sim.Deliver(p)
}

// fromClient is what the client sends.
type fromClient struct{ *flow }

func (r fromClient) data(n int) bool {
	v, err := r.forward(lvs.SimACK, n)
	return err == nil && v.Action == lvs.ActionForwarded && v.Target() == r.server
}

func (r fromClient) end(reset bool) { _, _ = r.forward(lastFlags(reset), 0) }

// fromServer is what the server sends.
type fromServer struct{ *flow }

func (a fromServer) data(n int) bool {
	if n == 0 {
		return a.back(lvs.SimSYN|lvs.SimACK, 0)
	}
	return a.back(lvs.SimACK, n)
}

func (a fromServer) end(reset bool) { a.back(lastFlags(reset), 0) }

func lastFlags(reset bool) lvs.SimTCPFlags {
	if reset {
		return lvs.SimRST | lvs.SimACK
	}
	return lvs.SimFIN | lvs.SimACK
}
