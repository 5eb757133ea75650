package sched

// neverQueue prefers servers without active connections, whatever their weights, and
// compares the others as sed does.
func neverQueue(g *Group, s *Server) overhead {
	if s.Active == 0 {
		return overhead{load: 0, weight: s.Weight}
	}
	return shortestExpectedDelay(g, s)
}
