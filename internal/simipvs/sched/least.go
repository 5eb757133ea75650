package sched

// least picks the usable server with the least overhead. The schedulers that do so
// differ in what they count as overhead.
type least struct {
	g        *Group
	overhead func(*Group, *Server) overhead // of a usable server
	t        tournament
	late     []int32 // slots whose servers were counted since the last pick, each once
	isLate   []bool  // of a slot
}

func (l *least) Attach(g *Group) error {
	l.g = g
	l.renumbered()
	return nil
}

func (l *least) renumbered() {
	l.t = newTournament(l.g, l.of)
	l.late, l.isLate = l.late[:0], make([]bool, l.g.size)
}

func (l *least) Added(s *Server)   { l.t.set(s, l.of(s)) }
func (l *least) Removed(s *Server) { l.t.set(s, infinite) }
func (l *least) Edited(s *Server)  { l.t.set(s, l.of(s)) }

// Counted leaves the work to the next pick: each connection is counted several times,
// and only the result matters.
func (l *least) Counted(s *Server) {
	if !l.isLate[s.slot] {
		l.isLate[s.slot] = true
		l.late = append(l.late, int32(s.slot))
	}
}

func (l *least) catchUp() {
	for _, slot := range l.late {
		l.isLate[slot] = false
		if s := l.g.slots[slot]; s != nil {
			l.t.set(s, l.of(s))
		}
	}
	l.late = l.late[:0]
}

func (l *least) Pick(*Flow) *Server {
	l.catchUp()
	slot := l.t.winner()
	if slot < 0 {
		return nil
	}
	return l.g.slots[slot]
}

func (l *least) of(s *Server) overhead {
	if !s.usable() {
		return infinite
	}
	return l.overhead(l.g, s)
}
