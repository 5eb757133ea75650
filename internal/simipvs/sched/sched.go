// Package sched picks real servers as Linux's IPVS schedulers pick them, down to
// the order of servers that are equally good, in time that grows with the
// logarithm of their number.
//
// A [Group] holds the real servers of one service and the scheduler that picks among
// them. Its owner changes the fields of a [Server] and then reports the kind of change
// to the group.
package sched

import "net/netip"

// HZ is the number of ticks a second, as Debian builds Linux for x86-64.
const HZ = 250

// Server is what a scheduler sees of a real server.
type Server struct {
	ID         uint32 // the owner's number; schedulers ignore it
	Addr       netip.AddrPort
	Weight     int32 // a server of weight 0 gets no new connections
	LastWeight int32 // the first weight, or the last one set that was not zero
	Active     int32 // active connections
	Inactive   int32 // all other connections
	Overloaded bool  // it reached its upper threshold
	Available  bool  // it is in its group, which sets this; a scheduler may remember a server that is not

	slot int // in its group
}

// usable reports whether the server gets new connections.
func (s *Server) usable() bool { return !s.Overloaded && s.Weight > 0 }

// Flow is what a scheduler sees of the packet that opens a connection.
type Flow struct {
	Client   netip.AddrPort // source
	Dest     netip.AddrPort // destination
	Protocol uint8
	Flags    uint32 // the service's, as they are now
	Now      int64  // ticks
}
