package sched

type rr struct {
	g  *Group
	at *Server
}

func (r *rr) Attach(g *Group) error { r.g = g; return nil }
func (r *rr) Added(*Server)         {}
func (r *rr) Edited(*Server)        {}
func (r *rr) Counted(*Server)       {}
func (r *rr) Removed(s *Server) {
	if r.at != s {
		return
	}
	if r.at = nil; s.slot > 0 {
		r.at = r.g.list[s.slot-1]
	}
}

func (r *rr) Pick(*Flow) *Server {
	at := 0
	for i, s := range r.g.list {
		if s == r.at {
			at = i + 1
		}
	}
	for _, part := range [][]*Server{r.g.list[at:], r.g.list[:at]} {
		for _, s := range part {
			if s.usable() {
				r.at = s
				return s
			}
		}
	}
	return nil
}
