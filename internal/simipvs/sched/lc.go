package sched

// leastConnection ignores weights, and compares loads as unsigned numbers.
func leastConnection(g *Group, s *Server) overhead {
	return overhead{load: int64(uint32(g.Load(s))), weight: 1}
}
