package sched

import (
	"math"
	"net/netip"
)

const (
	cacheBits     = 10
	cacheSize     = 16 << 10 // with more entries, idle ones are dropped early
	cacheSweep    = 60 * HZ  // between two sweeps
	cacheIdle     = 6 * 60 * HZ
	cacheFull     = 30 // sweeps of a small cache until all entries are looked at
	dayTicks      = 24 * 60 * 60 * HZ
	cacheGoalMost = cacheSize / 2
)

// cache remembers a value for each address that clients connect to, until it was not
// used for a while. The kernel sweeps it every minute; here each access makes up for the
// minutes that went by.
type cache[V any] struct {
	buckets    [1 << cacheBits]map[netip.Addr]*cached[V]
	entries    int
	limit      int          // 0: none
	expiration func() int64 // ticks
	next       int64        // sweep
	sweeps     int
	rover      int // the bucket that was swept last
}

type cached[V any] struct {
	value V
	used  int64
}

func newCache[V any](o Options, expiration func() int64) cache[V] {
	if expiration == nil {
		expiration = func() int64 { return dayTicks }
	}
	return cache[V]{limit: o.CacheLimit, expiration: expiration, next: o.Now + cacheSweep, sweeps: 1}
}

func (c *cache[V]) bucket(a netip.Addr) *map[netip.Addr]*cached[V] {
	return &c.buckets[hash32(fold(a), cacheBits)]
}

// use returns the entry of an address, or nil, and marks it as used.
func (c *cache[V]) use(a netip.Addr, now int64) *cached[V] {
	e := c.peek(a, now)
	if e != nil {
		e.used = now
	}
	return e
}

// peek returns the entry of an address, or nil.
func (c *cache[V]) peek(a netip.Addr, now int64) *cached[V] {
	for ; c.next <= now; c.next += cacheSweep {
		c.sweep(c.next)
	}
	return (*c.bucket(a))[a]
}

// full reports whether the limit is reached.
func (c *cache[V]) full() bool { return c.limit > 0 && c.entries >= c.limit }

// add adds an entry for an address that has none.
func (c *cache[V]) add(a netip.Addr, v V, now int64) {
	if c.full() {
		return
	}
	b := c.bucket(a)
	if *b == nil {
		*b = make(map[netip.Addr]*cached[V])
	}
	(*b)[a] = &cached[V]{value: v, used: now}
	c.entries++
}

// replace changes the value of an entry. Kernels without a limit count the entry again.
func (c *cache[V]) replace(e *cached[V], v V) {
	if c.full() {
		return
	}
	e.value = v
	if c.limit == 0 {
		c.entries++
	}
}

// sweep does what the kernel's timer does.
func (c *cache[V]) sweep(now int64) {
	switch {
	case c.sweeps == cacheFull:
		c.drop(now-c.expiration(), math.MaxInt)
		c.sweeps = 1
	case c.entries > cacheSize:
		c.drop(now-cacheIdle, min((c.entries-cacheSize)*4/3, cacheGoalMost))
	default:
		c.sweeps++
	}
}

// drop drops entries that were not used after a moment, bucket by bucket, until as many
// as the goal are gone.
func (c *cache[V]) drop(since int64, goal int) {
	for range len(c.buckets) {
		c.rover = (c.rover + 1) % len(c.buckets)
		for a, e := range c.buckets[c.rover] {
			if e.used <= since {
				delete(c.buckets[c.rover], a)
				c.entries--
				goal--
			}
		}
		if goal <= 0 {
			return
		}
	}
}
