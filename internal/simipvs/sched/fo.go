package sched

// failover picks the heaviest server: the same load is less for a greater weight.
func failover(_ *Group, s *Server) burden {
	return burden{load: 1, weight: s.Weight}
}
