package sched

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
)

type refDH struct {
	l       *refList
	buckets [256]*Server
}

func (r *refDH) attach(l *refList) { r.l = l; r.added() }
func (r *refDH) removed(int)       { r.added() }
func (r *refDH) edited()           {}
func (r *refDH) state() string     { return "" }

func (r *refDH) added() {
	for i := range r.buckets {
		r.buckets[i] = nil
		if n := len(r.l.servers); n > 0 {
			r.buckets[i] = r.l.servers[i%n]
		}
	}
}

func (r *refDH) pick(f *Flow) *Server {
	s := r.buckets[f.hash(f.Dest.Addr(), 0, 8)]
	if s == nil || !s.Available || s.Weight <= 0 || s.Overloaded {
		return nil
	}
	return s
}

// hash is hash_32 of an IPv4 address and a port.
func (f *Flow) hash(a netip.Addr, port uint16, bits int) int {
	v := uint64(binary.BigEndian.Uint32(a.AsSlice())) + uint64(port)
	return int(v * 0x61C88647 % (1 << 32) >> (32 - bits))
}

// port is the client's if it counts.
func (f *Flow) port() uint16 {
	if f.Flags&0x10 != 0 && (f.Protocol == 6 || f.Protocol == 17 || f.Protocol == 132) {
		return f.Client.Port()
	}
	return 0
}

type refSH struct {
	l       *refList
	bits    int
	buckets []*Server
}

func (r *refSH) attach(l *refList) { r.l = l; r.edited() }
func (r *refSH) added()            { r.edited() }
func (r *refSH) removed(int)       { r.edited() }
func (r *refSH) state() string     { return "" }

func (r *refSH) edited() {
	r.buckets = make([]*Server, 1<<r.bits)
	at, got := 0, 0
	for i := range r.buckets {
		if len(r.l.servers) == 0 {
			return
		}
		s := r.l.servers[at%len(r.l.servers)]
		r.buckets[i] = s
		if got++; got >= int(s.Weight) {
			at, got = at+1, 0
		}
	}
}

func (r *refSH) pick(f *Flow) *Server {
	h := f.hash(f.Client.Addr(), f.port(), r.bits)
	s := r.buckets[h]
	if s == nil || (s.Weight > 0 && !s.Overloaded) {
		return s
	}
	if f.Flags&0x8 == 0 {
		return nil
	}
	size := 1 << r.bits
	for o := range size {
		if s := r.buckets[((o+h)%size+h)%size]; s.Weight > 0 && !s.Overloaded {
			return s
		}
	}
	return nil
}

type refMH struct {
	l       *refList
	index   int
	m       int
	buckets []*Server
}

func (r *refMH) attach(l *refList) { r.l = l; r.edited() }
func (r *refMH) added()            { r.edited() }
func (r *refMH) removed(int)       { r.edited() }
func (r *refMH) state() string     { return "" }

func (r *refMH) edited() {
	n := len(r.l.servers)
	if n > r.m {
		return
	}
	r.buckets = make([]*Server, r.m)
	g, most := 0, 0
	for _, s := range r.l.servers {
		w := int(s.LastWeight)
		most = max(most, w)
		for a, b := g, w; ; a, b = b, a%b {
			if b == 0 {
				g = a
				break
			}
		}
	}
	if g == 0 {
		return
	}
	shift := 0
	for most/g>>shift >= 1<<(r.index/2) {
		shift++
	}
	position := make([]int, n)
	for i, s := range r.l.servers {
		position[i] = int(sipHash(r.key(s.Addr), 2654435761) % uint32(r.m))
	}
	for left := r.m; ; {
		for i, s := range r.l.servers {
			skip := int(sipHash(r.key(s.Addr), 2654446892)%uint32(r.m-1)) + 1
			turns := int(s.LastWeight) / g >> shift
			if s.LastWeight != 0 {
				turns = max(turns, 1)
			}
			for range turns {
				for r.buckets[position[i]] != nil {
					position[i] = (position[i] + skip) % r.m
				}
				r.buckets[position[i]] = s
				if left--; left == 0 {
					return
				}
			}
		}
	}
}

