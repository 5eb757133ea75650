package sched

// weightedLeastConnection looks at connections for the weight.
func weightedLeastConnection(g *Group, s *Server) burden {
	return burden{load: int64(g.Load(s)), weight: s.Weight}
}
