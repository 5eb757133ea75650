package sched

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
)

func client(a string) *Flow {
	return &Flow{Client: netip.AddrPortFrom(netip.MustParseAddr(a), 12345), Protocol: tcp}
}

func TestHash32(t *testing.T) {
	for _, c := range []struct {
		addr              string
		bits8, bits10, at uint32 // at: with the port, 8 bits
	}{
		{"10.0.0.1", 39, 159, 134},
		{"192.168.1.10", 248, 995, 87},
		{"203.0.113.7", 124, 499, 219},
		{"255.255.255.255", 158, 632, 253},
		{"0.0.0.0", 0, 0, 94},
	} {
		f := client(c.addr)
		v := clientKey(f)
		f.Flags = flagSourcePort
		if a, b, at := hash32(v, 8), hash32(v, 10), hash32(clientKey(f), 8); a != c.bits8 || b != c.bits10 || at != c.at {
			t.Errorf("%s: %d, %d, with port %d, want %+v", c.addr, a, b, at, c)
		}
	}
}

func TestClientKey(t *testing.T) {
	f := client("10.0.0.1")
	f.Flags = flagSourcePort
	for protocol, want := range map[uint8]uint32{tcp: 0x0a00303a, udp: 0x0a00303a, sctp: 0x0a00303a, 50: 0x0a000001} {
		f.Protocol = protocol
		if got := clientKey(f); got != want {
			t.Errorf("protocol %d: %#x, want %#x", protocol, got, want)
		}
	}
}

func TestFold(t *testing.T) {
	if got := fold(netip.MustParseAddr("1020:3040:0102:0304:1000:0000:0000:0005")); got != 0x1020304^0x10203040^0x10000005 {
		t.Errorf("%#x", got)
	}
}

func TestSipHash(t *testing.T) {
	for _, c := range []struct {
		addr        string
		one, two, m uint32
	}{
		{"10.0.0.1", 50859236, 1224331457, 3711},
		{"192.168.1.10", 3588839862, 3723439405, 3323},
		{"203.0.113.7", 2825792533, 674756961, 1705},
		{"0.0.0.0", 492468162, 4169286463, 2495},
	} {
		v := fold(netip.MustParseAddr(c.addr))
		if one, two := sipHash(v, maglevKey1), sipHash(v, maglevKey2); one != c.one || two != c.two || one%4093 != c.m {
			t.Errorf("%s: %d, %d, want %+v", c.addr, one, two, c)
		}
	}
}

// buckets are the letters of the servers in the first buckets.
func (n *named) buckets(of []*Server) string {
	var text strings.Builder
	for _, s := range of {
		text.WriteString(n.letter(s))
	}
	return text.String()
}

func (n *named) pickFor(clients ...string) string {
	var text string
	for _, c := range clients {
		text += n.letter(n.Pick(client(c)))
	}
	return text
}

func TestDestinationHashing(t *testing.T) {
	n := newNamed(t, "dh", Options{}, 1, 1, 1)
	d := n.by.(*destinationHashing)
	if got := n.buckets(d.buckets[:7]); got != "CBACBAC" {
		t.Errorf("buckets %s", got)
	}
	to := &Flow{Dest: netip.MustParseAddrPort("10.0.0.1:80")} // bucket 39
	if got := n.letter(n.Pick(to)); got != "C" {
		t.Errorf("picked %s, want C", got)
	}
	n.servers[2].Weight = 0
	n.Edited(n.servers[2])
	if got := n.letter(n.Pick(to)); got != "-" {
		t.Errorf("picked %s, but C takes nothing", got)
	}
}

func TestSourceHashing(t *testing.T) {
	n := newNamed(t, "sh", Options{}, 1, 2, 1)
	if got := n.buckets(n.by.(*sourceHashing).buckets[:12]); got != "CBBACBBACBBA" {
		t.Errorf("buckets %s", got)
	}
	if got := n.pickFor("10.0.0.1", "192.168.1.10", "203.0.113.7"); got != "ACC" {
		t.Errorf("picked %s, want ACC", got)
	}
	n = newNamed(t, "sh", Options{}, 2, 0, 1)
	if got := n.buckets(n.by.(*sourceHashing).buckets[:8]); got != "CBAACBAA" {
		t.Errorf("buckets %s", got)
	}
	n = newNamed(t, "sh", Options{SHBits: 4}, 10, 10)
	if got := n.buckets(n.by.(*sourceHashing).buckets); got != "BBBBBBBBBBAAAAAA" {
		t.Errorf("buckets %s", got)
	}
}

