package sched

// weightedLeastConnection divides connections by the weight.
func weightedLeastConnection(g *Group, s *Server) overhead {
	return overhead{load: int64(g.Load(s)), weight: s.Weight}
}
