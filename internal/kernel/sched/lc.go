package sched

type lc struct {
	wlc
}

func (l *lc) Pick(*Flow) *Server {
	var least *Server
	for _, s := range l.g.list {
		if s.usable() && (least == nil || uint32(l.g.Load(least)) > uint32(l.g.Load(s))) {
			least = s
		}
	}
	return least
}
