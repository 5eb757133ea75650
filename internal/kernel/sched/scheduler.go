package sched

import "math/rand/v2"

// Scheduler picks among the servers of one group, and belongs to it alone.
// The group tells it of every change after it has happened.
type Scheduler interface {
	// Attach makes the scheduler ready to pick among the servers that the group
	// has. An error is one of configuration: the scheduler cannot serve them.
	Attach(g *Group) error
	Added(s *Server)   // to the head of the list
	Removed(s *Server) // from the list
	Edited(s *Server)  // its weight or thresholds were set, perhaps to the same
	Counted(s *Server) // its connections or its overload changed; called very often
	// Pick returns one of the group's servers, or nil, and changes no counter.
	Pick(f *Flow) *Server
}

// Options are what schedulers need besides their group. The zero value is what
// Debian builds.
type Options struct {
	Totals bool       // the group's
	Rand   *rand.Rand // twos draws from it
}

// New returns the kernel's scheduler of that name, or false if there is none.
func New(name string, _ Options) (Scheduler, bool) {
	switch name {
	case "rr":
		return &roundRobin{}, true
	case "wrr":
		return &weightedRoundRobin{}, true
	case "lc":
		return &least{burden: leastConnection}, true
	case "wlc":
		return &least{burden: weightedLeastConnection}, true
	}
	return nil, false
}
