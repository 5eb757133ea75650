package conformance

import (
	"cmp"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/golvs/lvs/internal/release"
)

// The table of a backup director is what the simulated one's is, whatever messages say, and
// whatever packets come afterwards.
func TestFidelitySyncBackup(t *testing.T) {
	const few = 60
	players := 1
	if long() {
		players = 8 // they mostly wait
	}
	fidelity{"backup", makeBackup, cmp.Or(*fidelityPackets, few), players}.run(t, openFidelity(t))
}

// speaker makes messages.
type speaker struct {
	*picker
	entries int
	known   [][]byte // of version 1
	known0  [][]byte
}

// makeBackup makes histories of a backup director, which takes over at times, and may be
// a master too. It counts entries and packets.
func makeBackup(t testing.TB, r release.Release, seed uint64) (history, int) {
	s := &scope{TB: t}
	defer s.end()
	p := &picker{
		Rand: rand.New(rand.NewPCG(seed, 3)), scheduler: "rr", port: 1023,
		sim: newPlayer(s, openSimulatorSide(s, r)),
	}
	k := &speaker{picker: p}
	if r.OwnTables() { // of two entries alike, which one is found changes when the table grows
		p.do(requirement{"conn_lfactor", 8})
	}
	p.setSync()
	p.do(newCall(cNewDaemon, attributes{{aDaemon, daemonOf(2).set(ySyncID, u32(one(p.Rand, uint32(0), 5, 5, 261))).encode()}}))
	if p.IntN(2) == 0 {
		p.do(newCall(cNewDaemon, attributes{{aDaemon, p.daemon(1).encode()}}))
	}
	for range 1 + p.IntN(3) {
		p.addService()
	}
	k.loadEngine()
	for i := range 60 {
		if p.IntN(3) == 0 {
			p.act()
			p.do(wait(30 * time.Millisecond)) // the kernel ends a connection that a SYN replaces a moment later
		} else {
			p.do(k.message())
		}
		if i%8 == 7 {
			p.do(survey{})
		}
	}
	p.do(sent{})
	return p.h, p.h.packets() + k.entries
}

// loadEngine makes the kernel know the engine sip, which it loads for services alone.
func (k *speaker) loadEngine() {
	ids := attributes{{sAF, u16(inet4)}, {sFWMark, u32(99)}}
	k.do(serviceCall(cNewService, ids.plus(sScheduler, text("rr")).plus(sFlags, flagBytes(0)).plus(sTimeout, u32(0)).
		plus(sNetmask, []byte{255, 255, 255, 255}).plus(sEngine, text("sip"))))
	k.do(serviceCall(cDelService, ids))
}

// message makes a message, malformed at times.
func (k *speaker) message() message {
	m := message{port: 8848}
	if k.IntN(4) == 0 {
		m.payload = []byte{0, 5, 0, 0}
		for range 1 + k.IntN(3) {
			e := k.entryV0()
			m.payload = append(m.payload, e...)
			m.payload[0]++
			k.entries++
		}
	} else {
		m.payload = []byte{0, 5, 0, 0, 0, 1, 0, 0}
		for range 1 + k.IntN(3) {
			m.payload = append(m.payload, make([]byte, -len(m.payload)&3)...)
			m.payload = append(m.payload, k.entry()...)
			m.payload[4]++
			k.entries++
		}
	}
	if k.IntN(10) == 0 {
		m.payload[1] = byte(k.IntN(7))
	}
	binary.BigEndian.PutUint16(m.payload[2:], uint16(len(m.payload)))
	if k.IntN(20) == 0 {
		m.payload = m.payload[:k.IntN(len(m.payload)+1)]
		if len(m.payload) >= 4 && k.IntN(2) == 0 {
			binary.BigEndian.PutUint16(m.payload[2:], uint16(len(m.payload)))
		}
	}
	if len(m.payload) > 4 && k.IntN(20) == 0 {
		m.payload[4] += byte(k.IntN(3))
	}
	return m
}

