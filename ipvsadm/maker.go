package ipvsadm

import (
	"net/netip"

	"github.com/golvs/lvs"
)

// maker makes a file from changes, as the kernel makes a table from them.
type maker struct {
	services ordered[lvs.ServiceID, madeService]
	mixed    int // servers whose address family is not that of their service
	timeouts lvs.Timeouts
	daemons  ordered[lvs.SyncRole, lvs.SyncDaemon]
}

type madeService struct {
	lvs.Service
	servers ordered[netip.AddrPort, lvs.RealServer]
	mixed   int
}

// newMaker returns a maker that begins with a file.
func newMaker(f File) *maker {
	m := &maker{timeouts: f.Timeouts}
	for _, s := range f.Table.Services {
		made := madeService{Service: s.Service}
		for _, server := range s.RealServers {
			made.servers.add(serverKey(server.Addr), server)
			made.mixed += mixes(s.ID, server)
		}
		m.services.add(s.ID, made)
		m.mixed += made.mixed
	}
	for _, d := range f.SyncDaemons {
		m.daemons.add(d.Role, d)
	}
	return m
}

// file returns what has been made.
func (m *maker) file() File {
	f := File{Timeouts: m.timeouts, SyncDaemons: m.daemons.values()}
	f.Table.Services = make([]lvs.TableService, 0, m.services.len())
	for _, s := range m.services.values() {
		f.Table.Services = append(f.Table.Services, lvs.TableService{Service: s.Service, RealServers: s.servers.values()})
	}
	return f
}

// serverKey returns the address by which a service knows a server.
func serverKey(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// mixes returns 1 if the families of a server and its service differ, else 0.
func mixes(id lvs.ServiceID, s lvs.RealServer) int {
	if s.Addr.Addr().Unmap().Is6() != id.Is6() {
		return 1
	}
	return 0
}

// apply makes one change, or returns why the kernel would not.
func (m *maker) apply(ch lvs.Change) *Error {
	if err := ch.Validate(); err != nil {
		return refused(err)
	}
	switch ch.Op() {
	case lvs.OpAddService, lvs.OpUpdateService, lvs.OpPutService:
		return m.applyService(ch)
	case lvs.OpRemoveService, lvs.OpZeroCounters:
		s := m.services.get(ch.ServiceID())
		if s == nil {
			return noService(ch.ServiceID())
		}
		if ch.Op() == lvs.OpRemoveService {
			m.mixed -= s.mixed
			m.services.remove(ch.ServiceID())
		}
	case lvs.OpAddRealServer, lvs.OpUpdateRealServer, lvs.OpPutRealServer, lvs.OpRemoveRealServer:
		return m.applyServer(ch)
	case lvs.OpFlush:
		m.services = ordered[lvs.ServiceID, madeService]{}
		m.mixed = 0
	case lvs.OpSetTimeouts:
		m.applyTimeouts(ch)
	case lvs.OpStartSyncDaemon, lvs.OpStopSyncDaemon:
		return m.applyDaemon(ch)
	}
	return nil
}

func (m *maker) applyService(ch lvs.Change) *Error {
	want, _ := ch.Service()
	switch s := m.services.get(want.ID); {
	case s == nil && ch.Op() == lvs.OpUpdateService:
		return noService(want.ID)
	case s == nil:
		m.services.add(want.ID, madeService{Service: want})
	case ch.Op() == lvs.OpAddService:
		return &Error{text: "service " + want.ID.String() + " already exists", cause: lvs.ErrExists, hint: "edit it with -E"}
	default:
		s.Service = want
	}
	return nil
}

func (m *maker) applyServer(ch lvs.Change) *Error {
	id, op := ch.ServiceID(), ch.Op()
	s := m.services.get(id)
	if s == nil {
		return noService(id)
	}
	want, written := ch.RealServer()
	key := serverKey(ch.RealServerAddr())
	have := s.servers.get(key)
	switch {
	case written && mixes(id, want) > 0 && m.daemons.len() > 0:
		return errorf("real server %s has another address family than service %s, while a sync daemon runs", key, id)
	case have == nil && (op == lvs.OpUpdateRealServer || op == lvs.OpRemoveRealServer):
		return &Error{text: "service " + id.String() + " does not have the real server " + key.String(), cause: lvs.ErrNoRealServer}
	case have == nil:
		s.servers.add(key, want)
		m.count(s, mixes(id, want))
	case op == lvs.OpAddRealServer:
		return &Error{text: "service " + id.String() + " already has the real server " + key.String(), cause: lvs.ErrExists, hint: "edit it with -e"}
	case op == lvs.OpRemoveRealServer:
		m.count(s, -mixes(id, *have))
		s.servers.remove(key)
	default:
		*have = want
	}
	return nil
}

// count adds to the servers whose address family is not that of their service.
func (m *maker) count(s *madeService, n int) {
	s.mixed += n
	m.mixed += n
}

func (m *maker) applyTimeouts(ch lvs.Change) {
	t, _ := ch.Timeouts()
	if t.TCP != 0 {
		m.timeouts.TCP = t.TCP
	}
	if t.TCPFin != 0 {
		m.timeouts.TCPFin = t.TCPFin
	}
	if t.UDP != 0 {
		m.timeouts.UDP = t.UDP
	}
}

func (m *maker) applyDaemon(ch lvs.Change) *Error {
	role := ch.SyncRole()
	running := m.daemons.get(role) != nil
	d, start := ch.SyncDaemon()
	switch {
	case start && running:
		return &Error{text: "a sync daemon runs as " + role.String(), cause: lvs.ErrExists, hint: "stop it with --stop-daemon"}
	case start && m.mixed > 0:
		return errorf("a sync daemon cannot run while a real server has another address family than its service")
	case start:
		m.daemons.add(role, d)
	case !running:
		return &Error{text: "no sync daemon runs as " + role.String(), cause: lvs.ErrNotFound}
	default:
		m.daemons.remove(role)
	}
	return nil
}

func noService(id lvs.ServiceID) *Error {
	return &Error{text: "service " + id.String() + " does not exist", cause: lvs.ErrNoService}
}
