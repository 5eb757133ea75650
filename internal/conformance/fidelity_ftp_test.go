package conformance

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs/internal/release"
)

// ftpTalk makes a history of clients and servers of FTP. Much of what they say is broken.
type ftpTalk struct {
	*rand.Rand
	h        history
	segments int
	all      []ftpSite // that there may be
	sites    []ftpSite // that there are
	sessions []*ftpSession
	port     uint16 // of clients, the last one
	edits    bool   // of servers, after which no session begins

	persistent map[string]bool // services, by what they are called

	// opened are the connections that servers opened. None is opened again by the same
	// ports: netfilter may consider its sequence numbers invalid.
	opened map[[2]netip.AddrPort]bool
}

// ftpSession is a control connection, and what was last agreed on.
type ftpSession struct {
	client, vip, server netip.AddrPort
	mark                uint32
	waits, connects     []netip.AddrPort // where the server and the client wait for data
	open                bool
}

// ftpSite is a service with its only server.
type ftpSite struct {
	service string // "" is that of the mark
	vip     string
	server  string // as packets reach it
	dest    string // as the service has it
	mark    uint32
}

var ftpSites = []ftpSite{
	{service: "tcp 10.1.254.1:21", vip: "10.1.254.1:21", server: "10.2.0.10:21", dest: "10.2.0.10:21"},
	{service: "tcp 10.1.254.2:21", vip: "10.1.254.2:21", server: "10.2.0.10:2100", dest: "10.2.0.10:2100"},
	{service: "tcp 10.1.254.1:2121", vip: "10.1.254.1:2121", server: "10.2.0.11:2121", dest: "10.2.0.11:2121"},
	{service: "tcp [fd00:1::fe:1]:21", vip: "[fd00:1::fe:1]:21", server: "[fd00:1::5:1]:21", dest: "[fd00:1::5:1]:21"},
	{service: "tcp 10.1.254.3:0", vip: "10.1.254.3:21", server: "10.2.0.12:21", dest: "10.2.0.12:0"},
	{service: "mark4 7", vip: "10.1.0.9:21", server: "10.2.0.13:21", dest: "10.2.0.13:0", mark: 7},
}

// makeFTP makes a history of sessions.
func makeFTP(_ testing.TB, r release.Release, seed uint64) (history, int) {
	f := newFTPTalk(rand.New(rand.NewPCG(seed, 21)), ftpSites)
	const actions = 120
	f.make(r, actions)
	return f.h, f.segments
}

func newFTPTalk(r *rand.Rand, all []ftpSite) *ftpTalk {
	return &ftpTalk{Rand: r, all: all, port: 1024, opened: make(map[[2]netip.AddrPort]bool), persistent: make(map[string]bool)}
}

func (f *ftpTalk) make(r release.Release, actions int) {
	f.configure(r)
	const surveyed = 20
	for i := range actions {
		f.act()
		if i%surveyed == surveyed-1 {
			f.h = append(f.h, survey{})
		}
	}
}

func (f *ftpTalk) configure(r release.Release) {
	f.h = append(f.h, requirement{"conntrack", one(f.Rand, 0, 0, 1)}, requirement{"conn_reuse_mode", one(f.Rand, 1, 1, 0, 3)},
		requirement{"expire_nodest_conn", one(f.Rand, 0, 0, 1)})
	if r.HasConnMax() && f.IntN(8) == 0 {
		f.h = append(f.h, requirement{"conn_max", 3 + f.IntN(10)})
	}
	for _, s := range f.all {
		if len(f.sites) > 0 && f.IntN(5) == 0 {
			continue
		}
		f.sites = append(f.sites, s)
		service := serviceOf(s.service)
		if f.IntN(3) == 0 || strings.HasSuffix(s.service, ":0") {
			f.persistent[s.service] = true
			service = service.set(sFlags, flagBytes(1)).set(sTimeout, u32(one(f.Rand, uint32(1), 300)))
		}
		f.h = append(f.h, serviceCall(cNewService, service), serviceCall(cNewDest, keyOf(s.service), f.dest(s)))
	}
}

