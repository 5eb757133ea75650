package sched

// shortestExpectedDelay divides active connections, with the new one, by the weight.
func shortestExpectedDelay(_ *Group, s *Server) overhead {
	return overhead{load: int64(s.Active + 1), weight: s.Weight}
}
