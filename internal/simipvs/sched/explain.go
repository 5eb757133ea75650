package sched

import (
	"iter"
	"math/rand/v2"
	"slices"
)

// Explanation is what a scheduler would pick now, and how it comes to that. What
// a scheduler does not have is zero. Servers are copies, as they are now.
type Explanation struct {
	Server *Server // that it would pick; nil: none
	All    []*Server
	Passed []*Server // those of all that it would not pick, whatever the others carry

	Best *Server // lc, wlc, sed, nq, fo, ovf, lblc, lblcr: that has least to do; nil: none
	Load int64   // what it carries for its weight
	Next *Server // that would be the best without it; nil: none
	Then int64   // what that one carries

	Last *Server // rr, wrr: picked last, so that the one behind it is next; nil: the list begins anew
	Turn int32   // wrr: the weight that it takes to be picked in this round

	Bucket, Buckets int       // sh, mh, dh
	Tried           []*Server // sh, mh, dh: the bucket's server, and those that the fallback looked at
	Steps           int       // sh, mh: buckets that the fallback looked at

	Cached []*Server // lblc, lblcr: remembered for the destination, gone or not
	Kept   []*Server // lblc, lblcr: those that would be picked if they were remembered

	Drawn []*Server // twos: two, perhaps the same
}

// Explain tells what Pick would pick, and changes nothing. It is false for an
// algorithm that cannot be asked so.
func (g *Group) Explain(f *Flow) (x Explanation, ok bool) {
	by, ok := g.by.(explainer)
	if g.by != nil && !ok {
		return Explanation{All: copies(g.All())}, false
	}
	for s := range g.All() {
		x.All = append(x.All, s)
		if !s.usable() {
			x.Passed = append(x.Passed, s)
		}
	}
	if by != nil {
		by.explain(f, &x)
	}
	x.detach()
	return x, true
}

// explainer is one of the kernel's schedulers.
type explainer interface {
	explain(f *Flow, x *Explanation)
}

// detach replaces the servers by copies.
func (x *Explanation) detach() {
	for _, s := range []**Server{&x.Server, &x.Best, &x.Next, &x.Last} {
		if *s != nil {
			c := **s
			*s = &c
		}
	}
	for _, list := range []*[]*Server{&x.All, &x.Passed, &x.Tried, &x.Cached, &x.Kept, &x.Drawn} {
		*list = copies(slices.Values(*list))
	}
}

func copies(servers iter.Seq[*Server]) (all []*Server) {
	for s := range servers {
		c := *s
		all = append(all, &c)
	}
	return all
}

// explain asks a copy, which shares with the scheduler what a pick only reads.
func (r *roundRobin) explain(f *Flow, x *Explanation) {
	next := *r
	x.Last, x.Server = r.at, next.Pick(f)
}

func (w *weightedRoundRobin) explain(f *Flow, x *Explanation) {
	next := *w
	x.Last, x.Server = w.at, next.Pick(f)
	x.Turn = next.current
	if x.Server != nil && next.current != w.current {
		x.Last = nil
	}
}

func (l *least) explain(f *Flow, x *Explanation) {
	best := l.Pick(f)
	x.Passed = slices.DeleteFunc(slices.Clone(x.All), func(s *Server) bool { return l.of(s) != unbearable })
	if best == nil {
		return
	}
	then := unbearable
	for _, s := range x.All {
		if b := l.of(s); s != best && then.exceeds(b) {
			x.Next, then = s, b
		}
	}
	x.Server, x.Best, x.Load, x.Then = best, best, l.of(best).load, then.load
}

func (d *destinationHashing) explain(f *Flow, x *Explanation) {
	x.Bucket, x.Buckets = d.bucket(f), len(d.buckets)
	x.try(d.buckets[x.Bucket])
	x.Server = d.Pick(f)
}

func (h *sourceHashing) explain(f *Flow, x *Explanation) {
	hash := hash32(clientKey(f), h.bits)
	x.Bucket, x.Buckets = int(hash), len(h.buckets)
	x.Server = h.Pick(f)
	if s := h.buckets[hash]; !x.falls(s, f) {
		return
	}
	for offset := range uint32(x.Buckets) {
		if x.Steps++; x.try(h.probe(hash, offset)) {
			return
		}
	}
}

func (m *maglev) explain(f *Flow, x *Explanation) {
	x.Server = m.Pick(f) // fills the buckets, which nobody notices
	v := clientKey(f)
	bucket := m.bucket(v)
	x.Bucket, x.Buckets = int(bucket), len(m.buckets)
	if !x.falls(m.buckets[bucket], f) {
		return
	}
	for offset := range m.size {
		if x.Steps++; x.try(m.probe(v, bucket, offset)) {
			return
		}
	}
}

// falls tries the server of a bucket, and tells whether the fallback goes on
// from there.
func (x *Explanation) falls(s *Server, f *Flow) bool {
	return !x.try(s) && s != nil && f.Flags&flagFallback != 0
}

// try notes a server that is looked at, and tells whether it is taken.
func (x *Explanation) try(s *Server) bool {
	if s == nil {
		return false
	}
	if !slices.Contains(x.Tried, s) {
		x.Tried = append(x.Tried, s)
	}
	return s.usable()
}

func (l *localityBased) explain(f *Flow, x *Explanation) {
	l.least.explain(f, x)
	x.Kept = slices.DeleteFunc(slices.Clone(x.All), func(s *Server) bool { return !l.serves(s) })
	e := l.cache.peek(f.Dest.Addr(), f.Now)
	if e == nil {
		return
	}
	x.Cached = []*Server{e.value}
	if l.serves(e.value) {
		x.Server = e.value
	}
}

func (l *localityBasedReplicated) explain(f *Flow, x *Explanation) {
	l.least.explain(f, x)
	x.Kept = slices.DeleteFunc(slices.Clone(x.All), func(s *Server) bool { return !s.usable() || l.busy(s) })
	e := l.cache.peek(f.Dest.Addr(), f.Now)
	if e == nil {
		return
	}
	x.Cached = e.value.servers
	if best := e.value.least(l.g); best != nil && !l.busy(best) {
		x.Server = best
	}
}

func (t *twoChoices) explain(_ *Flow, x *Explanation) {
	if t.weights.sum() == 0 {
		return
	}
	source := *t.source
	next := *t
	next.rand = rand.New(&source)
	x.Drawn = []*Server{next.draw(), next.draw()}
	x.Server = t.lighter(x.Drawn[0], x.Drawn[1])
}
