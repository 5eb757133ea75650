package sched

// locality is what lblc and lblcr have in common: wlc among all servers, and when
// a server that was remembered is too busy.
type locality struct {
	least
	relaxed maxTree // 1 where a server's active connections are fewer than half its weight
}

func newLocality() locality { return locality{least: least{overhead: weightedLeastConnection}} }

func (l *locality) Attach(g *Group) error {
	l.g = g
	l.renumbered()
	return nil
}

func (l *locality) renumbered() {
	l.least.renumbered()
	l.relaxed = newMaxTree(l.g, oneIfRelaxed)
}

func (l *locality) Added(s *Server)   { l.Counted(s) }
func (l *locality) Edited(s *Server)  { l.Counted(s) }
func (l *locality) Counted(s *Server) { l.least.Counted(s); l.relaxed.set(s, oneIfRelaxed(s)) }
func (l *locality) Removed(s *Server) { l.least.Removed(s); l.relaxed.set(s, 0) }

// busy reports whether a server has more active connections than its weight while
// another one is relaxed.
func (l *locality) busy(s *Server) bool { return s.Active > s.Weight && l.relaxed.max() > 0 }

func oneIfRelaxed(s *Server) int32 {
	if s.Active*2 < s.Weight {
		return 1
	}
	return 0
}
