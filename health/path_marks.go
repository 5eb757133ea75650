package health

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/golvs/lvs"
)

// throughIPVS returns the real servers that have a check through IPVS and need a mark for
// it, in the order of the table.
func throughIPVS(table lvs.Table, policies map[lvs.ServiceID]Policy) (all []markedServer) {
	for _, s := range table.Services {
		policy := policies[s.ID]
		for _, r := range s.RealServers {
			checks, ok := policy.Servers[r.Addr]
			if !ok {
				checks = policy.Checks
			}
			if r.Mode != lvs.NAT() && slices.ContainsFunc(checks, func(c Check) bool { return c.Path == ThroughIPVS }) {
				all = append(all, markedServer{s.ID.Is6(), r.Addr.Addr().Unmap(), r.Mode})
			}
		}
	}
	return all
}

// allotment is who has which mark, and how the table gets there.
type allotment struct {
	all     Marks
	taken   map[uint32]bool
	last    uint32 // that was given; 0 at first
	found   map[markedServer]lvs.ServiceID
	kept    map[markedServer]uint32 // of them, those that are wanted
	marks   map[markedServer]uint32 // when the changes are made
	changes []lvs.Change
}

// allot finds the services of a range that are as this package makes them. It plans to
// remove the others.
func allot(marks Marks, last uint32, have lvs.Snapshot) *allotment {
	a := &allotment{
		all: marks, taken: make(map[uint32]bool), last: last,
		found: make(map[markedServer]lvs.ServiceID),
		kept:  make(map[markedServer]uint32), marks: make(map[markedServer]uint32),
	}
	for _, e := range have.Services {
		if !marks.contains(e.ID.FWMark()) {
			continue
		}
		if last == 0 {
			a.last = max(a.last, e.ID.FWMark())
		}
		if server, ok := probedBy(e); ok && !a.found[server].IsValid() {
			a.found[server] = e.ID
		} else {
			a.changes = append(a.changes, lvs.RemoveService(e.ID))
		}
	}
	return a
}

// meet gives each of the servers a mark, and takes those of others away.
func (a *allotment) meet(wanted []markedServer) error {
	for _, s := range wanted {
		if id, ok := a.found[s]; ok {
			a.kept[s], a.marks[s], a.taken[id.FWMark()] = id.FWMark(), id.FWMark(), true
		}
	}
	for s, id := range a.found {
		if _, ok := a.kept[s]; !ok {
			a.changes = append(a.changes, lvs.RemoveService(id))
		}
	}
	for _, s := range wanted {
		if _, ok := a.marks[s]; ok {
			continue
		}
		mark, ok := a.next()
		if !ok {
			return invalid("Marks", "%d to %d are too few: %s has none, and all are taken", a.all.First, a.all.Last, s)
		}
		id := s.service(mark).ID
		a.changes = append(a.changes, lvs.AddService(s.service(mark)), lvs.AddRealServer(id, s.realServer()))
		a.marks[s] = mark
	}
	return nil
}

// next returns a mark that has not been in use for as long as possible: connections of
// its last real server may still be in the kernel.
func (a *allotment) next() (uint32, bool) {
	if uint64(len(a.taken)) > uint64(a.all.Last-a.all.First) {
		return 0, false
	}
	for {
		if a.last++; !a.all.contains(a.last) {
			a.last = a.all.First
		}
		if !a.taken[a.last] {
			a.taken[a.last] = true
			return a.last, true
		}
	}
}

// service returns the service that carries the probes for a real server. Datagrams are
// scheduled on their own, so that no connection of an earlier probe, which would last
// for minutes, takes them to the server that it was for.
func (s markedServer) service(mark uint32) lvs.Service {
	id := lvs.FWMark(mark)
	if s.is6 {
		id = lvs.FWMark6(mark)
	}
	return lvs.Service{ID: id, Scheduler: lvs.RR, OnePacket: true}
}

// realServer returns the only real server of that service.
func (s markedServer) realServer() lvs.RealServer {
	return lvs.NewRealServer(netip.AddrPortFrom(s.addr, 0), s.mode)
}

// probedBy returns the real server whose probes a service carries. It is false if the
// service is not one of [markedServer.service].
func probedBy(e lvs.ServiceEntry) (markedServer, bool) {
	if len(e.RealServers) != 1 {
		return markedServer{}, false
	}
	only := e.RealServers[0].RealServer
	s := markedServer{e.ID.Is6(), only.Addr.Addr().Unmap(), only.Mode}
	return s, s.service(e.ID.FWMark()).Equal(e.Service) && s.realServer().Equal(only)
}

func (s markedServer) String() string { return fmt.Sprintf("%s (%s)", s.addr, s.mode) }