func (f *ftpTalk) dest(s ftpSite) attributes {
	weight := uint32(1)
	if f.edits {
		weight = f.Uint32N(2)
	}
	return destOf(s.dest).set(dMethod, u32(masquerade)).set(dWeight, u32(weight))
}

func (f *ftpTalk) act() {
	n := f.IntN(100)
	if len(f.sessions) == 0 || n < 8 && !f.edits {
		f.begin()
		return
	}
	s := one(f.Rand, f.sessions...)
	if !s.open {
		if !f.edits && f.IntN(3) == 0 {
			f.reopen(s)
		}
		return
	}
	switch {
	case n < 40:
		f.command(s)
	case n < 70:
		f.reply(s)
	case n < 82:
		f.data(s)
	case n < 88:
		f.end(s)
	case n < 93:
		f.h = append(f.h, wait(time.Duration(one(f.Rand, 20, 20, 100, 1100))*time.Millisecond))
	case n < 99 && len(f.sessions) > 3 && (f.edits || f.IntN(20) == 0):
		f.edits = true
		site := one(f.Rand, f.all...)
		call := serviceCall(one(f.Rand, uint8(cSetDest), cSetDest, cDelDest, cNewDest), keyOf(site.service), f.dest(site))
		keep := requirement{"expire_nodest_conn", 0}
		if f.persistent[site.service] { // which templates end is up to addresses in the kernel's memory
			f.h = append(f.h, keep)
		}
		f.h = append(f.h, call, keep, wait(200*time.Millisecond))
	default:
		f.h = append(f.h, requirement{"conntrack", f.IntN(2)})
	}
}

// begin opens a control connection.
func (f *ftpTalk) begin() {
	site := one(f.Rand, f.sites...)
	f.port++
	s := &ftpSession{open: true, vip: at(site.vip), server: at(site.server), mark: site.mark}
	addr := one(f.Rand, "10.1.9.1", "10.1.9.1", "10.1.9.2")
	if s.vip.Addr().Is6() {
		addr = "fd00:1::c:1"
	}
	s.client = netip.AddrPortFrom(netip.MustParseAddr(addr), f.port)
	f.sessions = append(f.sessions, s)
	f.handshake(s.client, s.vip, s.server, s.mark)
}

func (f *ftpTalk) add(s segment) {
	f.h = append(f.h, s)
	f.segments++
}

// reopen begins to open a control connection by the same ports. Its first packet may be
// dropped. Nothing follows: netfilter may consider the sequence numbers invalid.
func (f *ftpTalk) reopen(s *ftpSession) {
	f.sessions = slices.DeleteFunc(f.sessions, func(other *ftpSession) bool { return other == s })
	syn := segment{tcp: flagSYN, from: s.client, to: s.vip, mark: s.mark}
	f.add(syn)
	f.h = append(f.h, settle)
	syn.again = true
	f.add(syn)
}

// handshake opens a connection that a client opens.
func (f *ftpTalk) handshake(client, vip, server netip.AddrPort, mark uint32) {
	f.add(segment{tcp: flagSYN, from: client, to: vip, mark: mark})
	f.add(segment{tcp: flagSYN | flagACK, from: server, to: client})
	f.add(segment{tcp: flagACK, from: client, to: vip, mark: mark})
}

// command says something as the client.
func (f *ftpTalk) command(s *ftpSession) {
	text := f.spoilt(f.commandText(s))
	f.add(segment{tcp: flagACK, from: s.client, to: s.vip, mark: s.mark, data: text})
	f.acknowledge(s.server, s.client, s.mark*0)
}

// acknowledge sends an acknowledgement, mostly.
func (f *ftpTalk) acknowledge(from, to netip.AddrPort, mark uint32) {
	if f.IntN(3) > 0 {
		f.add(segment{tcp: flagACK, from: from, to: to, mark: mark})
	}
}

