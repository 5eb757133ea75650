package sched

import (
	"net/netip"
	"testing"
)

// to is a flow to one of many addresses at a moment.
func to(address int, now int64) *Flow {
	a := netip.AddrFrom4([4]byte{10, byte(address >> 16), byte(address >> 8), byte(address)})
	return &Flow{Dest: netip.AddrPortFrom(a, 80), Now: now}
}

// The kernel's tests gave five connections to a server that takes two.
func TestLocalityIgnoresOverload(t *testing.T) {
	n := newNamed(t, "lblc", Options{}, 1, 1)
	b := n.servers[1]
	n.Pick(to(1, 0))
	b.Overloaded = true
	n.Counted(b)
	if got := n.Pick(to(1, 1)); got != b {
		t.Errorf("picked %s, want B again", n.letter(got))
	}
	if got := n.Pick(to(2, 1)); got != n.servers[0] {
		t.Errorf("for another address: picked %s, want A", n.letter(got))
	}
}

// A server that comes back is the one that was remembered.
func TestLocalityRevival(t *testing.T) {
	n := newNamed(t, "lblc", Options{}, 1, 1)
	a, b := n.servers[0], n.servers[1]
	n.Pick(to(1, 0)) // B
	n.Remove(b)
	n.Add(b)
	n.Remove(a)
	n.Add(a) // is the first now
	if got := n.Pick(to(1, 1)); got != b {
		t.Errorf("picked %s, want B", n.letter(got))
	}
}

// Thirty minutes pass from one look at all entries to the next, and what was not
// used for as long as the expiration goes.
func TestCacheExpires(t *testing.T) {
	const look = 30 * cacheSweep
	for _, c := range []struct {
		used    int64
		entries int
	}{{look - 1000, 0}, {look - 999, 1}} {
		const start = 77
		o := Options{Now: start, LBLCExpiration: func() int64 { return 1000 }}
		l := newLocalityBased(o)
		n := newNamed(t, "rr", o, 1)
		if err := n.Schedule(l); err != nil {
			t.Fatal(err)
		}
		n.Pick(to(1, start+c.used))
		l.cache.use(netip.Addr{}, start+look-1)
		if l.cache.entries != 1 {
			t.Fatal("forgot too early")
		}
		l.cache.use(netip.Addr{}, start+look)
		if l.cache.entries != c.entries {
			t.Errorf("used at %d: %d entries, want %d", c.used, l.cache.entries, c.entries)
		}
	}
}

// fill uses a number of addresses, each on its first server.
func fill(n *named, from, addresses int, now int64) {
	for i := range addresses {
		n.Pick(to(from+i, now))
	}
}

func TestCacheShrinksEarly(t *testing.T) {
	n := newNamed(t, "lblc", Options{}, 1)
	c := &n.by.(*localityBased).cache
	fill(n, 0, 20000, 0)
	c.use(netip.Addr{}, cacheIdle-1)
	if c.entries != 20000 {
		t.Fatalf("%d entries before six minutes", c.entries)
	}
	c.use(netip.Addr{}, cacheIdle)
	goal := (20000 - 16384) * 4 / 3
	gone := 20000 - c.entries
	if gone < goal || gone > goal+100 { // whole buckets go
		t.Errorf("%d are gone, want %d", gone, goal)
	}
	rover := c.rover
	for i, b := range c.buckets {
		if swept := 0 < i && i <= rover; swept != (len(b) == 0) {
			t.Errorf("bucket %d has %d entries, and the last one swept was %d", i, len(b), rover)
		}
	}
	c.use(netip.Addr{}, cacheIdle+cacheSweep)
	if c.entries != 20000-gone || c.rover != rover {
		t.Errorf("a small cache shrank to %d", c.entries)
	}
	fill(n, 1<<20, 40000, cacheIdle+cacheSweep)
	entries := c.entries
	c.use(netip.Addr{}, cacheIdle+2*cacheSweep)
	if gone := entries - c.entries; gone < 8192 || gone > 8300 {
		t.Errorf("%d are gone, want 8192 at most but for the last bucket", gone)
	}
}

func TestCacheLimit(t *testing.T) {
	for _, name := range []string{"lblc", "lblcr"} {
		n := newNamed(t, name, Options{CacheLimit: 3}, 1)
		fill(n, 0, 5, 0)
		entries := 0
		switch by := n.by.(type) {
		case *localityBased:
			entries = by.cache.entries
		case *localityBasedReplicated:
			entries = by.cache.entries
		}
		if entries != 3 {
			t.Errorf("%s: %d entries, want 3", name, entries)
		}
	}
}

// Kernels without a limit count an entry again when its server is replaced.
func TestCacheCountDrifts(t *testing.T) {
	for limit, want := range map[int]int{0: 2, 100: 1} {
		n := newNamed(t, "lblc", Options{CacheLimit: limit}, 1, 1)
		n.Pick(to(1, 0))
		n.Remove(n.servers[1])
		n.Pick(to(1, 0))
		if got := n.by.(*localityBased).cache.entries; got != want {
			t.Errorf("limit %d: counts %d entries, want %d", limit, got, want)
		}
	}
}

// A set loses a server only later than the expiration after its last change.
func TestReplicasShrink(t *testing.T) {
	const expiration = 1000
	o := Options{LBLCRExpiration: func() int64 { return expiration }}
	n := newNamed(t, "lblcr", o, 1, 9)
	b := n.servers[1]
	n.Pick(to(1, 0)) // B
	b.Active = 10
	n.Counted(b)
	n.servers[0].Weight = 100 // and relaxed
	n.Edited(n.servers[0])
	n.Pick(to(1, 5)) // A, too
	l := n.by.(*localityBasedReplicated)
	for _, c := range []struct {
		now  int64
		want int
	}{{5 + expiration, 2}, {6 + expiration, 1}} {
		f := to(1, c.now)
		n.Pick(f)
		if got := len(l.cache.use(f.Dest.Addr(), c.now).value.servers); got != c.want {
			t.Errorf("at %d: %d servers, want %d", c.now, got, c.want)
		}
	}
}
