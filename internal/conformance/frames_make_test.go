package conformance

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/internal/release"
)

// framer makes a history of frames. It plays the history to a simulator of its own, to
// know what real servers would get.
type framer struct {
	*rand.Rand
	sim      *player
	h        history
	services []*frameService
	flows    []*flow
	clients  int
	marks    uint32 // of services
	frames   int
	counted  bool              // statistics are compared at the end
	nodest   bool              // expire_nodest_conn is on
	methods  map[string]uint32 // of servers, now and before
	local    localPart

	tunnels   map[string]attributes // by address
	fragments uint16                // the ID of the last packet that came in some
}

// frameService is a service, and the servers that it has.
type frameService struct {
	requirements attributes // all that is said of it
	key          attributes
	protocol     uint8
	mark         uint32
	called       bool // by SIP, mostly with the persistence engine for it
	vip          netip.AddrPort
	servers      []attributes
}

// flow is a client's packet, and what became of it.
type flow struct {
	frame
	verdict lvs.Verdict
}

// frameActions are what can happen, and how often. Each adds steps.
var frameActions = []struct {
	often int
	act   func(*framer)
}{
	{30, (*framer).open},
	{30, (*framer).follow},
	{25, (*framer).reply},
	{5, (*framer).stray},
	{3, (*framer).addServer},
	{3, (*framer).editServer},
	{2, (*framer).removeServer},
	{1, (*framer).editService},
	{1, (*framer).remakeService},
	{2, (*framer).setSwitch},
	{2, (*framer).defend},
	{10, (*framer).clientError},
	{8, (*framer).serverError},
	{6, (*framer).tunnelError},
	{3, (*framer).strayError},
	{1, (*framer).scheduleErrors},
	{15, (*framer).openLocal},
	{6, (*framer).openMarked},
	{2, (*framer).serveLocal},
	{12, (*framer).replyLocal},
	{8, (*framer).secure},
	{6, (*framer).fragment},
	{12, (*framer).call},
	{10, (*framer).callBack},
}

// makeFrames makes a history, and counts its frames.
func makeFrames(t testing.TB, r release.Release, seed uint64) (history, int) {
	s := &scope{TB: t}
	defer s.end()
	const statistics = 20 // one of so many
	f := &framer{
		Rand: rand.New(rand.NewPCG(seed, 3)), sim: newPlayer(s, openWiredSimulator(s, r)),
		counted: seed%statistics == 0, methods: make(map[string]uint32), tunnels: make(map[string]attributes),
	}
	if r.OwnTables() { // of two entries alike, which one is found changes when the table grows
		f.do(requirement{"conn_lfactor", 8})
	}
	f.make()
	return f.h, f.frames
}

func (f *framer) make() {
	for range 2 + f.IntN(3) {
		f.addService()
	}
	for range f.IntN(3) {
		f.addMarked()
	}
	for range f.IntN(3) {
		f.addCalled()
	}
	total := 0
	for _, a := range frameActions {
		total += a.often
	}
	const actions, surveyed = 300, 50
	for i := range actions {
		n := f.IntN(total)
		for _, a := range frameActions {
			if n -= a.often; n < 0 {
				a.act(f)
				break
			}
		}
		if i%surveyed == surveyed-1 {
			f.do(survey{})
		}
	}
	if f.counted {
		f.do(wait(5 * time.Second)) // the estimator looks every two
		f.do(survey{true})
	}
}

// do adds a step, and plays it.
func (f *framer) do(s step) (d lvs.SimDelivery) {
	f.h = append(f.h, s)
	switch s := s.(type) {
	case control:
		f.sim.call([]control{s})
	case frame:
		d, _ = f.sim.side.(*simulatorSide).inject(s)
		f.frames++
	case requirement:
		f.sim.set(s)
	case wait:
		f.sim.Wait(time.Duration(s))
	}
	return d
}

