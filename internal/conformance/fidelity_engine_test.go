package conformance

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/golvs/lvs/internal/release"
	"github.com/golvs/lvs/internal/simipvs"
)

// Packets meet persistence by the engine sip alike: of clients whose messages have a
// Call-ID, or something like one, and of servers that answer or speak first.
func TestFidelityEngine(t *testing.T) {
	const few, players = 400, 8 // they mostly wait
	fidelity{"engine", makeCallers, cmp.Or(*fidelityPackets, few), players}.run(t, openFidelity(t))
}

// caller makes a history of SIP messages.
type caller struct {
	*picker
	packets int
	expiry  bool // connections and templates end soon
}

func makeCallers(t testing.TB, r release.Release, seed uint64) (history, int) {
	s := &scope{TB: t}
	defer s.end()
	c := &caller{picker: &picker{
		Rand: rand.New(rand.NewPCG(seed, 3)), sim: newPlayer(s, openSimulatorSide(s, r)),
	}}
	c.scheduler = one(c.Rand, "rr", "rr", "wlc", "sh", "lc")
	if r.OwnTables() { // of two entries alike, which one is found changes when the table grows
		c.do(requirement{"conn_lfactor", 8})
	}
	c.expiry = c.IntN(40) == 0 && long()
	if c.expiry {
		c.do(newCall(cSetConfig, attributes{{aTimeoutUDP, u32(8)}}))
	}
	told := c.IntN(4) == 0
	if told {
		c.setSync()
		c.do(newCall(cNewDaemon, attributes{{aDaemon, c.daemon(1).encode()}}))
	}
	for range 1 + c.IntN(3) {
		c.addService()
	}
	const surveyed, rested = 16, 100
	actions := 200
	if !long() {
		actions = 40
	}
	for i := range actions {
		c.act()
		if i%surveyed == surveyed-1 {
			c.do(survey{})
		}
		if c.expiry && i%rested == rested-1 {
			c.do(wait(11 * time.Second)) // timers may be late by a second
			c.do(survey{})
		}
	}
	if told {
		c.do(sent{})
	}
	return c.h, c.packets
}

func (c *caller) addService() {
	s := &pickService{six: c.IntN(5) == 0, protocol: protocolUDP, port: one(c.Rand, uint16(5060), 5060, 5060, 5061, 0, 21)}
	if c.IntN(12) == 0 {
		s.protocol = protocolTCP
	}
	s.vip = c.virtual(s.six)
	af := uint16(inet4)
	if s.six {
		af = inet6
	}
	s.ids = attributes{{sAF, u16(af)}, {sProtocol, u16(uint16(s.protocol))}, {sAddr, s.vip.AsSlice()}, {sPort, be16(s.port)}}
	if c.IntN(6) == 0 {
		s.mark = 1 + c.Uint32N(2)
		s.ids = attributes{{sAF, u16(af)}, {sFWMark, u32(s.mark)}}
	}
	s.requirements = c.requirementsOf(s, c.scheduler)
	c.services = append(c.services, s)
	c.do(serviceCall(cNewService, s.requirements))
	for range 1 + c.IntN(4) {
		s.servers = append(s.servers, c.server(s))
		c.do(serviceCall(cNewDest, s.ids, s.servers[len(s.servers)-1]))
	}
}

// requirementsOf returns a whole service, mostly with the engine.
func (c *caller) requirementsOf(s *pickService, scheduler string) attributes {
	const persistent, onePacket = 1, 4
	flags, timeout := uint32(0), uint32(300)
	if c.IntN(8) > 0 {
		flags |= persistent
	}
	if c.IntN(2) == 0 {
		flags |= onePacket
	}
	if c.expiry {
		timeout = one(c.Rand, uint32(4), 300)
	}
	netmask := one(c.Rand, []byte{255, 255, 255, 255}, []byte{255, 255, 255, 255}, []byte{255, 255, 255, 0})
	if s.six {
		netmask = u32(one(c.Rand, uint32(128), 128, 120))
	}
	all := append(s.ids[:len(s.ids):len(s.ids)],
		attribute{sScheduler, text(scheduler)}, attribute{sFlags, flagBytes(flags)},
		attribute{sTimeout, u32(timeout)}, attribute{sNetmask, netmask})
	if c.IntN(6) > 0 {
		all = all.plus(sEngine, text("sip"))
	}
	return all
}

