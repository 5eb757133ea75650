package sched

import "math/rand/v2"

// Scheduler picks among the servers of one group, to which it belongs. The group calls
// it after every change.
type Scheduler interface {
	// Attach makes the scheduler ready to pick among the group's servers. It fails if
	// the scheduler cannot serve them.
	Attach(g *Group) error
	Added(s *Server)   // at the head of the list
	Removed(s *Server) // from the list
	Edited(s *Server)  // its weight or thresholds were set, perhaps to the same
	Counted(s *Server) // its connections or its overload changed; this is called very often
	// Pick returns the group's server that gets a new connection, or nil, and moves the
	// scheduler on. It changes no counter.
	Pick(f *Flow) *Server
}

// Options hold what schedulers need besides their group. The zero value is what
// Debian builds.
type Options struct {
	Rand *rand.PCG // twos draws from it; nil: a source with a fixed seed
	Now  int64     // for lblc and lblcr: the tick at which the scheduler is attached

	IPv4    bool // for mh: the service is IPv4; its servers need not be
	SHBits  int  // the number of sh's buckets as a power of 2; 0: 8
	MHIndex int  // 8 to 17: mh has 251 to 131,071 buckets; 0: 12, 4,093 buckets

	LBLCExpiration  func() int64 // ticks after which lblc forgets; nil: a day
	LBLCRExpiration func() int64 // ticks after which lblcr forgets; nil: a day
	CacheLimit      int          // the most entries of lblc and lblcr; 0: no limit
}

// New returns the kernel's scheduler of a name, or false if it has none.
func New(name string, o Options) (Scheduler, bool) {
	switch name {
	case "rr":
		return &roundRobin{}, true
	case "wrr":
		return &weightedRoundRobin{}, true
	case "lc":
		return &least{overhead: leastConnection}, true
	case "wlc":
		return &least{overhead: weightedLeastConnection}, true
	case "sed":
		return &least{overhead: shortestExpectedDelay}, true
	case "nq":
		return &least{overhead: neverQueue}, true
	case "fo":
		return &least{overhead: failover}, true
	case "ovf":
		return &least{overhead: overflow}, true
	case "dh":
		return &destinationHashing{}, true
	case "sh":
		return newSourceHashing(o), true
	case "mh":
		return newMaglev(o), true
	case "lblc":
		return newLocalityBased(o), true
	case "lblcr":
		return newLocalityBasedReplicated(o), true
	case "twos":
		return newTwoChoices(o), true
	}
	return nil, false
}
