package sched

// failover picks the heaviest server: an equal load is less for a greater weight.
func failover(_ *Group, s *Server) overhead {
	return overhead{load: 1, weight: s.Weight}
}
