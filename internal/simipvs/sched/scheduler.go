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
	Rand *rand.PCG // twos draws from it; nil: from one that is always the same
	Now  int64     // the tick at which the scheduler is attached; lblc and lblcr

	IPv4    bool // the service is, which mh must know if servers are not
	SHBits  int  // sh has 2 to that many buckets; 0: 8
	MHIndex int  // 8 to 17: mh has 251 to 131,071 buckets; 0: 12, 4,093 buckets

	LBLCExpiration  func() int64 // ticks after which lblc forgets; nil: a day
	LBLCRExpiration func() int64 // ticks after which lblcr forgets; nil: a day
	CacheLimit      int          // entries that lblc and lblcr have at most; 0: any number
}

// New returns the kernel's scheduler of that name, or false if there is none.
func New(name string, o Options) (Scheduler, bool) {
	switch name {
	case "rr":
		return &roundRobin{}, true
	case "wrr":
		return &weightedRoundRobin{}, true
	case "lc":
		return &least{burden: leastConnection}, true
	case "wlc":
		return &least{burden: weightedLeastConnection}, true
	case "sed":
		return &least{burden: shortestExpectedDelay}, true
	case "nq":
		return &least{burden: neverQueue}, true
	case "fo":
		return &least{burden: failover}, true
	case "ovf":
		return &least{burden: overflow}, true
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
