package sched

// roundRobin picks the usable servers in turn.
type roundRobin struct {
	g      *Group
	usable maxTree // 1 where a server is
	at     *Server // the last pick; nil: the search begins at the head of the list
}

func (r *roundRobin) Attach(g *Group) error {
	r.g, r.at = g, nil
	r.renumbered()
	return nil
}

func (r *roundRobin) renumbered()       { r.usable = newMaxTree(r.g, oneIfUsable) }
func (r *roundRobin) Added(s *Server)   { r.usable.set(s, oneIfUsable(s)) }
func (r *roundRobin) Edited(s *Server)  { r.usable.set(s, oneIfUsable(s)) }
func (r *roundRobin) Counted(s *Server) { r.usable.set(s, oneIfUsable(s)) }

func (r *roundRobin) Removed(s *Server) {
	r.usable.set(s, 0)
	if r.at == s {
		r.at = r.g.before(s) // so that the one that followed is next
	}
}

func (r *roundRobin) Pick(*Flow) *Server {
	slot := r.usable.after(r.at, 1)
	if slot < 0 {
		slot = r.usable.after(nil, 1)
	}
	if slot < 0 {
		return nil
	}
	r.at = r.g.slots[slot]
	return r.at
}

func oneIfUsable(s *Server) int32 {
	if s.usable() {
		return 1
	}
	return 0
}
