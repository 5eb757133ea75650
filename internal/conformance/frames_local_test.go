package conformance

import (
	"net/netip"
	"slices"

	"github.com/golvs/lvs"
)

// Programs of the director are clients and real servers too. What they send is a frame
// from the director, whichever action of the framer makes it.

// localPart is what the framer knows of programs of the director.
type localPart struct {
	opened int
	marked map[bool]*frameService // by family: services of the mark localMark; for IPv6 it is true
}

const localMark = 7

var (
	localClients4 = []string{"10.2.0.1", "10.1.0.1", "10.1.254.1", "10.1.253.9", "127.0.0.1"}
	localClients6 = []string{"fd00:2::1", "fd00:1::1", "fd00:1::fe:1", "fd00:1:0:1::9", "::1"}

	// VIPs of other hosts, for which IPVS sees what the director itself sends.
	foreignVIPs4 = []string{"10.2.0.77", "10.3.0.77", "10.9.0.77"}
	foreignVIPs6 = []string{"fd00:2::77", "fd00:3::77", "fd00:9::77"}
)

// ofFamily returns one of some addresses.
func (f *framer) ofFamily(six bool, v4, v6 []string) netip.Addr {
	if six {
		v4 = v6
	}
	return netip.MustParseAddr(one(f.Rand, v4...))
}

// wireOf returns by which wire a client's packet comes, or that the director sends it. An
// ID of 0 would be replaced by the director's stack. It refuses a packet that is too long for
// the way to its destination, and learns an MTU from one that is too long for another.
func (f *framer) wireOf(p *ipPacket) string {
	if !isOwn(p.from.Addr()) {
		return fromClient
	}
	const short = 1200
	if !p.six() {
		p.id |= 1
	}
	if p.six() || p.df || !isOwn(p.to.Addr()) {
		p.data = min(p.data, short)
	}
	return fromDirector
}

// localClient returns an end of a program.
func (f *framer) localClient(six bool) netip.AddrPort {
	const first, ports = 3000, 100
	f.local.opened++
	return netip.AddrPortFrom(f.ofFamily(six, localClients4, localClients6), uint16(first+f.local.opened%ports))
}

// openLocal lets a program connect to a service.
func (f *framer) openLocal() {
	for range 1 + f.IntN(2) {
		s := one(f.Rand, f.services...)
		f.flows = append(f.flows, f.send(f.packetTo(s, flagSYN, f.localClient(s.vip.Addr().Is6()))))
	}
}

// openMarked lets a program connect to anything with a mark, whose service often has no
// usable server.
func (f *framer) openMarked() {
	six := f.IntN(2) == 0
	s := f.markedService(six)
	if f.IntN(4) == 0 {
		f.do(serviceCall(cSetDest, s.key, s.servers[0].set(dWeight, u32(uint32(f.IntN(2))))))
	}
	to := f.ofFamily(six, append(foreignVIPs4, localClients4...), append(foreignVIPs6, localClients6...))
	p := f.packet(one(f.Rand, uint8(protocolTCP), protocolUDP), flagSYN, f.localClient(six), netip.AddrPortFrom(to, one(f.Rand, uint16(80), 53)))
	p.mark = localMark
	f.flows = append(f.flows, f.send(p))
}

// markedService returns the service of the mark.
func (f *framer) markedService(six bool) *frameService {
	if s := f.local.marked[six]; s != nil {
		return s
	}
	name, server, others := "mark4 7", "10.2.0.2:0", localClients4
	if six {
		name, server, others = "mark6 7", "[fd00:2::2]:0", localClients6
	}
	s := &frameService{key: keyOf(name), requirements: serviceOf(name)}
	f.do(serviceCall(cNewService, s.requirements))
	if f.IntN(2) == 0 {
		server = netip.AddrPortFrom(netip.MustParseAddr(one(f.Rand, others...)), 0).String()
	}
	d := destOf(server).set(dMethod, u32(one(f.Rand, uint32(masquerade), direct, tunnel))).set(dWeight, u32(0))
	d = append(d, f.tunnelTo(netip.MustParseAddrPort(server).Addr().String())...)
	f.do(serviceCall(cNewDest, s.key, d))
	s.servers = append(s.servers, d)
	if f.local.marked == nil {
		f.local.marked = make(map[bool]*frameService)
	}
	f.local.marked[six] = s
	return s
}

// serveLocal adds a service whose VIP another host has, or gives a service a real server at
// a loopback address.
func (f *framer) serveLocal() {
	if f.IntN(2) == 0 {
		f.addServiceOf(f.ofFamily(f.IntN(2) == 0, foreignVIPs4, foreignVIPs6).String())
		return
	}
	s := one(f.Rand, f.services...)
	address, port := f.ofFamily(s.vip.Addr().Is6(), []string{"127.0.0.1", "127.0.0.9"}, []string{"::1"}), s.vip.Port()
	method := f.methodOf(s, address.String(), one(f.Rand, uint32(masquerade), masquerade, direct, tunnel, localNode))
	d := destOf(netip.AddrPortFrom(address, port).String()).set(dMethod, u32(method)).set(dWeight, u32(uint32(1+f.IntN(3))))
	d = append(d, f.tunnelTo(address.String())...)
	f.do(serviceCall(cNewDest, s.key, d))
	if !slices.ContainsFunc(s.servers, func(e attributes) bool { return slices.Equal(e.get(dAddr), d.get(dAddr)) }) {
		s.servers = append(s.servers, d)
	}
}

// methodOf returns the method of a server, which keeps the one that it had.
func (f *framer) methodOf(s *frameService, address string, method uint32) uint32 {
	key := s.vip.String() + string([]byte{s.protocol}) + address
	if was, ok := f.methods[key]; ok {
		return was
	}
	f.methods[key] = method
	return method
}

// replyLocal lets a program that serves send a packet, or a host whose VIP it is.
func (f *framer) replyLocal() {
	x := f.flow()
	if x == nil || x.verdict.Action != lvs.ActionForwarded {
		return
	}
	from, flags := x.packet.to, f.tcpFlags()
	if x.verdict.Mode == lvs.NAT() {
		from = x.verdict.Target()
	}
	if flags == flagSYN {
		flags |= flagACK
	}
	p := f.packet(x.protocol(), flags, from, x.packet.from)
	f.answer(x, p)
	switch {
	case isOwn(from.Addr()) && isOwn(x.verdict.Server.Addr()):
		f.do(frame{f.wireOf(p), p})
	case !isOwn(from.Addr()) && x.wire == fromDirector:
		f.fromServer(p)
	}
}

// isOwn reports whether an address is the director's, by an interface or a local route.
func isOwn(a netip.Addr) bool {
	own := slices.Concat(localClients4, localClients6, frameVIPs)
	return a.IsLoopback() || slices.Contains(own, a.String()) ||
		slices.ContainsFunc(vipRoutes, func(r string) bool { return netip.MustParsePrefix(r).Contains(a) })
}
