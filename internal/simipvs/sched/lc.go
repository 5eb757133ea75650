package sched

// leastConnection looks at connections only, and compares loads as unsigned
// numbers.
func leastConnection(g *Group, s *Server) burden {
	return burden{load: int64(uint32(g.Load(s))), weight: 1}
}