func TestMaglev(t *testing.T) {
	n := newNamed(t, "mh", Options{}, 1, 1, 1)
	m := n.by.(*maglev)
	for _, p := range m.permutations() {
		want := map[string][2]uint32{"C": {3844, 1906}, "B": {2949, 1114}, "A": {2866, 3185}}[n.letter(p.server)]
		if p.at != want[0] || p.skip != want[1] {
			t.Errorf("%s: %d/%d, want %v", n.letter(p.server), p.at, p.skip, want)
		}
	}
	if got := n.pickFor("10.0.0.1", "192.168.1.10", "203.0.113.7"); got != "CCB" {
		t.Errorf("picked %s, want CCB", got)
	}
	if got := n.buckets(m.buckets[:40]); got != "BCBAAAAACBCBCBCBCAAAACBCBCBCBCBAABCBCBCB" {
		t.Errorf("buckets %s", got)
	}
	for _, c := range []struct {
		weights []int32
		want    [3]int
	}{
		{[]int32{1, 1, 1}, [3]int{1364, 1364, 1365}},
		{[]int32{1, 2, 3}, [3]int{682, 1364, 2047}},
		{[]int32{100, 50, 1}, [3]int{2689, 1350, 54}},
	} {
		n := newNamed(t, "mh", Options{}, c.weights...)
		n.Pick(client("10.0.0.1"))
		all := n.buckets(n.by.(*maglev).buckets)
		if got := [3]int{strings.Count(all, "A"), strings.Count(all, "B"), strings.Count(all, "C")}; got != c.want {
			t.Errorf("weights %v: %v buckets, want %v", c.weights, got, c.want)
		}
	}
}

// More servers than buckets are an error at first, and later leave everything as
// it is.
func TestMaglevFull(t *testing.T) {
	n := newNamed(t, "mh", Options{MHIndex: 8})
	m := n.by.(*maglev)
	for i := range 253 {
		s := &Server{Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, 1, byte(i)}), 80), Weight: 1, LastWeight: 1}
		n.servers = append(n.servers, s)
		n.Add(s)
	}
	n.Pick(client("10.0.0.1"))
	has := func(i int) bool {
		for _, s := range m.buckets {
			if s == n.servers[i] {
				return true
			}
		}
		return false
	}
	if !has(0) || !has(250) || has(251) || has(252) {
		t.Error("the buckets are not those of the first 251 servers")
	}
	if err := n.Schedule(newMaglev(Options{MHIndex: 8})); err == nil || n.by != m {
		t.Errorf("253 servers for 251 buckets: %v", err)
	}
	n.Remove(n.servers[0])
	if n.Pick(client("10.0.0.1")); !has(0) {
		t.Error("252 servers moved buckets")
	}
	n.Remove(n.servers[1])
	if n.Pick(client("10.0.0.1")); has(0) || has(1) || !has(252) {
		t.Error("251 servers did not get the buckets")
	}
}

// The kernel folds the address of an IPv6 server as the service's family has it.
func TestMaglevMixedFamilies(t *testing.T) {
	a := netip.MustParseAddr("2001:db8::1")
	if got := newMaglev(Options{}).fold(a); got != 0x20010db8^1 {
		t.Errorf("IPv6: %#x", got)
	}
	if got := newMaglev(Options{IPv4: true}).fold(a); got != 0x20010db8 {
		t.Errorf("IPv4: %#x", got)
	}
}

func TestTwoChoicesFavoursTheFirst(t *testing.T) {
	n := newNamed(t, "twos", Options{Rand: rand.NewPCG(1, 2)}, 1, 2, 3)
	count := map[string]int{}
	for range 70000 {
		count[n.letter(n.Pick(&Flow{}))]++
	}
	for letter, want := range map[string]int{"C": 40000, "B": 20000, "A": 10000} {
		if got := count[letter]; got < want-500 || got > want+500 {
			t.Errorf("%s: %d of 70000, want about %d", letter, got, want)
		}
	}
}