func (f *ftpTalk) commandText(s *ftpSession) string {
	c := netip.AddrPortFrom(s.client.Addr(), f.dataPort())
	if f.IntN(10) == 0 {
		c = netip.AddrPortFrom(f.strange(s), c.Port())
	}
	switch n := f.IntN(10); {
	case n < 2 && c.Addr().Is4():
		return "PASV\r\n"
	case n < 5:
		return one(f.Rand, "EPSV\r\n", "EPSV\r\n", "EPSV 1\r\n", "EPSV 2\r\n", "EPSV ALL\r\n", "epsv\r\n")
	case n < 7 && c.Addr().Is4():
		s.connects = append(s.connects, c)
		return "PORT " + listed(c) + "\r\n"
	case n < 9:
		s.connects = append(s.connects, c)
		return "EPRT " + delimited(c) + "\r\n"
	}
	return one(f.Rand, "NOOP\r\n", "LIST\r\n", "RETR file\r\n", "PASV\r\nLIST\r\n", "USER x\r\nPASV\r\n", "PORT", "XPASV\r\n", "PA", "SV\r\n")
}

func (f *ftpTalk) dataPort() uint16 {
	return one(f.Rand, uint16(40000+f.IntN(20)), uint16(1024+f.IntN(64000)), uint16(40000+f.IntN(20)), uint16(f.IntN(256)), 0)
}

// strange returns an address that is not the speaker's.
func (f *ftpTalk) strange(s *ftpSession) netip.Addr {
	if s.vip.Addr().Is6() {
		return netip.MustParseAddr(one(f.Rand, "fd00:1::5:2", "fd00:1::c:1", "fd00:1::5:1", "fd00:1::7"))
	}
	return netip.MustParseAddr(one(f.Rand, "10.2.0.11", "10.1.9.2", "10.2.0.10", "10.1.7.7", "10.1.254.1"))
}

// listed writes an address and a port as six numbers.
func listed(a netip.AddrPort) string {
	four := [4]byte{127, 0, 0, 1}
	if a.Addr().Is4() {
		four = a.Addr().As4()
	}
	return fmt.Sprintf("%d,%d,%d,%d,%d,%d", four[0], four[1], four[2], four[3], a.Port()>>8, a.Port()&0xff)
}

// delimited writes an address and a port with their family.
func delimited(a netip.AddrPort) string {
	family := 1
	if a.Addr().Is6() {
		family = 2
	}
	return fmt.Sprintf("|%d|%s|%d|", family, a.Addr(), a.Port())
}

// reply says something as the server.
func (f *ftpTalk) reply(s *ftpSession) {
	reply := segment{tcp: flagACK, from: s.server, to: s.client, data: f.spoilt(f.replyText(s))}
	f.add(reply)
	if reply.again = true; f.IntN(6) == 0 {
		f.add(reply)
	}
	f.acknowledge(s.client, s.vip, s.mark)
}

func (f *ftpTalk) replyText(s *ftpSession) string {
	a := netip.AddrPortFrom(s.server.Addr(), f.dataPort())
	if f.IntN(8) == 0 {
		a = netip.AddrPortFrom(f.strange(s), a.Port())
	}
	if f.IntN(5) == 0 {
		return one(f.Rand, "200 ok\r\n", "150 here it comes\r\n", "227-\r\n227 ("+listed(a)+")\r\n", "227 ", "229 ", "220 hello\r\n", "500 no\r\n")
	}
	s.waits = append(s.waits, a)
	if f.IntN(2) == 0 {
		return fmt.Sprintf(one(f.Rand, "227 Entering Passive Mode (%s).\r\n", "227 %s\r\n", "227 =%s\r\n", "227 (%s)", "227 ok (%s)\r\n"), listed(a))
	}
	return fmt.Sprintf(one(f.Rand, "229 Entering Extended Passive Mode (%s)\r\n", "229 (%s)\r\n", "229 ok (%s)\r\n", "229 %s\r\n"),
		one(f.Rand, fmt.Sprintf("|||%d|", a.Port()), fmt.Sprintf("|||%d|", a.Port()), delimited(a), fmt.Sprintf("!!!%d!", a.Port())))
}

