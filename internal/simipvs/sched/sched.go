// Package sched picks real servers as Linux's IPVS schedulers pick them, down to
// the order of servers that are equally good, in time that grows with the
// logarithm of their number.
//
// A [Group] is the real servers of one service with the scheduler that picks
// among them. Its owner changes the fields of a [Server] and then tells the
// group which kind of change it was.
package sched

import "net/netip"

// Server is what a scheduler sees of a real server.
type Server struct {
	ID         uint32 // the owner's; schedulers do not look at it
	Addr       netip.AddrPort
	Weight     int32 // 0 takes no new connections
	LastWeight int32 // the weight at the addition, then each one that was set and not zero
	Active     int32 // active connections
	Inactive   int32 // all others
	Overloaded bool  // reached its upper threshold
	Available  bool  // is in its group, which sets it; a scheduler's cache may hold one that is not

	slot int // in its group
}

// usable tells whether the server takes new connections.
func (s *Server) usable() bool { return !s.Overloaded && s.Weight > 0 }

// Flow is what a scheduler sees of the packet that opens a connection.
type Flow struct {
	Client   netip.AddrPort // source
	Dest     netip.AddrPort // destination
	Protocol uint8
	Flags    uint32 // the service's, as they are now
	Now      int64  // ticks
}
