package sched

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
)

// reference is a scheduler written down as the kernel's is described: it walks
// the list. It has its own list, so that nothing is shared with what it judges.
type reference interface {
	attach(l *refList)
	added()
	removed(at int) // the index that the server had
	edited()
	pick(f *Flow) *Server
	state() string
}

type refList struct {
	totals  bool
	servers []*Server // newest first
	by      reference
}

func (l *refList) add(s *Server) {
	l.servers = slices.Insert(l.servers, 0, s)
	l.by.added()
}

func (l *refList) remove(s *Server) {
	at := slices.Index(l.servers, s)
	l.servers = slices.Delete(l.servers, at, at+1)
	l.by.removed(at)
}

func (l *refList) schedule(by reference) {
	l.by = by
	by.attach(l)
}

func (l *refList) load(s *Server) int32 {
	if l.totals {
		return s.Active*256 + (s.Active + s.Inactive)
	}
	return s.Active*256 + s.Inactive
}

// refStateless is what references without a state have in common.
type refStateless struct{ l *refList }

func (r *refStateless) attach(l *refList) { r.l = l }
func (r *refStateless) added()            {}
func (r *refStateless) removed(int)       {}
func (r *refStateless) edited()           {}
func (r *refStateless) state() string     { return "" }

type refRR struct {
	l  *refList
	at int // -1 is the head
}

func (r *refRR) attach(l *refList) { r.l, r.at = l, -1 }
func (r *refRR) edited()           {}
func (r *refRR) state() string     { return fmt.Sprint(r.at) }

func (r *refRR) added() {
	if r.at >= 0 {
		r.at++
	}
}

func (r *refRR) removed(at int) {
	if at <= r.at {
		r.at--
	}
}

func (r *refRR) pick(*Flow) *Server {
	last, at := r.at, r.at
	for pass := 0; pass < 2; pass++ {
		for at++; at < len(r.l.servers); at++ {
			if s := r.l.servers[at]; !s.Overloaded && s.Weight > 0 {
				r.at = at
				return s
			}
			if at == last {
				return nil
			}
		}
		if last == -1 {
			return nil
		}
		at = -1
	}
	return nil
}

type refWRR struct {
	l          *refList
	cl         int // -1 is the head
	cw, mw, di int
}

func (r *refWRR) attach(l *refList) {
	r.l = l
	r.recompute()
	r.cw = r.mw
}
func (r *refWRR) added()        { r.recompute() }
func (r *refWRR) removed(int)   { r.recompute() }
func (r *refWRR) edited()       { r.recompute() }
func (r *refWRR) state() string { return fmt.Sprint(r.cl, r.cw, r.mw, r.di) }

func (r *refWRR) recompute() {
	r.cl, r.di = -1, 0
	most := 0
	for _, s := range r.l.servers {
		if s.Weight > 0 {
			a, b := r.di, int(s.Weight)
			for b != 0 {
				a, b = b, a%b
			}
			r.di = a
			most = max(most, int(s.Weight))
		}
	}
	if r.di == 0 {
		r.di = 1
	}
	r.mw = most - (r.di - 1)
	if r.cw > r.mw || r.cw == 0 {
		r.cw = r.mw
	} else if r.di > 1 {
		r.cw = r.cw/r.di*r.di + 1
	}
}

func (r *refWRR) pick(*Flow) *Server {
	if r.mw == 0 {
		return nil
	}
	last, stop := r.cl, -1
	restarted, lastPass := false, false
	for {
		for r.cl++; r.cl < len(r.l.servers); r.cl++ {
			if s := r.l.servers[r.cl]; !s.Overloaded && int(s.Weight) >= r.cw {
				return s
			}
			if r.cl == stop {
				return nil
			}
		}
		r.cl = -1
		r.cw -= r.di
		if r.cw <= 0 {
			r.cw = r.mw
			if lastPass || last == -1 {
				return nil
			}
			restarted = true
		}
		lastPass = r.cw <= r.di
		if lastPass && restarted && last != -1 {
			stop = last
		}
	}
}

type refLC struct{ refStateless }

func (r *refLC) pick(*Flow) *Server {
	var least *Server
	for _, s := range r.l.servers {
		if s.Overloaded || s.Weight <= 0 {
			continue
		}
		if least == nil || uint32(r.l.load(s)) < uint32(r.l.load(least)) {
			least = s
		}
	}
	return least
}

type refWLC struct{ refStateless }

func (r *refWLC) pick(*Flow) *Server { return r.l.wlc() }

func (l *refList) wlc() *Server {
	var best *Server
	for _, s := range l.servers {
		if s.Overloaded || s.Weight <= 0 {
			continue
		}
		if best == nil || int64(l.load(best))*int64(s.Weight) > int64(l.load(s))*int64(best.Weight) {
			best = s
		}
	}
	return best
}

type refSED struct{ refStateless }

func (r *refSED) pick(*Flow) *Server { return sed(r.l.servers) }

func sed(servers []*Server) *Server {
	var best *Server
	for _, s := range servers {
		if s.Overloaded || s.Weight <= 0 {
			continue
		}
		if best == nil || int64(best.Active+1)*int64(s.Weight) > int64(s.Active+1)*int64(best.Weight) {
			best = s
		}
	}
	return best
}

type refNQ struct{ refStateless }

func (r *refNQ) pick(*Flow) *Server {
	for _, s := range r.l.servers {
		if !s.Overloaded && s.Weight > 0 && s.Active == 0 {
			return s
		}
	}
	return sed(r.l.servers)
}

type refFO struct{ refStateless }

func (r *refFO) pick(*Flow) *Server {
	var best *Server
	for _, s := range r.l.servers {
		if !s.Overloaded && s.Weight > 0 && (best == nil || s.Weight > best.Weight) {
			best = s
		}
	}
	return best
}

type refOVF struct{ refStateless }

func (r *refOVF) pick(*Flow) *Server {
	var best *Server
	for _, s := range r.l.servers {
		if s.Overloaded || s.Weight == 0 || s.Active > s.Weight {
			continue
		}
		if best == nil || s.Weight > best.Weight {
			best = s
		}
	}
	return best
}

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

type refTwos struct {
	refStateless
	r *rand.Rand
}

func (r *refTwos) pick(*Flow) *Server {
	var total int64
	for _, s := range r.l.servers {
		if !s.Overloaded && s.Weight > 0 {
			total += int64(s.Weight)
		}
	}
	if total == 0 {
		return nil
	}
	r1, r2 := r.r.Int64N(total+1), r.r.Int64N(total+1)
	var s1, s2 *Server
	for _, s := range r.l.servers {
		if s.Overloaded || s.Weight <= 0 {
			continue
		}
		r1 -= int64(s.Weight)
		r2 -= int64(s.Weight)
		if s1 == nil && r1 <= 0 {
			s1 = s
		}
		if s2 == nil && r2 <= 0 {
			s2 = s
		}
	}
	if s2.Weight*r.l.load(s1) > s1.Weight*r.l.load(s2) {
		return s2
	}
	return s1
}
