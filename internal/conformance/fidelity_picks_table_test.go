package conformance

import (
	"fmt"
	"net/netip"
	"time"
)

func (p *picker) addService() {
	s := &pickService{
		six: p.IntN(4) == 0, protocol: one(p.Rand, p.protocols()...),
		port: one(p.Rand, uint16(80), 80, 80, 53, 8080, 0, 21),
	}
	if p.ipsec && p.IntN(3) > 0 {
		s.port = isakmp
	}
	s.vip = p.virtual(s.six)
	af := uint16(inet4)
	if s.six {
		af = inet6
	}
	s.ids = attributes{
		{sAF, u16(af)}, {sProtocol, u16(uint16(s.protocol))}, {sAddr, s.vip.AsSlice()}, {sPort, be16(s.port)},
	}
	if p.IntN(5) == 0 {
		s.mark = 1 + p.Uint32N(3)
		s.ids = attributes{{sAF, u16(af)}, {sFWMark, u32(s.mark)}}
	}
	s.requirements = p.requirementsOf(s, p.scheduler)
	p.services = append(p.services, s)
	p.do(serviceCall(cNewService, s.requirements))
	for range 1 + p.IntN(5) {
		s.servers = append(s.servers, p.server(s))
		p.do(serviceCall(cNewDest, s.ids, s.servers[len(s.servers)-1]))
	}
}

// settingsOf returns a whole service. One without a port of its own is mostly
// persistent: it schedules nothing otherwise.
func (p *picker) requirementsOf(s *pickService, scheduler string) attributes {
	const persistent, onePacket, fallback, withPort = 1, 4, 8, 16
	flags := one(p.Rand, uint32(0), fallback, withPort, fallback|withPort)
	timeout := uint32(0)
	if p.IntN(5) == 0 || s.port == 0 && s.mark == 0 && p.IntN(8) > 0 {
		flags |= persistent
		timeout = one(p.Rand, uint32(60), 300, 3600)
		if p.mood == moodExpiry {
			timeout = 4 // ends while there are connections
		}
	}
	if s.protocol == protocolUDP && p.IntN(4) == 0 {
		flags |= onePacket
	}
	netmask := one(p.Rand, []byte{255, 255, 255, 255}, []byte{255, 255, 255, 0}, []byte{255, 255, 0, 0})
	if s.six {
		netmask = u32(one(p.Rand, uint32(128), 128, 120, 64))
	}
	return append(s.ids[:len(s.ids):len(s.ids)],
		attribute{sScheduler, text(scheduler)}, attribute{sFlags, flagBytes(flags)},
		attribute{sTimeout, u32(timeout)}, attribute{sNetmask, netmask})
}

// The addresses of the director's networks. None is the director's own.

func (p *picker) virtual(six bool) netip.Addr {
	if six {
		return netip.MustParseAddr(fmt.Sprintf("fd00:1::fe:%x", 1+p.IntN(3)))
	}
	return netip.AddrFrom4([4]byte{10, 1, 254, byte(1 + p.IntN(3))})
}

func (p *picker) client(six bool) netip.AddrPort {
	p.port++
	a, b := byte(16+p.IntN(4)), byte(1+p.IntN(200))
	if p.IntN(2) == 0 {
		a, b = 16, byte(1+p.IntN(4)) // one that persistence may know
	}
	if six {
		return netip.AddrPortFrom(netip.MustParseAddr(fmt.Sprintf("fd00:1::c:%x%02x", a, b)), p.port)
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, a, b}), p.port)
}

// server returns a whole server, which the service may have had before.
func (p *picker) server(s *pickService) attributes {
	const one6 = 8 // chance of a server of the other family
	six := s.six
	method := one(p.Rand, uint32(direct), direct, masquerade, masquerade, tunnel)
	if p.IntN(one6) == 0 {
		six, method = !six, tunnel
	}
	n := byte(1 + p.IntN(8))
	addr := netip.AddrFrom4([4]byte{10, 2, 0, 10 + n})
	if six {
		addr = netip.MustParseAddr(fmt.Sprintf("fd00:1::5:%x", n))
	}
	port := s.port
	if p.IntN(6) == 0 {
		port = one(p.Rand, uint16(0), 8080)
	}
	d := attributes{{dAddr, addr.AsSlice()}, {dPort, be16(port)}, {dAF, u16(afOf(addr))}}
	return p.edited(d, method)
}