// ends returns the ends of a connection of one of the services, or of none.
func (k *speaker) ends() (s *pickService, client, vip, server netip.AddrPort, protocol byte, mark uint32) {
	s = one(k.Rand, k.services...)
	client, vip = k.client(s.six), netip.AddrPortFrom(s.vip, cmp.Or(s.port, 80))
	protocol, mark = s.protocol, s.mark
	if s.mark != 0 {
		vip = netip.AddrPortFrom(k.virtual(s.six), vip.Port())
	}
	if len(k.opened) > 0 && k.IntN(3) == 0 {
		if o := one(k.Rand, k.opened...); o.to.Addr().Is6() == s.six {
			client, vip, protocol = o.from, o.to, o.protocol
		}
	}
	if k.IntN(8) == 0 {
		mark = one(k.Rand, uint32(0), 1, 9)
	}
	if k.IntN(20) == 0 {
		protocol = one(k.Rand, byte(protocolTCP), protocolUDP, protocolSCTP, 50, 51, 1)
	}
	server = vip
	if len(s.servers) > 0 && k.IntN(6) > 0 {
		d := one(k.Rand, s.servers...)
		addr, _ := netip.AddrFromSlice(d.get(dAddr))
		server = netip.AddrPortFrom(addr, binary.BigEndian.Uint16(d.get(dPort)))
	}
	if server.Addr().Is6() != s.six {
		server = vip
	}
	if k.IntN(8) == 0 || server.Port() == 0 {
		server = netip.AddrPortFrom(server.Addr(), one(k.Rand, uint16(80), 8080, 443))
	}
	return s, client, vip, server, protocol, mark
}

// flags returns flags, without that of an unknown port.
func (k *speaker) flags() uint32 {
	flags := one(k.Rand, uint32(0), 1, 2, 3, 3, 3, 4) | 0x80*k.Uint32N(2) | 0x100*k.Uint32N(2)
	if k.IntN(5) == 0 {
		flags |= 0x1000
	}
	if k.IntN(10) == 0 {
		flags |= one(k.Rand, uint32(0x20), 0x40, 0x2000, 0x8000)
	}
	return flags
}

// withoutPort makes the client's port unknown at times, or contradicts itself about that.
func (k *speaker) withoutPort(client netip.AddrPort, flags uint32) (netip.AddrPort, uint32) {
	const noPort = 0x800
	switch k.IntN(16) {
	case 0:
		return netip.AddrPortFrom(client.Addr(), 0), flags | noPort
	case 1:
		return netip.AddrPortFrom(client.Addr(), 0), flags
	case 2:
		return client, flags | noPort
	}
	return client, flags
}

func (k *speaker) state(protocol byte) uint16 {
	switch {
	case k.IntN(30) == 0:
		return uint16(k.IntN(20))
	case protocol == protocolTCP:
		return one(k.Rand, uint16(1), 1, 1, 4, 5, 6, 7, uint16(k.IntN(11)))
	case protocol == protocolSCTP:
		return one(k.Rand, uint16(8), 8, 9, 10, 11, 13, uint16(k.IntN(14)))
	}
	return 0
}