// server returns one of few servers, so that services share some.
func (c *caller) server(s *pickService) attributes {
	n := byte(1 + c.IntN(4))
	addr := netip.AddrFrom4([4]byte{10, 2, 0, 10 + n})
	if s.six {
		addr = netip.MustParseAddr(fmt.Sprintf("fd00:1::5:%x", n))
	}
	port := cmp.Or(s.port, 5060)
	if c.IntN(6) == 0 {
		port = one(c.Rand, uint16(0), 8080)
	}
	method := one(c.Rand, uint32(masquerade), masquerade, masquerade, direct, tunnel)
	return c.edited(attributes{{dAddr, addr.AsSlice()}, {dPort, be16(port)}, {dAF, u16(afOf(addr))}}, method)
}

func (c *caller) act() {
	s := one(c.Rand, c.services...)
	switch n := c.IntN(100); {
	case n < 50:
		for range 1 + c.IntN(4) {
			c.message(s)
		}
	case n < 80:
		for range 1 + c.IntN(3) {
			c.fromServer(s)
		}
	case n < 84:
		d := c.server(s)
		if len(s.servers) > 0 && c.IntN(2) == 0 {
			d = one(c.Rand, s.servers...)
		}
		s.servers = append(s.servers, d)
		c.do(serviceCall(cNewDest, s.ids, d))
	case n < 87:
		c.removeServer(s)
	case n < 92:
		c.editServer(s)
	case n < 96:
		s.requirements = c.requirementsOf(s, one(c.Rand, c.scheduler, c.scheduler, "rr"))
		c.do(serviceCall(cSetService, s.requirements))
	case n < 97:
		c.remakeService(s)
	default:
		r := requirement{one(c.Rand, "expire_quiescent_template", "expire_quiescent_template", "expire_nodest_conn", "nat_icmp_send"), c.IntN(2)}
		if r.name == "expire_nodest_conn" {
			c.nodest = r.value != 0
		}
		c.do(r)
	}
}

// client returns a client's address and port, which is one of few.
func (c *caller) client(six bool) netip.AddrPort {
	port, n := uint16(5060+c.IntN(3)), 1+c.IntN(3)
	if six {
		return netip.AddrPortFrom(netip.MustParseAddr(fmt.Sprintf("fd00:1::c:%x", n)), port)
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, 16, byte(n)}), port)
}

// message sends a client's message to a service.
func (c *caller) message(s *pickService) {
	to := netip.AddrPortFrom(s.vip, s.port)
	if s.port == 0 || s.mark != 0 || c.IntN(30) == 0 {
		to = netip.AddrPortFrom(s.vip, one(c.Rand, uint16(5060), 5061, 21))
	}
	p := packet{protocol: s.protocol, from: c.client(s.six), to: to, mark: s.mark, payload: sipText(c.Rand), data: c.IntN(2) * c.IntN(30)}
	if c.IntN(30) == 0 {
		p.protocol = one(c.Rand, uint8(protocolTCP), protocolUDP)
	}
	if p.protocol == protocolTCP {
		p.tcp = one(c.Rand, uint8(flagSYN), flagACK)
	}
	v := c.send(p)
	if v.Action == simipvs.Forwarded && c.IntN(3) == 0 {
		o := opened{p, v}
		reply := o.reply(flagACK, 0)
		reply.payload = p.payload
		if c.IntN(4) == 0 {
			reply.payload = sipText(c.Rand)
		}
		c.send(reply)
	}
}

// fromServer sends a message of a server's to a client.
func (c *caller) fromServer(s *pickService) {
	if len(s.servers) == 0 {
		return
	}
	d := one(c.Rand, s.servers...)
	addr, _ := netip.AddrFromSlice(d.get(dAddr))
	port := uint16(d.get(dPort)[0])<<8 | uint16(d.get(dPort)[1])
	if port == 0 || c.IntN(20) == 0 {
		port = one(c.Rand, uint16(5060), 5061, 8080)
	}
	p := packet{protocol: s.protocol, from: netip.AddrPortFrom(addr, port), to: c.client(s.six), payload: sipText(c.Rand)}
	if p.protocol == protocolTCP {
		p.tcp = flagACK
	}
	c.send(p)
}

func (c *caller) send(p packet) simipvs.Verdict {
	c.packets++
	v := c.do(p)
	if c.nodest && v.Reason != simipvs.Connected {
		c.do(settle)
	}
	return v
}