var (
	frameVIPs = []string{"10.1.254.1", "10.1.254.2", "10.1.253.7", "fd00:1::fe:1", "fd00:1::fe:2", "fd00:1:0:1::7"}

	// Real servers: on the link, behind a router, the director itself, and nowhere.
	frameServers4 = []string{"10.2.0.2", "10.2.0.3", "10.2.0.4", "10.2.0.5", "10.3.0.2", "10.2.0.1", "10.1.254.1", "10.4.0.1"}
	frameServers6 = []string{"fd00:2::2", "fd00:2::3", "fd00:2::4", "fd00:2::5", "fd00:3::2", "fd00:2::1", "fd00:1::fe:1", "fd00:4::1"}

	frameSchedulers = []string{"rr", "wrr", "lc", "wlc", "sh", "sed"}
)

func (f *framer) addService() { f.addServiceOf(one(f.Rand, frameVIPs...)) }

func (f *framer) addServiceOf(vip string) {
	s := &frameService{protocol: f.anyProtocol()}
	s.vip = netip.AddrPortFrom(netip.MustParseAddr(vip), one(f.Rand, uint16(80), 53, 8080))
	if s.protocol == protocolUDP && f.IntN(2) == 0 {
		s.vip = netip.AddrPortFrom(s.vip.Addr(), isakmp)
	}
	f.enter(s, map[uint8]string{protocolTCP: "tcp ", protocolUDP: "udp ", protocolSCTP: "sctp "}[s.protocol]+s.vip.String())
}

// enter adds a service by its name, with servers.
func (f *framer) enter(s *frameService, name string) {
	s.key = keyOf(name)
	s.requirements = f.vary(s, serviceOf(name))
	f.services = append(f.services, s)
	f.do(serviceCall(cNewService, s.requirements))
	for range 1 + f.IntN(4) {
		f.serve(s)
	}
}

// vary gives a service a scheduler, and perhaps persistence or one-packet scheduling.
func (f *framer) vary(of *frameService, s attributes) attributes {
	const persistent, onePacket = 1, 4
	s = s.set(sScheduler, text(one(f.Rand, frameSchedulers...))).set(sTimeout, u32(0))
	if of.called {
		return f.varyCalled(s)
	}
	flags := one(f.Rand, uint32(0), 0, 0, persistent, onePacket)
	if flags&persistent != 0 {
		s = s.set(sTimeout, u32(300))
	}
	return s.set(sFlags, flagBytes(flags))
}

// server returns a server that fits a service, in any mode. One that comes back has its
// old mode: connections by DR share the route of those by NAT then, and may not find the
// server, which is not simulated.
func (f *framer) server(s *frameService) attributes {
	for {
		d := f.anyServer(s)
		key, method := fmt.Sprint(s.key, d.get(dAddr), d.get(dPort)), binary.NativeEndian.Uint32(d.get(dMethod))
		if was, ok := f.methods[key]; !ok || was == method {
			f.methods[key] = method
			return d
		}
	}
}

func (f *framer) anyServer(s *frameService) attributes {
	six := s.vip.Addr().Is6()
	method := one(f.Rand, uint32(masquerade), masquerade, masquerade, tunnel, tunnel, tunnel, direct, direct)
	mixed := method == tunnel && f.IntN(3) == 0
	addresses := frameServers4
	if six != mixed {
		addresses = frameServers6
	}
	address := addresses[f.IntN(4)]
	if f.IntN(5) == 0 {
		address = one(f.Rand, addresses...)
	}
	port := s.vip.Port()
	if s.mark != 0 && f.IntN(3) > 0 {
		port = 0 // to which the packet comes
	}
	if method == masquerade && f.IntN(2) == 0 {
		port = 8081
	}
	d := destOf(netip.AddrPortFrom(netip.MustParseAddr(address), port).String()).set(dMethod, u32(method))
	if mixed {
		d = d.plus(dAF, u16(afOf(netip.MustParseAddr(address))))
	}
	if method == tunnel {
		d = append(d, f.tunnelTo(address)...)
	}
	return d.set(dWeight, u32(uint32(1+f.IntN(3))))
}

