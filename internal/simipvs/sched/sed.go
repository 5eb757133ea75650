package sched

// shortestExpectedDelay looks at active connections for the weight, as they would
// be with the new one.
func shortestExpectedDelay(_ *Group, s *Server) burden {
	return burden{load: int64(s.Active + 1), weight: s.Weight}
}
