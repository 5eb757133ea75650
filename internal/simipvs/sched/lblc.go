package sched

// localityBased keeps each address that clients connect to on one server, as long
// as that is not too busy.
type localityBased struct {
	locality
	cache cache[*Server]
}

func newLocalityBased(o Options) *localityBased {
	return &localityBased{newLocality(), newCache[*Server](o, o.LBLCExpiration)}
}

func (l *localityBased) Pick(f *Flow) *Server {
	addr := f.Dest.Addr()
	e := l.cache.use(addr, f.Now)
	if e != nil && l.serves(e.value) {
		return e.value
	}
	s := l.least.Pick(f)
	switch {
	case s == nil:
	case e == nil:
		l.cache.add(addr, s, f.Now)
	case e.value != s:
		l.cache.replace(e, s)
	}
	return s
}

// serves tells whether a server that was remembered is picked again. Like the
// kernel, it does not ask for the overload.
func (l *localityBased) serves(s *Server) bool {
	return s.Available && s.Weight > 0 && !l.busy(s)
}
