package sched

import (
	"iter"
	"slices"
)

// Group is the real servers of one service with the scheduler that picks among
// them. It is not safe for concurrent use.
type Group struct {
	totals bool
	list   []*Server // newest first
	by     Scheduler // nil: none
}

// NewGroup returns a group without servers and without a scheduler. With
// totals the load of a server is counted as kernels since 7.2 do, and the
// stable releases that follow them.
func NewGroup(totals bool) *Group { return &Group{totals: totals} }

// Len returns the number of servers.
func (g *Group) Len() int { return len(g.list) }

// All returns the servers in the kernel's order, which is newest first.
func (g *Group) All() iter.Seq[*Server] { return slices.Values(g.list) }

// Load returns how busy a server is, in the kernel's 32-bit arithmetic: 256
// for an active connection and 1 for another one. With totals, an active
// connection counts 257.
func (g *Group) Load(s *Server) int32 {
	load := s.Active<<8 + s.Inactive
	if g.totals {
		load += s.Active
	}
	return load
}

// Add puts a server at the head of the list.
func (g *Group) Add(s *Server) {
	s.Available = true
	g.list = slices.Insert(g.list, 0, s)
	if g.by != nil {
		g.by.Added(s)
	}
}

// Remove takes a server out of the list.
func (g *Group) Remove(s *Server) {
	s.Available = false
	s.slot = slices.Index(g.list, s)
	g.list = slices.Delete(g.list, s.slot, s.slot+1)
	if g.by != nil {
		g.by.Removed(s)
	}
}

// Edited says that a server was set, even if that changed nothing.
func (g *Group) Edited(s *Server) {
	if g.by != nil {
		g.by.Edited(s)
	}
}

// Counted says that a server's connections were counted, or that its overload
// began or ended.
func (g *Group) Counted(s *Server) {
	if g.by != nil {
		g.by.Counted(s)
	}
}

// Schedule replaces the scheduler by a fresh one; nil picks nothing. An error
// leaves the old one in place.
func (g *Group) Schedule(by Scheduler) error {
	if by != nil {
		if err := by.Attach(g); err != nil {
			return err
		}
	}
	g.by = by
	return nil
}

// Pick returns the server that takes a new connection, and nil if none does.
func (g *Group) Pick(f *Flow) *Server {
	if g.by == nil {
		return nil
	}
	return g.by.Pick(f)
}
