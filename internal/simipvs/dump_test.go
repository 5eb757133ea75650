package simipvs

import (
	"net/netip"
	"slices"
	"testing"
)

// listed returns the addresses of servers that messages tell of, and whether
// the listing has ended.
func listed(answers []answer) (all []netip.Addr, done bool) {
	for _, a := range answers {
		if a.kind == typeDone {
			return all, true
		}
		var top, d attributes
		top.parse(a.body[genericLen:], topRules)
		d.parse(top[topDest], destRules)
		all = append(all, netip.AddrFrom4([4]byte(d[destAddr])))
	}
	return all, false
}

// rest receives a listing to its end.
func (p *peer) rest() (all []netip.Addr) {
	p.t.Helper()
	for {
		some, done := listed(p.receive())
		if all = append(all, some...); done {
			return all
		}
	}
}

func withServers(t *testing.T, n int) *Kernel {
	k := New(Options{Release: oldRelease})
	p := dialTest(t, k)
	p.must(cmdNewService, serviceAttrs(testVIP, "rr"))
	for i := range n {
		p.must(cmdNewDest, destAttrs(testVIP, testRIP(i)))
	}
	return k
}

// The first datagram of a listing is small on a new socket. Later ones are as
// large as the buffer of the reader, up to 32 KiB, and the end comes alone.
func TestDumpDatagrams(t *testing.T) {
	const n = 300
	k := withServers(t, n)
	for _, c := range []struct {
		buffer int
		again  bool // on a socket that was listed on before
		most   []int
	}{
		{1 << 16, false, []int{3776, 32448, 32448, 32448, 32448}},
		{1 << 16, true, []int{32448, 32448, 32448, 32448}},
		{8192, false, append([]int{3776}, slices.Repeat([]int{8192}, 13)...)},
	} {
		p := dialTest(t, k)
		p.buffer = make([]byte, c.buffer)
		if c.again {
			p.send(cmdGetDest, flagDump, keyAttrs(testVIP))
			p.rest()
		}
		p.send(cmdGetDest, flagDump, keyAttrs(testVIP))
		var sizes []int
		for total := 0; ; {
			size, err := p.socket.Receive(p.buffer)
			if err != nil {
				t.Fatal(err)
			}
			if some, done := listed(split(p.buffer[:size])); !done {
				total += len(some)
				sizes = append(sizes, size)
			} else if len(some) > 0 || total != n {
				t.Fatalf("%d servers are listed before the end and %d beside it, want %d and 0", total, len(some), n)
			} else {
				break
			}
		}
		if len(sizes) != len(c.most) {
			t.Fatalf("buffer %d: %d datagrams of %v bytes, want %d", c.buffer, len(sizes), sizes, len(c.most))
		}
		for i, size := range sizes {
			if size > c.most[i] || i < len(sizes)-1 && size < c.most[i]-400 {
				t.Errorf("buffer %d: datagram %d is %d bytes, want little less than %d", c.buffer, i, size, c.most[i])
			}
		}
	}
}

// A listing continues by position, so that changes in between make it repeat some
// entries and omit others.
func TestDumpByPosition(t *testing.T) {
	const n = 100
	for name, c := range map[string]struct {
		change func(p *peer, told []netip.Addr)
		want   func(told, untold []netip.Addr) []netip.Addr // what follows
	}{
		"nothing": {func(*peer, []netip.Addr) {}, func(_, untold []netip.Addr) []netip.Addr { return untold }},
		"two that were told are removed": {
			func(p *peer, told []netip.Addr) {
				for _, addr := range told[:2] {
					p.must(cmdDelDest, destAttrs(testVIP, netip.AddrPortFrom(addr, 80)))
				}
			},
			func(_, untold []netip.Addr) []netip.Addr { return untold[2:] },
		},
		"one is added": {
			func(p *peer, _ []netip.Addr) { p.must(cmdNewDest, destAttrs(testVIP, testRIP(n))) },
			func(told, untold []netip.Addr) []netip.Addr { return append(told[len(told)-1:], untold...) },
		},
		"the service goes": {
			func(p *peer, _ []netip.Addr) { p.must(cmdDelService, keyAttrs(testVIP)) },
			func(_, _ []netip.Addr) []netip.Addr { return nil },
		},
	} {
		t.Run(name, func(t *testing.T) {
			k := withServers(t, n)
			var all []netip.Addr // newest first
			for i := range n {
				all = append(all, testRIP(n-1-i).Addr())
			}
			p := dialTest(t, k)
			p.buffer = make([]byte, 4096)
			p.send(cmdGetDest, flagDump, keyAttrs(testVIP))
			first, _ := listed(p.receive()) // which lets the kernel make the second
			c.change(dialTest(t, k), all[:2])
			next, _ := listed(p.receive())
			told := all[:len(first)+len(next)]
			if got, want := slices.Concat(first, next), told; !slices.Equal(got, want) {
				t.Fatalf("the first two datagrams tell %v, want %v", got, want)
			}
			if got, want := p.rest(), c.want(slices.Clone(told), all[len(told):]); !slices.Equal(got, want) {
				t.Errorf("then follow %v, want %v", got, want)
			}
		})
	}
}

// One listing at a time is made on a socket, and another can follow.
func TestDumpsInTurn(t *testing.T) {
	p := dialTest(t, withServers(t, 100))
	p.send(cmdGetDest, flagDump, keyAttrs(testVIP))
	p.send(cmdGetDest, flagDump, keyAttrs(testVIP))
	p.receive()
	if got := p.receive()[0]; got.kind != typeError || got.errno() != ebusy {
		t.Fatalf("a second listing is answered with %+v, want EBUSY", got)
	}
	p.rest()
	p.send(cmdGetDest, flagDump, keyAttrs(testVIP))
	if all := p.rest(); len(all) != 100 {
		t.Errorf("a listing after that tells %d servers, want 100", len(all))
	}
}
