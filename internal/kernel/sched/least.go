package sched

// least picks the usable server with the least burden. The schedulers that do so
// differ in what a burden is.
type least struct {
	g      *Group
	burden func(*Group, *Server) burden // of a usable server
	t      tournament
}

func (l *least) Attach(g *Group) error {
	l.g = g
	l.renumbered()
	return nil
}

func (l *least) renumbered()       { l.t = newTournament(l.g, l.of) }
func (l *least) Added(s *Server)   { l.t.set(s, l.of(s)) }
func (l *least) Removed(s *Server) { l.t.set(s, unbearable) }
func (l *least) Edited(s *Server)  { l.t.set(s, l.of(s)) }
func (l *least) Counted(s *Server) { l.t.set(s, l.of(s)) }

func (l *least) Pick(*Flow) *Server {
	slot := l.t.winner()
	if slot < 0 {
		return nil
	}
	return l.g.slots[slot]
}

func (l *least) of(s *Server) burden {
	if !s.usable() {
		return unbearable
	}
	return l.burden(l.g, s)
}
