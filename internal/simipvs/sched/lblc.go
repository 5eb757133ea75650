package sched

// localityBased keeps each address that clients connect to on one server, as long as
// that is not too busy.
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
	s := l.choose(e)
	switch {
	case s == nil:
	case e == nil:
		l.cache.add(addr, s, f.Now)
	case e.value != s:
		l.cache.replace(e, s)
	}
	return s
}

// choose returns the server for an address, of which e is remembered; nil: nothing.
func (l *localityBased) choose(e *cached[*Server]) *Server {
	if e != nil && l.keeps(e.value) {
		return e.value
	}
	return l.least.Pick(nil)
}

// keeps reports whether a server is picked again if it is remembered. As the kernel
// does, it ignores the overload.
func (l *localityBased) keeps(s *Server) bool {
	return s.Available && s.Weight > 0 && !l.busy(s)
}
