package simipvs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/golvs/lvs/internal/genl"
	"github.com/golvs/lvs/internal/release"
)

// peer is one who talks to a kernel, and fails the test when it cannot.
type peer struct {
	t      testing.TB
	socket *Socket
	seq    uint32
	buffer []byte
}

func dialTest(t testing.TB, k *Kernel) *peer {
	return &peer{t: t, socket: k.Dial(true), buffer: make([]byte, 1<<16)}
}

// answer is a message of the kernel.
type answer struct {
	kind, flags uint16
	seq         uint32
	body        []byte
}

func (a answer) errno() errno { return errno(-int32(host.Uint32(a.body))) }

// appendRequest appends a message with attributes.
func appendRequest(b []byte, kind, flags uint16, seq uint32, command uint8, attrs []byte) []byte {
	b = host.AppendUint32(b, uint32(headerLen+genericLen+len(attrs)))
	b = host.AppendUint16(b, kind)
	b = host.AppendUint16(b, flags)
	b = host.AppendUint32(b, seq)
	b = host.AppendUint32(b, 0)
	return append(append(b, command, familyVersion, 0, 0), attrs...)
}

// send sends a command in a datagram of its own.
func (p *peer) send(command uint8, flags uint16, attrs []byte) {
	p.t.Helper()
	p.seq++
	if err := p.socket.Send(appendRequest(nil, familyID, flagRequest|flags, p.seq, command, attrs)); err != nil {
		p.t.Fatal(err)
	}
}

// receive returns the messages of the next datagram.
func (p *peer) receive() []answer {
	p.t.Helper()
	n, err := p.socket.Receive(p.buffer)
	if err != nil {
		p.t.Fatal(err)
	}
	return split(p.buffer[:n])
}

func split(b []byte) (all []answer) {
	for len(b) > 0 {
		n := int(host.Uint32(b))
		all = append(all, answer{host.Uint16(b[4:]), host.Uint16(b[6:]), host.Uint32(b[8:]), slices.Clone(b[headerLen:n])})
		b = b[align(n):]
	}
	return all
}

// do sends a command and returns the errno that it is acknowledged with.
func (p *peer) do(command uint8, attrs []byte) errno {
	p.t.Helper()
	p.send(command, flagAck, attrs)
	for {
		for _, a := range p.receive() {
			if a.kind == typeError {
				return a.errno()
			}
		}
	}
}

// must sends a command that cannot fail.
func (p *peer) must(command uint8, attrs []byte) {
	p.t.Helper()
	if e := p.do(command, attrs); e != 0 {
		p.t.Fatalf("command %d: errno %d", command, e)
	}
}

// nest returns an attribute with attributes.
func nest(number int, appendAttrs func([]byte) []byte) []byte {
	b, start := beginNest(nil, number)
	return endNest(appendAttrs(b), start)
}

func keyAttrs(vip netip.AddrPort) []byte {
	return nest(topService, func(b []byte) []byte { return appendKey(b, vip) })
}

func appendKey(b []byte, vip netip.AddrPort) []byte {
	family := uint16(inet6)
	if vip.Addr().Is4() {
		family = inet4
	}
	b = appendU16(b, svcFamily, family)
	b = appendU16(b, svcProtocol, protoTCP)
	b = appendBytes(b, svcAddr, vip.Addr().AsSlice())
	return appendPort(b, svcPort, vip.Port())
}

func serviceAttrs(vip netip.AddrPort, scheduler string) []byte {
	return nest(topService, func(b []byte) []byte { return appendSettings(appendKey(b, vip), scheduler) })
}

func markAttrs(mark uint32) []byte {
	return nest(topService, func(b []byte) []byte {
		b = appendU32(appendU16(b, svcFamily, inet4), svcMark, mark)
		return appendSettings(b, "rr")
	})
}

func appendSettings(b []byte, scheduler string) []byte {
	b = appendText(b, svcScheduler, scheduler)
	b = appendBytes(b, svcFlags, make([]byte, 8))
	b = appendU32(b, svcTimeout, 0)
	return appendU32(b, svcNetmask, 128)
}