// tunnelTo returns the tunnel to an address. All servers of the address have it: of errors
// about others the kernel finds one server alone.
func (f *framer) tunnelTo(address string) attributes {
	if f.tunnels[address] == nil {
		f.tunnels[address] = one(f.Rand,
			attributes{{dTunType, u8(tunIPIP)}},
			attributes{{dTunType, u8(tunGUE)}, {dTunPort, be16(guePort)}},
			attributes{{dTunType, u8(tunGUE)}, {dTunPort, be16(guePort)}, {dTunFlags, u16(1)}},
			attributes{{dTunType, u8(tunGRE)}},
			attributes{{dTunType, u8(tunGRE)}, {dTunFlags, u16(1)}})
	}
	return f.tunnels[address]
}

func (f *framer) serve(s *frameService) {
	d := f.server(s)
	f.do(serviceCall(cNewDest, s.key, d))
	s.servers = append(s.servers, d)
}

func (f *framer) addServer() { f.serve(one(f.Rand, f.services...)) }

func (f *framer) editServer() {
	s := one(f.Rand, f.services...)
	if len(s.servers) > 0 {
		d := one(f.Rand, s.servers...)
		f.do(serviceCall(cSetDest, s.key, d.set(dWeight, u32(uint32(f.IntN(4))))))
	}
}

func (f *framer) removeServer() {
	s := one(f.Rand, f.services...)
	if len(s.servers) > 1 || len(s.servers) == 1 && f.IntN(4) == 0 {
		i := f.IntN(len(s.servers))
		f.do(serviceCall(cDelDest, s.key, s.servers[i]))
		f.forget()
		s.servers = slices.Delete(s.servers, i, i+1)
	}
}

// forget lets connections without a server end.
func (f *framer) forget() {
	if f.nodest {
		f.calm()
	}
}

// calm lets connections end that the kernel ends a moment later: a survey waits for that.
func (f *framer) calm() {
	f.do(wait(time.Millisecond))
	f.do(survey{})
}

func (f *framer) editService() {
	s := one(f.Rand, f.services...)
	s.requirements = f.vary(s, s.requirements)
	f.do(serviceCall(cSetService, s.requirements))
}

// remakeService is nothing for statistics: what a server that comes back counts from
// depends on when the estimator looked last.
func (f *framer) remakeService() {
	if f.counted {
		return
	}
	s := one(f.Rand, f.services...)
	f.do(serviceCall(cDelService, s.key))
	f.forget()
	f.do(serviceCall(cNewService, s.requirements))
	s.servers = nil
	for range 1 + f.IntN(3) {
		f.serve(s)
	}
}

func (f *framer) setSwitch() {
	switches := []requirement{
		{"nat_icmp_send", f.IntN(2)}, {"conn_reuse_mode", f.IntN(2)}, {"expire_nodest_conn", f.IntN(2)},
		{"expire_quiescent_template", f.IntN(2)}, {"sloppy_tcp", f.IntN(2)}, {"cache_bypass", f.IntN(2)},
	}
	s := one(f.Rand, switches...)
	if s.name == "expire_nodest_conn" {
		f.nodest = s.value == 1
	}
	f.do(s)
}

// client returns an end of a client, which is new unless it comes back.
func (f *framer) client(six bool) netip.AddrPort {
	f.clients++
	n := f.clients
	networks := []string{"10.9.0.%d", "10.9.0.%d", "10.1.9.%d"}
	if six {
		networks = []string{"fd00:9::%d", "fd00:9::%d", "fd00:1::9:%d"}
	}
	return netip.AddrPortFrom(netip.MustParseAddr(fmt.Sprintf(one(f.Rand, networks...), 1+n%20)), uint16(1024+n))
}

