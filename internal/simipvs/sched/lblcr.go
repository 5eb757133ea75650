package sched

import "slices"

// localityBasedReplicated keeps each address that clients connect to on a set of
// servers. The set grows when the best of them is too busy, and shrinks when it
// did not change for a while.
type localityBasedReplicated struct {
	locality
	cache cache[replicas]
}

// replicas are the servers of one address.
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
	if e == nil {
		s := l.least.Pick(f)
		if s != nil {
			l.cache.add(addr, replicas{[]*Server{s}, f.Now}, f.Now)
		}
		return s
	}
	set := &e.value
	best := set.least(l.g)
	if len(set.servers) > 1 && f.Now > set.changed+l.cache.expiration() {
		set.dropMost(l.g, f.Now)
	}
	if best != nil && !l.busy(best) {
		return best // perhaps the one just dropped
	}
	s := l.least.Pick(f)
	if s != nil {
		set.insert(s, f.Now)
	}
	return s
}

// least is wlc among those of the set that are still there.
func (r *replicas) least(g *Group) *Server {
	var best *Server
	burden := unbearable
	for _, s := range slices.Backward(r.servers) {
		if !s.Available || !s.usable() {
			continue
		}
		if b := weightedLeastConnection(g, s); burden.exceeds(b) {
			best, burden = s, b
		}
	}
	return best
}

// dropMost takes out the server with the greatest burden, there or not.
func (r *replicas) dropMost(g *Group, now int64) {
	most := -1
	var burden burden
	for i, s := range slices.Backward(r.servers) {
		if s.Weight <= 0 {
			continue
		}
		if b := weightedLeastConnection(g, s); most < 0 || b.exceeds(burden) {
			most, burden = i, b
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
