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

// make does what the kernel does for a change that it makes. It changes no real servers
// that others hold.
func (l left) make(ch lvs.Change) {
	id := ch.ServiceID()
	s, exists := l[id]
	if service, ok := ch.Service(); ok {
		s.Service = service
		l[id] = s
		return
	}
	if ch.Op() == lvs.OpRemoveService {
		delete(l, id)
		return
	}
	if !exists {
		return
	}
	addr := plain(ch.RealServerAddr())
	at := slices.IndexFunc(s.RealServers, func(r lvs.RealServer) bool { return r.Addr == addr })
	servers := slices.Clone(s.RealServers)
	switch server, ok := ch.RealServer(); {
	case ok && at < 0:
		server.Addr = addr
		servers = append(servers, server)
	case ok:
		server.Addr = addr
		servers[at] = server
	case at >= 0:
		servers = append(servers[:at], servers[at+1:]...)
	}
	s.RealServers = servers
	l[id] = s
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
	before := serversOf(was)
	for _, s := range is.RealServers {
		old, known := before[s.Addr]
		delete(before, s.Addr)
		if known && old.Equal(s) {
			continue
		}
		d := Drift{Service: was.ID, RealServer: s.Addr, Is: lvs.AddRealServer(was.ID, s)}
		if known {
			d.Was = lvs.AddRealServer(was.ID, old)
		}
		all = append(all, d)
	}
	for addr, old := range before {
		all = append(all, Drift{Service: was.ID, RealServer: addr, Was: lvs.AddRealServer(was.ID, old)})
	}
	return all
}

func serversOf(s lvs.TableService) map[netip.AddrPort]lvs.RealServer {
	all := make(map[netip.AddrPort]lvs.RealServer, len(s.RealServers))
	for _, server := range s.RealServers {
		all[server.Addr] = server
	}
	return all
}