func destAttrs(vip, rip netip.AddrPort) []byte {
	return append(keyAttrs(vip), nest(topDest, func(b []byte) []byte {
		b = appendBytes(b, destAddr, rip.Addr().AsSlice())
		b = appendPort(b, destPort, rip.Port())
		b = appendU32(b, destMethod, methodDirect)
		b = appendU32(b, destWeight, 1)
		b = appendU32(b, destUpper, 0)
		return appendU32(b, destLower, 0)
	})...)
}

var (
	oldRelease = release.Release{Major: 6, Minor: 1, Patch: 176}
	newRelease = release.Release{Major: 7, Minor: 2, Patch: 7}

	testVIP = netip.MustParseAddrPort("10.1.0.1:80")
)

func testRIP(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, byte(1 + i>>7), byte(1 + i&0x7f)}), 80)
}

// check complains about a table that contradicts itself.
func check(t testing.TB, k *Kernel) {
	t.Helper()
	services := slices.Collect(k.services.all())
	if len(services) != len(k.services.byKey) || len(services) != k.services.of(inet4)+k.services.of(inet6) {
		t.Fatalf("%d services are listed, %d are found", len(services), len(k.services.byKey))
	}
	live, mixed := 0, 0
	for _, s := range services {
		if k.lookup(s.key) != s || s.group.Len() != len(s.dests) {
			t.Fatalf("service %+v is not found, or has %d servers of %d", s.key, s.group.Len(), len(s.dests))
		}
		for addr, d := range s.dests {
			if d.Addr != addr || d.svc != s || k.dests[d.ID] != d || !d.Available {
				t.Fatalf("server %s of %+v is wrong: %+v", addr, s.key, d)
			}
			if d.mixed() {
				mixed++
			}
		}
		live += len(s.dests)
	}
	for key, d := range k.trash.servers {
		if d.svc != nil || d.Available || d.key != key.service || d.Addr != key.addr || k.dests[d.ID] != d {
			t.Fatalf("server %s in the trash is wrong: %+v", key.addr, d)
		}
	}
	if all := len(k.dests) - 1 - len(k.free); all != live+len(k.trash.servers) || mixed != k.mixed {
		t.Fatalf("%d servers have numbers: %d live, %d in the trash; %d are mixed, %d counted",
			all, live, len(k.trash.servers), mixed, k.mixed)
	}
}

