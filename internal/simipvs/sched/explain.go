package sched

import (
	"iter"
	"math/rand/v2"
	"slices"
)

// Explanation says which server a scheduler would pick now, and why. What a scheduler
// does not have is zero. Servers are copies, as they are now.
type Explanation struct {
	Server *Server // the pick; nil: none
	All    []*Server
	Passed []*Server // those that it would not pick, whatever the others' loads

	Best *Server // lc, wlc, sed, nq, fo, ovf, lblc, lblcr: the server with the least overhead; nil: none
	Load int64   // of the best server
	Next *Server // the best server without Best; nil: none
	Then int64   // the load of the next server

	Last *Server // rr, wrr: the last pick, after which the search begins; nil: it begins at the head
	Turn int32   // wrr: the least weight that is picked in this round

	Bucket, Buckets int       // sh, mh, dh
	Tried           []*Server // sh, mh, dh: the bucket's server, then those that the fallback looked at
	Steps           int       // sh, mh: how many buckets the fallback looked at

	Cached []*Server // lblc, lblcr: those remembered for the destination, available or not
	Kept   []*Server // lblc, lblcr: those that would be picked if they were remembered

	Drawn []*Server // twos: two servers, perhaps the same
}

// Explain returns what Pick would pick, and changes nothing. It is false for a
// scheduler that cannot be asked without moving it on.
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

// Peek returns what Pick would pick, and changes nothing. It is false as for Explain, and
// faster where a pick leaves no trace.
func (g *Group) Peek(f *Flow) (s *Server, ok bool) {
	switch by := g.by.(type) {
	case *least, *destinationHashing, *sourceHashing, *maglev:
		return by.Pick(f), true
	}
	x, ok := g.Explain(f)
	return x.Server, ok
}

// explainer is one of the kernel's schedulers.
type explainer interface {
	explain(f *Flow, x *Explanation)
}

// detach replaces the servers with copies.
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

// explain lets a copy pick, which shares with the scheduler what a pick only reads.
func (r *roundRobin) explain(f *Flow, x *Explanation) {
	next := *r
	x.Last, x.Server = r.at, next.Pick(f)
}

func (w *weightedRoundRobin) explain(f *Flow, x *Explanation) {
	next := *w
	x.Last, x.Server = w.at, next.Pick(f)
	x.Turn = next.current
	if x.Server != nil && next.current != w.current {
		x.Last = nil // a new round
	}
}

func (l *least) explain(f *Flow, x *Explanation) {
	best := l.Pick(f)
	x.Passed = slices.DeleteFunc(slices.Clone(x.All), func(s *Server) bool { return l.of(s) != infinite })
	if best == nil {
		return
	}
	then := infinite
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
	x.Server = h.Pick(f)
	x.Bucket, x.Buckets = int(hash), len(h.buckets)
	if x.fallsBack(h.buckets[hash], f) {
		_, x.Steps = h.fallback(hash)
	}
	for offset := range x.Steps {
		x.try(h.probe(hash, uint32(offset)))
	}
}

func (m *maglev) explain(f *Flow, x *Explanation) {
	key := clientKey(f)
	x.Server = m.Pick(f) // fills the buckets, which changes no pick
	bucket := m.bucket(key)
	x.Bucket, x.Buckets = int(bucket), len(m.buckets)
	if x.fallsBack(m.buckets[bucket], f) {
		_, x.Steps = m.fallback(key, bucket)
	}
	for offset := range x.Steps {
		x.try(m.probe(key, bucket, uint32(offset)))
	}
}

// fallsBack tries the server of a bucket, and reports whether another one was searched
// for.
func (x *Explanation) fallsBack(s *Server, f *Flow) bool {
	x.try(s)
	return s != nil && s != x.Server && f.Flags&flagFallback != 0
}

// try notes a server that is looked at.
func (x *Explanation) try(s *Server) {
	if s != nil && !slices.Contains(x.Tried, s) {
		x.Tried = append(x.Tried, s)
	}
}

func (l *localityBased) explain(f *Flow, x *Explanation) {
	l.least.explain(f, x)
	x.Kept = slices.DeleteFunc(slices.Clone(x.All), func(s *Server) bool { return !l.keeps(s) })
	e := l.cache.peek(f.Dest.Addr(), f.Now)
	if x.Server = l.choose(e); e != nil {
		x.Cached = []*Server{e.value}
	}
}

func (l *localityBasedReplicated) explain(f *Flow, x *Explanation) {
	l.least.explain(f, x)
	x.Kept = slices.DeleteFunc(slices.Clone(x.All), func(s *Server) bool { return !s.usable() || l.busy(s) })
	e := l.cache.peek(f.Dest.Addr(), f.Now)
	if x.Server, _ = l.choose(e); e != nil {
		x.Cached = e.value.servers
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
