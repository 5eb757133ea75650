package sched

import (
	"iter"
	"math/bits"
)

// Group holds the real servers of one service and the scheduler that picks among them.
// It is not safe for concurrent use.
//
// Servers are in slots in the order of their addition, so the kernel's list, newest
// first, is the slots from the last to the first. A slot is left empty when its server
// is removed; the servers move up when few are left, or when the next one needs a slot.
type Group struct {
	Flags uint32 // the service's, as they are now

	totals bool
	slots  []*Server
	size   int // a power of two: the number of slots until servers move
	live   int
	by     Scheduler // nil: none
}

// renumberer is a scheduler that keeps something for each slot.
type renumberer interface {
	renumbered() // servers moved to other slots, or there are more slots
}

// NewGroup returns a group without servers and without a scheduler. With totals, the
// load of a server is counted as Linux 7.2 does, and the stable releases that adopted it.
func NewGroup(totals bool) *Group { return &Group{totals: totals, size: minSize} }

// Len returns the number of servers.
func (g *Group) Len() int { return g.live }

// All returns the servers in the kernel's order, which is newest first. While it runs,
// the group must not change but for the removal of the current server.
func (g *Group) All() iter.Seq[*Server] {
	slots := g.slots
	return func(yield func(*Server) bool) {
		for i := len(slots) - 1; i >= 0; i-- {
			if s := slots[i]; s != nil && !yield(s) {
				return
			}
		}
	}
}

// cycle returns the servers of the list again and again, as long as it has any.
func (g *Group) cycle() iter.Seq[*Server] {
	return func(yield func(*Server) bool) {
		for g.live > 0 {
			for s := range g.All() {
				if !yield(s) {
					return
				}
			}
		}
	}
}

// before returns the server that precedes another one, or its slot, in the list. It is
// nil for the list's head.
func (g *Group) before(s *Server) *Server {
	for _, p := range g.slots[s.slot+1:] {
		if p != nil {
			return p
		}
	}
	return nil
}

// Load returns the load of a server, in the kernel's 32-bit arithmetic: 256 for each
// active connection and 1 for each other one. With totals, an active connection counts
// 257.
func (g *Group) Load(s *Server) int32 {
	load := s.Active<<8 + s.Inactive
	if g.totals {
		load += s.Active
	}
	return load
}

// Add adds a server at the head of the list, and makes it available.
func (g *Group) Add(s *Server) {
	if len(g.slots) == g.size {
		g.renumber()
	}
	s.Available = true
	s.slot = len(g.slots)
	g.slots = append(g.slots, s)
	g.live++
	if g.by != nil {
		g.by.Added(s)
	}
}

// Remove removes a server from the list, and makes it unavailable.
func (g *Group) Remove(s *Server) {
	s.Available = false
	g.slots[s.slot] = nil
	g.live--
	if g.by != nil {
		g.by.Removed(s)
	}
	if g.size > minSize && g.live < g.size/8 {
		g.renumber()
	}
}

const minSize = 8

// renumber moves the servers up, and makes room for as many again.
func (g *Group) renumber() {
	g.size = max(minSize, 1<<bits.Len(uint(2*max(g.live, 1)-1)))
	slots := make([]*Server, 0, g.size)
	for _, s := range g.slots {
		if s != nil {
			s.slot = len(slots)
			slots = append(slots, s)
		}
	}
	g.slots = slots
	if by, ok := g.by.(renumberer); ok {
		by.renumbered()
	}
}

// Edited reports that a server was set, even if nothing changed.
func (g *Group) Edited(s *Server) {
	if g.by != nil {
		g.by.Edited(s)
	}
}

// Counted reports that a server's connections or its overload changed.
func (g *Group) Counted(s *Server) {
	if g.by != nil {
		g.by.Counted(s)
	}
}

// Schedule replaces the scheduler; nil picks nothing. An error leaves the old one in
// place.
func (g *Group) Schedule(by Scheduler) error {
	if by != nil {
		if err := by.Attach(g); err != nil {
			return err
		}
	}
	g.by = by
	return nil
}

// Pick returns the server that gets a new connection, or nil, and moves the scheduler on.
func (g *Group) Pick(f *Flow) *Server {
	if g.by == nil {
		return nil
	}
	return g.by.Pick(f)
}

// Buckets returns the table of sh, mh or dh, with nil for empty buckets, and nil for
// other schedulers. It must not be changed, and holds until the group changes.
func (g *Group) Buckets() []*Server {
	switch by := g.by.(type) {
	case *maglev:
		if by.stale {
			by.fill()
		}
		return by.buckets
	case *sourceHashing:
		return by.buckets
	case *destinationHashing:
		return by.buckets[:]
	}
	return nil
}
