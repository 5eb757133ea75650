package sched

import (
	"fmt"
	"math/rand/v2"
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