// No bytes are more than a kernel can take, and what it answers can be read.
func FuzzDatagram(f *testing.F) {
	seed := func(command uint8, flags uint16, attrs ...[]byte) {
		f.Add(false, appendRequest(nil, familyID, flagRequest|flags, 1, command, slices.Concat(attrs...)))
	}
	rip := testRIP(0)
	for _, command := range []uint8{cmdNewService, cmdSetService, cmdDelService, cmdGetService, cmdZero} {
		seed(command, flagAck, serviceAttrs(testVIP, "wlc"))
		seed(command, flagAck, markAttrs(7))
	}
	for _, command := range []uint8{cmdNewDest, cmdSetDest, cmdDelDest} {
		seed(command, flagAck, destAttrs(testVIP, rip))
	}
	seed(cmdGetDest, flagDump, keyAttrs(testVIP))
	seed(cmdGetService, flagDump)
	seed(cmdFlush, 0)
	seed(cmdGetInfo, 0)
	seed(cmdSetConfig, flagAck, appendU32(nil, topTimeoutTCP, 5), appendU16(nil, topTimeoutUDP, 5))
	daemon := nest(topDaemon, func(b []byte) []byte {
		b = appendU32(appendText(appendU32(b, daemonState, stateBackup), daemonDevice, "lo"), daemonSyncID, 1)
		return appendBytes(b, daemonGroup6, netip.MustParseAddr("ff02::81").AsSlice())
	})
	seed(cmdNewDaemon, flagAck, daemon)
	seed(cmdDelDaemon, flagAck, daemon)
	f.Add(true, appendRequest(nil, controllerID, flagRequest, 1, ctrlGetFamily, appendText(nil, ctrlFamilyName, "IPVS")))

	f.Fuzz(func(t *testing.T, recent bool, datagram []byte) {
		k := New(Options{Release: map[bool]release.Release{false: oldRelease, true: newRelease}[recent]})
		p := dialTest(t, k)
		p.must(cmdNewService, serviceAttrs(testVIP, "wrr"))
		p.must(cmdNewService, serviceAttrs(netip.MustParseAddrPort("[fd00::1]:80"), "rr"))
		p.must(cmdNewService, markAttrs(7))
		for i := range 5 {
			p.must(cmdNewDest, destAttrs(testVIP, testRIP(i)))
		}
		for range 2 {
			if err := p.socket.Send(datagram); err != nil && !errors.Is(err, errTooLarge) {
				t.Fatal(err)
			}
			for len(p.socket.waiting) > 0 {
				if n, err := p.socket.Receive(p.buffer); err == nil {
					split(p.buffer[:n])
				} else if !errors.Is(err, genl.ErrOverrun) {
					t.Fatal(err)
				}
			}
			check(t, k)
			if err := k.Advance(100 * 1e9); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// A complaint in words says where in the request the attribute is.
func TestComplaintSaysWhere(t *testing.T) {
	p := dialTest(t, New(Options{Release: oldRelease}))
	for name, c := range map[string]struct {
		command uint8
		attrs   []byte
		errno   errno
		want    uint32
	}{
		"top": {cmdSetConfig, append(appendU32(nil, topTimeoutTCP, 5), appendU16(nil, topTimeoutUDP, 5)...), erange, 16 + 4 + 8},
		"daemon": {cmdNewDaemon, nest(topDaemon, func(b []byte) []byte {
			return appendU8(appendU32(b, daemonState, 1), daemonSyncID, 1)
		}), einval, 16 + 4 + 4 + 8},
	} {
		p.send(c.command, 0, c.attrs)
		got := p.receive()[0]
		var ack attributes
		ack.parse(got.body[4+headerLen:], []rule{attrAckText: {text, 100}, attrAckOffset: {atLeast, 4}})
		if got.errno() != c.errno || got.flags != flagCapped|flagAckAttrs || ack.u32(attrAckOffset) != c.want {
			t.Errorf("%s: errno %d, flags %#x, offset %d; want %d, %#x, %d",
				name, got.errno(), got.flags, ack.u32(attrAckOffset), c.errno, flagCapped|flagAckAttrs, c.want)
		}
	}
}

// The controller knows IPVS by name and by number, and nothing else.
func TestController(t *testing.T) {
	p := dialTest(t, New(Options{Release: oldRelease}))
	for name, c := range map[string]struct {
		attrs []byte
		want  errno
	}{
		"by name":        {appendText(nil, ctrlFamilyName, "IPVS"), 0},
		"by number":      {appendU16(nil, ctrlFamilyID, familyID), 0},
		"other name":     {appendText(nil, ctrlFamilyName, "ipvs"), enoent},
		"other number":   {appendU16(nil, ctrlFamilyID, 99), enoent},
		"nothing":        {nil, einval},
		"too long":       {appendText(nil, ctrlFamilyName, "abcdefghijklmnop"), einval},
		"short number":   {appendU8(nil, ctrlFamilyID, 1)[:5], erange},
		"name and other": {append(appendU16(nil, ctrlFamilyID, 99), appendText(nil, ctrlFamilyName, "IPVS")...), 0},
	} {
		t.Run(name, func(t *testing.T) {
			if err := p.socket.Send(appendRequest(nil, controllerID, flagRequest, 1, ctrlGetFamily, c.attrs)); err != nil {
				t.Fatal(err)
			}
			got := p.receive()[0]
			if c.want != 0 {
				if got.kind != typeError || got.errno() != c.want {
					t.Errorf("answered with %+v, want errno %d", got, c.want)
				}
				return
			}
			var a attributes
			a.parse(got.body[genericLen:], controllerRules)
			if got.kind != controllerID || a.u16(ctrlFamilyID) != familyID || string(a.text(ctrlFamilyName)) != "IPVS" {
				t.Errorf("answered with %+v", got)
			}
		})
	}
}

// Servers with addresses that no host can have are refused.
func TestAddresses(t *testing.T) {
	a := newAddresses([]Interface{loopback, {Name: "eth0", Addrs: []netip.Prefix{
		netip.MustParsePrefix("192.0.2.130/25"), netip.MustParsePrefix("192.0.2.66/31"), netip.MustParsePrefix("fe80::5/64"),
	}}})
	for addr, want := range map[string]bool{
		"192.0.2.130": true, "192.0.2.255": false, "192.0.2.128": true, "192.0.2.127": true, "192.0.2.67": true,
		"127.0.0.1": true, "127.255.255.255": false, "127.9.9.9": true,
		"0.0.0.0": false, "0.0.0.1": true, "255.255.255.255": false, "240.0.0.1": true, "224.0.0.1": false,
		"::": false, "::1": true, "::2": true, "fe80::5": true, "fe80::6": false, "fec0::1": true, "ff02::1": false,
		"::ffff:10.0.0.1": false, "fd00::1": true,
	} {
		if got := a.canServe(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %t, want %t", addr, got, want)
		}
	}
}

// The order of services is the seed's, with marks last before 7.1.
func TestServiceOrder(t *testing.T) {
	order := func(r release.Release, seed uint64) (all []string) {
		k := New(Options{Release: r, Seed: seed})
		p := dialTest(t, k)
		for i := range 50 {
			p.must(cmdNewService, markAttrs(uint32(i+1)))
			p.must(cmdNewService, serviceAttrs(netip.AddrPortFrom(testVIP.Addr(), uint16(i)), "rr"))
		}
		check(t, k)
		for s := range k.services.all() {
			all = append(all, fmt.Sprint(s.key.mark, s.key.port))
		}
		return all
	}
	isMark := func(s string) bool { return s[0] != '0' }
	for _, r := range []release.Release{oldRelease, newRelease} {
		one := order(r, 1)
		if !slices.Equal(one, order(r, 1)) || slices.Equal(one, order(r, 2)) {
			t.Errorf("%s: the seed does not decide the order", r)
		}
		first := slices.IndexFunc(one, isMark)
		if apart := !slices.ContainsFunc(one[first:], func(s string) bool { return !isMark(s) }); apart == r.OwnTables() {
			t.Errorf("%s: marks stand apart: %t", r, apart)
		}
	}
}

func BenchmarkAddServer(b *testing.B) {
	k := New(Options{Release: oldRelease})
	p := dialTest(b, k)
	p.must(cmdNewService, serviceAttrs(testVIP, "rr"))
	const n = 100
	var add, remove []byte
	for i := range n {
		add = appendRequest(add, familyID, flagRequest, 0, cmdNewDest, destAttrs(testVIP, testRIP(i)))
		remove = appendRequest(remove, familyID, flagRequest, 0, cmdDelDest, destAttrs(testVIP, testRIP(i)))
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, datagram := range [][]byte{add, remove} {
			if err := p.socket.Send(datagram); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(2*n), "ns/change")
}

func BenchmarkAddService(b *testing.B) {
	k := New(Options{Release: oldRelease})
	p := dialTest(b, k)
	const n = 100
	var add []byte
	for i := range n {
		add = appendRequest(add, familyID, flagRequest, 0, cmdNewService, serviceAttrs(netip.AddrPortFrom(testVIP.Addr(), uint16(i)), "wlc"))
	}
	flush := appendRequest(nil, familyID, flagRequest, 0, cmdFlush, nil)
	b.ReportAllocs()
	for b.Loop() {
		for _, datagram := range [][]byte{add, flush} {
			if err := p.socket.Send(datagram); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/service")
}

func BenchmarkListServices(b *testing.B) {
	k := New(Options{Release: newRelease})
	p := dialTest(b, k)
	const n = 5000
	for i := range n {
		vip := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1}), uint16(i))
		p.must(cmdNewService, serviceAttrs(vip, "rr"))
	}
	b.ReportAllocs()
	for b.Loop() {
		p.send(cmdGetService, flagDump, nil)
		for done := false; !done; {
			_, err := p.socket.Receive(p.buffer)
			if err != nil {
				b.Fatal(err)
			}
			done = binary.NativeEndian.Uint16(p.buffer[4:]) == typeDone
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/service")
}