func (r *refMH) key(a netip.AddrPort) uint32 {
	return binary.BigEndian.Uint32(a.Addr().AsSlice()) + uint32(a.Port())
}

func (r *refMH) pick(f *Flow) *Server {
	v := r.key(netip.AddrPortFrom(f.Client.Addr(), f.port()))
	b := int(sipHash(v, 2654435761) % uint32(r.m))
	s := r.buckets[b]
	if s == nil || (s.Weight > 0 && !s.Overloaded) {
		return s
	}
	if f.Flags&0x8 == 0 {
		return nil
	}
	for o := range r.m {
		s := r.buckets[int(sipHash(v+uint32((o+b)%r.m), 2654435761)%uint32(r.m))]
		if s == nil || (s.Weight > 0 && !s.Overloaded) {
			return s
		}
	}
	return nil
}

// refCache is the timer of lblc and lblcr as long as there are few entries. Its
// sets are newest first.
type refCache struct {
	refStateless
	entries    map[netip.Addr]*refEntry
	expiration int64
	ticked     int64
	counter    int
}

type refEntry struct {
	set            []*Server
	used, modified int64
}

func (c *refCache) init(expiration int64) *refCache {
	c.entries = make(map[netip.Addr]*refEntry)
	c.expiration, c.counter = expiration, 1
	return c
}

func (c *refCache) startAt(now int64) { c.ticked = now }

func (c *refCache) state() string { return fmt.Sprint(len(c.entries)) }

func (c *refCache) get(f *Flow) *refEntry {
	for c.ticked+60*250 <= f.Now {
		c.ticked += 60 * 250
		if c.counter%30 != 0 {
			c.counter++
			continue
		}
		c.counter = 1
		for a, e := range c.entries {
			if c.ticked-e.used >= c.expiration {
				delete(c.entries, a)
			}
		}
	}
	e := c.entries[f.Dest.Addr()]
	if e != nil {
		e.used = f.Now
	}
	return e
}

func (c *refCache) busy(s *Server) bool {
	if s.Active <= s.Weight {
		return false
	}
	for _, d := range c.l.servers {
		if 2*d.Active < d.Weight {
			return true
		}
	}
	return false
}

type refLBLC struct{ refCache }

func (r *refLBLC) pick(f *Flow) *Server {
	e := r.get(f)
	if e != nil {
		if s := e.set[0]; s.Available && s.Weight > 0 && !r.busy(s) {
			return s
		}
	}
	s := r.l.wlc()
	if s != nil {
		r.entries[f.Dest.Addr()] = &refEntry{set: []*Server{s}, used: f.Now}
	}
	return s
}

type refLBLCR struct{ refCache }

func (r *refLBLCR) pick(f *Flow) *Server {
	e := r.get(f)
	if e == nil {
		s := r.l.wlc()
		if s != nil {
			r.entries[f.Dest.Addr()] = &refEntry{set: []*Server{s}, used: f.Now, modified: f.Now}
		}
		return s
	}
	there := &refList{totals: r.l.totals}
	for _, s := range e.set {
		if s.Available {
			there.servers = append(there.servers, s)
		}
	}
	m := there.wlc()
	if len(e.set) > 1 && f.Now > e.modified+r.expiration {
		var most *Server
		for _, s := range e.set {
			if s.Weight > 0 && (most == nil ||
				int64(r.l.load(s))*int64(most.Weight) > int64(r.l.load(most))*int64(s.Weight)) {
				most = s
			}
		}
		if most != nil {
			at := slices.Index(e.set, most)
			e.set = slices.Delete(e.set, at, at+1)
			e.modified = f.Now
		}
	}
	if m != nil && !r.busy(m) {
		return m
	}
	s := r.l.wlc()
	if s != nil && !slices.Contains(e.set, s) {
		e.set = slices.Insert(e.set, 0, s)
		e.modified = f.Now
	}
	return s
}
