package lvs

import (
	"net/netip"
	"slices"
)

// tableLast is what was applied last, for a comparison of three. The zero value
// compares two tables: everything in scope is the program's own.
type tableLast struct {
	given    bool
	services map[ServiceID]lastService
}

// lastService is a service as it was applied last. The zero value was not.
type lastService struct {
	service TableService // with the zero ID if it was not applied
	drain   *Drain       // of the whole service
	ending  []*Drain     // of some of its real servers
}

func indexLast(s *TableState) tableLast {
	if s == nil {
		return tableLast{}
	}
	last := tableLast{given: true, services: make(map[ServiceID]lastService, len(s.Applied.Services))}
	for _, service := range s.Applied.Services {
		last.services[service.ID] = lastService{service: service}
	}
	for i := range s.Drains {
		drain := &s.Drains[i]
		of := last.services[drain.Service]
		if drain.RealServer.IsValid() {
			of.ending = append(of.ending, drain)
		} else {
			of.drain = drain
		}
		last.services[drain.Service] = of
	}
	return last
}

// knows reports whether a service, or a drain of it, was applied last.
func (t *tableLast) knows(id ServiceID) bool {
	_, ok := t.services[id]
	return ok
}

// drains reports whether a service, or a real server of it, was draining.
func (t *tableLast) drains(id ServiceID) bool {
	s := t.services[id]
	return s.drain != nil || len(s.ending) > 0
}

// ends reports whether a drain of the whole service is under way. One whose servers
// get connections again was taken back.
func (s *lastService) ends(l *liveService) bool { return s.drain != nil && l.quiet() }

// drains reports whether a drain of the real server, not of the whole service, is under
// way.
func (s *lastService) drains(server *RealServer) bool {
	return server.Weight == 0 && slices.ContainsFunc(s.ending, func(d *Drain) bool { return unmap(d.RealServer) == unmap(server.Addr) })
}

// weightOf returns the weight that other programs gave a real server: the one that it
// has, or had before a drain of ours, or else that of a new one.
func (s *lastService) weightOf(server *RealServer, fresh int) int {
	before := RealServer{Weight: fresh}
	switch {
	case s.drains(server):
		for _, d := range s.ending {
			if unmap(d.RealServer) == unmap(server.Addr) {
				find(d.Before, unmap(server.Addr), &before)
			}
		}
	case s.drain != nil && server.Weight == 0:
		find(s.drain.Before, unmap(server.Addr), &before)
	default:
		return server.Weight
	}
	return before.Weight
}

// owns reports whether a real server was applied last, or was when the service began to
// drain.
func (s *lastService) owns(addr netip.AddrPort) bool {
	var server RealServer
	return find(s.service.RealServers, addr, &server) || s.drain != nil && find(s.drain.Before, addr, &server)
}

// applied returns a real server as it was applied last, and whether it was.
func (s *lastService) applied(addr netip.AddrPort) (server RealServer, ok bool) {
	ok = find(s.service.RealServers, addr, &server)
	return server, ok
}

// find sets server to the one of the address, and reports whether there is one.
func find(all []RealServer, addr netip.AddrPort, server *RealServer) bool {
	for i := range all {
		if unmap(all[i].Addr) == addr {
			*server = all[i]
			return true
		}
	}
	return false
}
