package sched

import "slices"

// localityBasedReplicated keeps each address that clients connect to on a set of
// servers. The set grows when the best of them is too busy, and shrinks when it
// did not change for a while.
type localityBasedReplicated struct {
	locality
	cache cache[replicas]
}

// replicas holds the servers of one address.
type replicas struct {
	servers []*Server // newest last
	changed int64
}

func newLocalityBasedReplicated(o Options) *localityBasedReplicated {
	return &localityBasedReplicated{newLocality(), newCache[replicas](o, o.LBLCRExpiration)}
}

func (l *localityBasedReplicated) Pick(f *Flow) *Server {
	addr := f.Dest.Addr()
	e := l.cache.use(addr, f.Now)
	s, kept := l.choose(e)
	switch {
	case e == nil && s != nil:
		l.cache.add(addr, replicas{[]*Server{s}, f.Now}, f.Now)
	case e != nil:
		set := &e.value
		if len(set.servers) > 1 && f.Now > set.changed+l.cache.expiration() {
			set.dropMost(l.g, f.Now) // perhaps the one that was just chosen
		}
		if s != nil && !kept {
			set.insert(s, f.Now)
		}
	}
	return s
}

// choose returns the server for an address, of which e is remembered, and whether that
// server is among those that are; nil: nothing is.
func (l *localityBasedReplicated) choose(e *cached[replicas]) (s *Server, kept bool) {
	if e != nil {
		if best := e.value.least(l.g); best != nil && !l.busy(best) {
			return best, true
		}
	}
	return l.least.Pick(nil), false
}

// least returns the server that wlc would pick among those of the set that are available.
func (r *replicas) least(g *Group) *Server {
	var best *Server
	overhead := infinite
	for _, s := range slices.Backward(r.servers) {
		if !s.Available || !s.usable() {
			continue
		}
		if b := weightedLeastConnection(g, s); overhead.exceeds(b) {
			best, overhead = s, b
		}
	}
	return best
}

// dropMost removes the server with the greatest overhead, whether it is available or not.
func (r *replicas) dropMost(g *Group, now int64) {
	most := -1
	var greatest overhead
	for i, s := range slices.Backward(r.servers) {
		if s.Weight <= 0 {
			continue
		}
		if b := weightedLeastConnection(g, s); most < 0 || b.exceeds(greatest) {
			most, greatest = i, b
		}
	}
	if most >= 0 {
		r.servers = slices.Delete(r.servers, most, most+1)
		r.changed = now
	}
}

func (r *replicas) insert(s *Server, now int64) {
	if !slices.Contains(r.servers, s) {
		r.servers = append(r.servers, s)
		r.changed = now
	}
}