// edited returns a server with other settings.
func (p *picker) edited(d attributes, method uint32) attributes {
	upper := uint32(0)
	if p.IntN(5) == 0 {
		upper = 1 + p.Uint32N(6)
	}
	lower := uint32(0)
	if upper > 0 && p.IntN(2) == 0 {
		lower = p.Uint32N(upper + 1)
	}
	weight := one(p.Rand, 0, 1, 1, 1, 2, 3, 4, 5, 7, 10, 100, 1000)
	d = d.set(dMethod, u32(method)).set(dWeight, u32(uint32(weight))).set(dUpper, u32(upper)).set(dLower, u32(lower))
	if method == tunnel {
		kind := one(p.Rand, uint8(tunIPIP), tunIPIP, tunGUE, tunGRE)
		d = d.set(dTunType, u8(kind)).set(dTunPort, be16(6080)).set(dTunFlags, u16(uint16(p.IntN(2))))
	}
	return d
}

func (p *picker) addServer(s *pickService) {
	d := p.server(s)
	if len(s.servers) > 0 && p.IntN(2) == 0 {
		d = one(p.Rand, s.servers...) // it may be revived
	}
	s.servers = append(s.servers, d)
	p.do(serviceCall(cNewDest, s.ids, d))
}

func (p *picker) removeServer(s *pickService) {
	if len(s.servers) > 0 {
		p.do(serviceCall(cDelDest, s.ids, one(p.Rand, s.servers...)))
		p.settleRemoval()
	}
}

// settleRemoval waits for what expire_nodest_conn makes the kernel do later.
func (p *picker) settleRemoval() {
	if p.nodest {
		p.do(wait(200 * time.Millisecond))
	}
}

func (p *picker) editServer(s *pickService) {
	if len(s.servers) > 0 {
		i := p.IntN(len(s.servers))
		method := one(p.Rand, uint32(direct), masquerade, tunnel)
		if p.IntN(3) > 0 { // mostly what it is
			method = uint32(s.servers[i].get(dMethod)[0])
		}
		s.servers[i] = p.edited(s.servers[i], method)
		p.do(serviceCall(cSetDest, s.ids, s.servers[i]))
	}
}

// editService gives a service other settings, or another scheduler for a while.
func (p *picker) editService(s *pickService) {
	if p.IntN(3) == 0 {
		other := one(p.Rand, "rr", "wrr", "lc", "none", "sh")
		p.do(serviceCall(cSetService, p.requirementsOf(s, other)))
		for range p.IntN(3) {
			p.open(s)
		}
	}
	s.requirements = p.requirementsOf(s, p.scheduler)
	p.do(serviceCall(cSetService, s.requirements))
}

// remakeService removes a service and adds it again, with some servers.
func (p *picker) remakeService(s *pickService) {
	if p.IntN(4) == 0 {
		p.do(newCall(cFlush, nil))
		for _, other := range p.services {
			if other != s {
				p.do(serviceCall(cNewService, other.requirements))
			}
		}
	} else {
		p.do(serviceCall(cDelService, s.ids))
	}
	p.settleRemoval()
	p.do(serviceCall(cNewService, s.requirements))
	for _, d := range s.servers {
		if p.IntN(3) > 0 {
			p.do(serviceCall(cNewDest, s.ids, d))
		}
	}
}

// withoutServices removes all services, and lets packets of connections come: the
// hooks go with the last service of their family.
func (p *picker) withoutServices() {
	p.do(newCall(cFlush, nil))
	p.settleRemoval()
	for range p.IntN(4) {
		p.follow()
	}
	for _, s := range p.services {
		p.do(serviceCall(cNewService, s.requirements))
		for _, d := range s.servers {
			p.do(serviceCall(cNewDest, s.ids, d))
		}
		p.follow()
	}
}

func (p *picker) set() {
	switches := []string{"expire_quiescent_template", "sloppy_tcp", "sloppy_sctp", "cache_bypass", "nat_icmp_send"}
	if p.mood == moodReuse {
		switches = []string{"conn_reuse_mode", "expire_nodest_conn", "expire_quiescent_template"}
	}
	if p.mood == moodExpiry {
		switches = []string{"expire_quiescent_template", "cache_bypass"}
	}
	s := requirement{one(p.Rand, switches...), p.IntN(2)}
	switch s.name {
	case "conn_reuse_mode":
		s.value = p.IntN(4)
	case "expire_nodest_conn":
		p.nodest = s.value != 0
	}
	p.do(s)
}