// packet returns a packet of a protocol with what IP headers and data can be.
func (f *framer) packet(protocol, flags uint8, from, to netip.AddrPort) *ipPacket {
	p := &ipPacket{load: udpLoad{}, from: from, to: to, ttl: usualTTL, data: f.IntN(40)}
	switch {
	case protocol == protocolTCP:
		p.load = newTCP(flags)
	case protocol == protocolSCTP:
		p.load = f.associates(flags)
	case f.IntN(10) == 0 && !p.six():
		p.load = udpLoad{unsummed: true}
	}
	if f.IntN(4) == 0 {
		p.tos = uint8(f.IntN(256))
	}
	if p.six() {
		p.flow = one(f.Rand, 0, 0, f.Uint32N(1<<20))
	} else {
		p.df, p.id = f.IntN(2) == 0, uint16(f.IntN(1<<16))
	}
	switch f.IntN(40) {
	case 0, 1:
		p.ttl = uint8(1 + f.IntN(2))
	case 2:
		p.data = 1300 + f.IntN(140) // at most 1500 bytes with headers
	case 3:
		p.bad = badLoad
	}
	return p
}

// fromServer lets a server send a packet, which is not too long for its wire.
func (f *framer) fromServer(p *ipPacket) {
	p.data = min(p.data, wireMTUs[toServers]-100)
	f.mark(p, p.mark)
	f.do(frame{fromServer, p})
}

// send lets a client send a packet.
func (f *framer) send(p *ipPacket) *flow {
	x := &flow{frame: frame{f.wireOf(p), p}}
	d := f.do(x.frame)
	x.verdict = d.Verdict
	return x
}

func (f *framer) open() {
	for range 1 + f.IntN(3) {
		s := one(f.Rand, f.services...)
		from := f.client(s.vip.Addr().Is6())
		if s.vip.Port() == isakmp {
			from = f.exchanging(from)
		}
		f.flows = append(f.flows, f.send(f.packetTo(s, flagSYN, from)))
	}
}

// flow returns a recent one; nil if there is none.
func (f *framer) flow() *flow {
	if len(f.flows) == 0 {
		return nil
	}
	const recent = 30
	return f.flows[len(f.flows)-1-f.IntN(min(recent, len(f.flows)))]
}

func (x *flow) protocol() uint8 { return x.packet.protocol() }

func (f *framer) tcpFlags() uint8 {
	return one(f.Rand, uint8(flagACK), flagACK, flagACK, flagACK|8, flagFIN|flagACK, flagFIN|flagACK, flagRST, flagSYN)
}

// follow sends another packet of a client.
func (f *framer) follow() {
	x := f.flow()
	if x == nil {
		return
	}
	y := f.send(f.again(x, x.protocol(), f.tcpFlags()))
	x.verdict = y.verdict
	if y.verdict.Reason != lvs.ReasonConnection {
		f.calm() // what ended is gone then
	}
}

// reply sends a packet of a server.
func (f *framer) reply() {
	x := f.flow()
	if x == nil || x.verdict.Action != lvs.ActionForwarded || x.verdict.Mode != lvs.NAT() {
		return
	}
	if f.isDirector(x.verdict.Server.Addr()) {
		return
	}
	flags := f.tcpFlags()
	if flags == flagSYN {
		flags |= flagACK
	}
	p := f.packet(x.protocol(), flags, x.verdict.Target(), x.packet.from)
	f.answer(x, p)
	f.fromServer(p)
}

// stray sends a packet that belongs to nothing.
func (f *framer) stray() {
	s := one(f.Rand, f.services...)
	six := s.vip.Addr().Is6()
	if f.IntN(2) == 0 {
		to := netip.AddrPortFrom(s.vip.Addr(), one(f.Rand, uint16(80), 53, 8080, 9999))
		f.send(f.packet(s.protocol, one(f.Rand, uint8(flagSYN), flagACK, flagRST, 0), f.client(six), to))
		return
	}
	const others = 5 // than the director
	server := frameServers4[f.IntN(others)]
	if six {
		server = frameServers6[f.IntN(others)]
	}
	from := netip.AddrPortFrom(netip.MustParseAddr(server), one(f.Rand, s.vip.Port(), 8081))
	f.fromServer(f.packet(s.protocol, one(f.Rand, uint8(flagACK), flagRST, flagSYN|flagACK), from, f.client(six)))
}
