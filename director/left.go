package director

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"github.com/golvs/lvs"
)

// left is the part of the table that is in scope, as the Director found or left it.
type left map[lvs.ServiceID]lvs.TableService

// leftOf returns the services of a table.
func leftOf(t lvs.Table) left {
	l := make(left, len(t.Services))
	for _, s := range t.Services {
		l[s.ID] = s
	}
	return l
}

// table returns the services, ordered by their IDs.
func (l left) table() lvs.Table {
	return lvs.Table{Services: slices.SortedFunc(maps.Values(l), func(a, b lvs.TableService) int { return a.ID.Compare(b.ID) })}
}

// make does what the kernel does for changes that it makes. It changes no real servers
// that others hold.
func (l left) make(changes ...lvs.Change) {
	edits := map[lvs.ServiceID]*serverEdit{}
	for _, ch := range changes {
		id := ch.ServiceID()
		s, exists := l[id]
		service, isService := ch.Service()
		switch {
		case isService:
			s.Service = service
			l[id] = s
		case ch.Op() == lvs.OpRemoveService:
			delete(l, id)
			delete(edits, id)
		case exists:
			if edits[id] == nil {
				edits[id] = newServerEdit(s.RealServers)
			}
			edits[id].make(ch)
		}
	}
	for id, e := range edits {
		s := l[id]
		s.RealServers = e.result()
		l[id] = s
	}
}

// serverEdit is the real servers of a service while they are changed.
type serverEdit struct {
	servers []lvs.RealServer       // with those that were removed
	at      map[netip.AddrPort]int // the places of those that were not
}

func newServerEdit(servers []lvs.RealServer) *serverEdit {
	return &serverEdit{servers: slices.Clone(servers), at: placesOf(servers)}
}

func placesOf(servers []lvs.RealServer) map[netip.AddrPort]int {
	all := make(map[netip.AddrPort]int, len(servers))
	for i, s := range servers {
		all[s.Addr] = i
	}
	return all
}

func (e *serverEdit) make(ch lvs.Change) {
	addr := plain(ch.RealServerAddr())
	server, ok := ch.RealServer()
	if !ok {
		delete(e.at, addr)
		return
	}
	server.Addr = addr
	if i, exists := e.at[addr]; exists {
		e.servers[i] = server
		return
	}
	e.at[addr] = len(e.servers)
	e.servers = append(e.servers, server)
}

func (e *serverEdit) result() []lvs.RealServer {
	kept := e.servers[:0]
	for i, s := range e.servers {
		if at, ok := e.at[s.Addr]; ok && at == i {
			kept = append(kept, s)
		}
	}
	return kept
}

// wants reports whether the services and real servers include what is draining.
func (l left) wants(d lvs.Drain) bool {
	s, ok := l[d.Service]
	return ok && (!d.RealServer.IsValid() ||
		slices.ContainsFunc(s.RealServers, func(server lvs.RealServer) bool { return plain(server.Addr) == d.RealServer }))
}

// plain returns an address as the kernel lists it, not an IPv4 one mapped into IPv6.
func plain(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// drifts returns what other programs changed since the Director left the table,
// without responses, ordered by service and real server, of the services that were in
// scope then and are now.
func (l left) drifts(now left, inScope func(lvs.ServiceID) bool) (all []Drift) {
	for id, was := range l {
		switch is, has := now[id]; {
		case !has && inScope(id):
			all = append(all, Drift{Service: id, Was: lvs.AddService(was.Service)})
		case has && !was.Equal(is) && inScope(id):
			all = append(all, serviceDrifts(was, is)...)
		}
	}
	for id, is := range now {
		if _, had := l[id]; !had && inScope(id) {
			all = append(all, Drift{Service: id, Is: lvs.AddService(is.Service)})
		}
	}
	slices.SortFunc(all, func(a, b Drift) int {
		return cmp.Or(a.Service.Compare(b.Service), a.RealServer.Compare(b.RealServer))
	})
	return all
}

func serviceDrifts(was, is lvs.TableService) (all []Drift) {
	if !was.Service.Equal(is.Service) {
		all = append(all, Drift{Service: was.ID, Was: lvs.AddService(was.Service), Is: lvs.AddService(is.Service)})
	}
	places := placesOf(was.RealServers)
	last, moved := -1, false
	for _, s := range is.RealServers {
		d := Drift{Service: was.ID, RealServer: s.Addr, Is: lvs.AddRealServer(was.ID, s)}
		if at, known := places[s.Addr]; known {
			delete(places, s.Addr)
			// The kernel adds only behind all others: the first that comes too late was
			// added again, and so were those behind it.
			moved = moved || at < last
			last = at
			if !moved && was.RealServers[at].Equal(s) {
				continue
			}
			d.Was = lvs.AddRealServer(was.ID, was.RealServers[at])
		}
		all = append(all, d)
	}
	for addr, at := range places {
		all = append(all, Drift{Service: was.ID, RealServer: addr, Was: lvs.AddRealServer(was.ID, was.RealServers[at])})
	}
	return all
}