// entry makes an entry of version 1, or changes one that was sent.
func (k *speaker) entry() []byte {
	if len(k.known) > 0 && k.IntN(2) == 0 {
		e := append([]byte(nil), one(k.Rand, k.known...)...)
		const noPort, template = 0x800, 0x1000
		if was, flags := binary.BigEndian.Uint32(e[4:]), k.flags(); was&template == flags&template {
			binary.BigEndian.PutUint32(e[4:], flags|was&noPort)
		}
		binary.BigEndian.PutUint16(e[8:], k.state(e[1]))
		if k.IntN(5) == 0 {
			binary.BigEndian.PutUint16(e[14:], one(k.Rand, uint16(80), 8080))
		}
		return e
	}
	s, client, vip, server, protocol, mark := k.ends()
	flags := k.flags()
	if flags&0x1000 != 0 {
		client = netip.AddrPortFrom(client.Addr(), 0)
		if k.IntN(2) == 0 {
			vip = netip.AddrPortFrom(vip.Addr(), 0)
		}
		if s.mark != 0 && !s.six {
			protocol = 0
			vip = netip.AddrPortFrom(netip.AddrFrom4([4]byte{3: byte(s.mark)}), 0)
		}
	} else {
		client, flags = k.withoutPort(client, flags)
	}
	e := []byte{0, protocol, 0, 0}
	if s.six {
		e[0] = 1
	}
	e = binary.BigEndian.AppendUint32(e, flags)
	e = binary.BigEndian.AppendUint16(e, k.state(protocol))
	for _, a := range []netip.AddrPort{client, vip, server} {
		e = binary.BigEndian.AppendUint16(e, a.Port())
	}
	e = binary.BigEndian.AppendUint32(e, mark)
	e = binary.BigEndian.AppendUint32(e, one(k.Rand, uint32(0), 30, 60, 900, 3600000, 5000000, 1<<31, 1<<32-1))
	for _, a := range []netip.AddrPort{client, vip, server} {
		e = append(e, a.Addr().AsSlice()...)
	}
	switch n := k.IntN(10); {
	case n < 4 && (flags&0x1000 != 0 || k.IntN(8) == 0):
		e = append(e, one(k.Rand, "\x02\x06call-1\x03\x03sip", "\x02\x06call-2\x03\x03sip", "\x03\x03sip\x02\x06call-1")...)
	case n == 9:
		e = append(e, one(k.Rand, []byte{0x45, 2, 7, 7}, []byte{1, 1, 0}, []byte{9, 1, 0}, []byte{3, 3, 's', 'i', 'p'},
			[]byte{3, 3, 's', 'i', 'p', 3, 3, 's', 'i', 'p'}, []byte{1, 24, 23: 9, 25: 1}, []byte{2, 1, 0}, []byte{2, 0}, []byte{7}, []byte{2, 1, 0, 3, 2, 'n', 'o'})...)
	}
	binary.BigEndian.PutUint16(e[2:], uint16(len(e)))
	k.known = append(k.known, e)
	if k.IntN(40) == 0 {
		e = append([]byte(nil), e...)
		e[k.IntN(4)] ^= byte(1 << k.IntN(8))
	}
	return e
}

func (k *speaker) entryV0() []byte {
	if len(k.known0) > 0 && k.IntN(2) == 0 {
		e := append([]byte(nil), one(k.Rand, k.known0...)...)
		binary.BigEndian.PutUint16(e[22:], k.state(e[1]))
		return e
	}
	s, client, vip, server, protocol, _ := k.ends()
	for s.six {
		if s, client, vip, server, protocol, _ = k.ends(); s.six && k.IntN(20) == 0 {
			client, vip, server = addrAt("10.1.9.9:1000"), addrAt("10.1.254.1:80"), addrAt("10.2.0.10:80")
			break
		}
	}
	flags := k.flags() &^ 0xa000
	if flags&0x1000 != 0 {
		client = netip.AddrPortFrom(client.Addr(), 0)
	} else {
		client, flags = k.withoutPort(client, flags)
	}
	e := []byte{0, protocol}
	for _, a := range []netip.AddrPort{client, vip, server} {
		e = binary.BigEndian.AppendUint16(e, a.Port())
	}
	for _, a := range []netip.AddrPort{client, vip, server} {
		e = append(e, a.Addr().AsSlice()...)
	}
	e = binary.BigEndian.AppendUint16(e, uint16(flags))
	e = binary.BigEndian.AppendUint16(e, k.state(protocol))
	k.known0 = append(k.known0, e)
	return e
}
