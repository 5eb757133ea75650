package sched

// overflow picks the heaviest server whose active connections do not exceed its
// weight.
func overflow(g *Group, s *Server) overhead {
	if s.Active > s.Weight {
		return infinite
	}
	return failover(g, s)
}
