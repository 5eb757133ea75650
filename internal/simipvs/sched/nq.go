package sched

// neverQueue prefers servers without active connections, whatever their weights,
// and decides among the others as sed does.
func neverQueue(g *Group, s *Server) burden {
	if s.Active == 0 {
		return burden{load: 0, weight: s.Weight}
	}
	return shortestExpectedDelay(g, s)
}
