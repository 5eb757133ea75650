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
	tried   uint64 // marks from the first on, none of which is free
	found   map[markedServer]lvs.ServiceID
	kept    map[markedServer]uint32 // of them, those that are wanted
	marks   map[markedServer]uint32 // when the changes are made
	changes []lvs.Change
}

// allot finds the services of a range that are as this package makes them. It plans to
// remove the others.
func allot(marks Marks, have lvs.Snapshot) *allotment {
	a := &allotment{
		all: marks, taken: make(map[uint32]bool),
		found: make(map[markedServer]lvs.ServiceID),
		kept:  make(map[markedServer]uint32), marks: make(map[markedServer]uint32),
	}
	for _, e := range have.Services {
		if !marks.contains(e.ID.FWMark()) {
			continue
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

// next returns the smallest mark that is free.
func (a *allotment) next() (uint32, bool) {
	for uint64(a.all.First)+a.tried <= uint64(a.all.Last) {
		mark := a.all.First + uint32(a.tried)
		if a.tried++; !a.taken[mark] {
			return mark, true
		}
	}
	return 0, false
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