// spoilt changes a text, sometimes.
func (f *ftpTalk) spoilt(text string) string {
	const letters = " (),.:|!~-%PASVEORTpasveort0123456789abcdefx\r\n\x00\x7f\xff"
	b := []byte(text)
	for f.IntN(4) == 0 {
		i := f.IntN(len(b) + 1)
		c := letters[f.IntN(len(letters))]
		switch f.IntN(6) {
		case 0:
			b = b[:i]
		case 1:
			b = b[i:]
		case 2:
			b = slices.Insert(b, i, c)
		case 3:
			b = slices.Insert(b, i, []byte(one(f.Rand, "0", "00000", "65536", "255", "256", " ", "((", "\r\n", "PASV\r\n", "227 ", ",", "|"))...)
		default:
			if i < len(b) {
				b[i] = c
			}
		}
	}
	return string(b)
}

// data opens a data connection and closes it again, whoever agreed on it.
func (f *ftpTalk) data(s *ftpSession) {
	if len(s.waits) > 0 && (len(s.connects) == 0 || f.IntN(2) == 0) {
		f.passive(s)
	} else if len(s.connects) > 0 {
		f.active(s)
	}
}

func (f *ftpTalk) passive(s *ftpSession) {
	server := one(f.Rand, s.waits[max(0, len(s.waits)-3):]...)
	if server.Addr().Is4() != s.vip.Addr().Is4() {
		return
	}
	f.port++
	client := netip.AddrPortFrom(s.client.Addr(), f.port)
	vip := netip.AddrPortFrom(s.vip.Addr(), server.Port())
	f.handshake(client, vip, server, s.mark)
	f.transfer(client, vip, server, client, s.mark)
}

func (f *ftpTalk) active(s *ftpSession) {
	client := one(f.Rand, s.connects[max(0, len(s.connects)-3):]...)
	if client.Addr().Is4() != s.vip.Addr().Is4() {
		return
	}
	vip := netip.AddrPortFrom(s.vip.Addr(), s.vip.Port()-1)
	server := netip.AddrPortFrom(s.server.Addr(), s.server.Port()-1)
	ends := [2]netip.AddrPort{server, client}
	if f.opened[ends] {
		return
	}
	f.opened[ends] = true
	f.add(segment{tcp: flagSYN, from: server, to: client})
	f.add(segment{tcp: flagSYN | flagACK, from: client, to: vip, mark: s.mark})
	f.add(segment{tcp: flagACK, from: server, to: client})
	f.transfer(client, vip, server, client, s.mark)
}

// transfer sends data, and closes the connection, mostly.
func (f *ftpTalk) transfer(client, vip, server, to netip.AddrPort, mark uint32) {
	if f.IntN(4) == 0 {
		return
	}
	f.add(segment{tcp: flagACK, from: server, to: to, data: "a file\r\n"})
	f.add(segment{tcp: flagACK, from: client, to: vip, mark: mark})
	if f.IntN(3) == 0 {
		return
	}
	f.close(client, vip, server, to, mark)
}

func (f *ftpTalk) close(client, vip, server, to netip.AddrPort, mark uint32) {
	f.add(segment{tcp: flagFIN | flagACK, from: server, to: to})
	f.add(segment{tcp: flagACK, from: client, to: vip, mark: mark})
	f.add(segment{tcp: flagFIN | flagACK, from: client, to: vip, mark: mark})
	f.add(segment{tcp: flagACK, from: server, to: to})
}

// end closes a control connection.
func (f *ftpTalk) end(s *ftpSession) {
	s.open = false
	if f.IntN(4) == 0 {
		f.add(segment{tcp: flagRST | flagACK, from: s.client, to: s.vip, mark: s.mark})
		return
	}
	f.close(s.client, s.vip, s.server, s.client, s.mark)
}

// Sessions of FTP are followed, and rewritten, as the kernel's helper does.
func TestFidelityFTP(t *testing.T) {
	const few, players = 700, 4 // they mostly wait
	open := openFidelity(t)
	loadFTP(t, 21, 2121)
	helped := func(t testing.TB) *duel {
		d := open(t)
		for _, p := range []*player{d.real, d.sim} {
			if s, ok := p.side.(*simulatorSide); ok {
				s.kernel.LoadFTP()
			}
		}
		return d
	}
	fidelity{"ftp", makeFTP, cmp.Or(*fidelityPackets, few), players}.run(t, helped)
}
