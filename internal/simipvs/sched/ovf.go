package sched

// overflow picks the heaviest server whose active connections do not exceed its
// weight.
func overflow(g *Group, s *Server) burden {
	if s.Active > s.Weight {
		return unbearable
	}
	return failover(g, s)
}
