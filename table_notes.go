package lvs

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/golvs/lvs/internal/release"
)

// annotate adds to each step what it does to connections and clients. have is the table
// as it was found. The parameters on which that depends are read from h; if h is nil, the
// notes name them.
func (p *TablePlan) annotate(ctx context.Context, have Snapshot, h *Host) error {
	if len(p.Steps) == 0 {
		return nil
	}
	n := noter{have: have.Services, services: make(map[ServiceID]*notedService), added: make(map[serverKey]netip.AddrPort)}
	if err := n.read(ctx, h); err != nil {
		return err
	}
	losing := make(map[ServiceID]bool) // services that lose real servers
	for i := range p.Steps {
		if ch := p.Steps[i].Change.get(); ch.kind == removeServer {
			losing[ch.service.ID] = true
		}
	}
	for i := range p.Steps {
		if ch := p.Steps[i].Change.get(); ch.kind == addServer && losing[ch.service.ID] {
			n.willAdd(p.Steps[i].key())
		}
	}
	for i := range p.Steps {
		p.Steps[i].Notes = n.step(&p.Steps[i])
	}
	return nil
}

// noter writes the notes of a plan. It makes the steps on copies of the services that
// they change.
type noter struct {
	have     []ServiceEntry               // as found, ordered
	services map[ServiceID]*notedService  // nil: removed
	added    map[serverKey]netip.AddrPort // servers that steps add, by their address with and without the port
	change   [2]int                       // by how much the number of IPv4 and of IPv6 services has changed

	parameters map[SysctlKey]int // without those that are not known
	release    *release.Release  // nil: not known
}

// serverKey is a real server of a service.
type serverKey struct {
	service ServiceID
	server  netip.AddrPort
}

func (s *TableStep) key() serverKey {
	return serverKey{s.Change.ServiceID(), unmap(s.Change.RealServerAddr())}
}

func (n *noter) willAdd(k serverKey) {
	n.added[k] = k.server
	n.added[k.withoutPort()] = k.server
}

func (k serverKey) withoutPort() serverKey {
	k.server = netip.AddrPortFrom(k.server.Addr(), 0)
	return k
}

// notedParameters are the parameters on which notes depend.
var notedParameters = [...]SysctlKey{SysctlExpireNoDestConn, SysctlExpireQuiescentTemplate, SysctlCacheBypass, SysctlConnReuseMode}

// read reads what notes depend on besides the table. What a host hides stays unknown.
func (n *noter) read(ctx context.Context, h *Host) error {
	if h == nil {
		return nil
	}
	var paths []string
	for _, key := range notedParameters {
		path, _ := key.path()
		paths = append(paths, path)
	}
	files, err := h.readFiles(ctx, paths)
	if err != nil {
		return err
	}
	n.parameters = make(map[SysctlKey]int)
	for i, file := range files {
		value, bad := strconv.Atoi(strings.TrimSpace(string(file.text)))
		switch {
		case file.err == nil && bad == nil:
			n.parameters[notedParameters[i]] = value
		case file.err != nil && !errors.Is(file.err, ErrNotFound):
			return file.err
		}
	}
	text, err := h.KernelRelease(ctx)
	if err != nil {
		return err
	}
	if running, err := release.Parse(text); err == nil {
		n.release = &running
	}
	return nil
}

// either returns what happens by the value of a switch, and both if it is not known.
func (n *noter) either(key SysctlKey, off, on string) string {
	switch value, known := n.parameters[key]; {
	case !known:
		return "While " + string(key) + " is 0, " + off + "; otherwise " + on + "."
	case value == 0:
		return capital(off) + "."
	}
	return capital(on) + "."
}

// mayBeOff reports whether a switch is off, or not known.
func (n *noter) mayBeOff(key SysctlKey) bool { return n.parameters[key] == 0 }

// capital returns a sentence with its first letter in upper case.
func capital(s string) string {
	if s != "" && 'a' <= s[0] && s[0] <= 'z' {
		return string(s[0]-'a'+'A') + s[1:]
	}
	return s
}

// notedService is a service while a plan is made: before the next step.
type notedService struct {
	Service
	servers []*notedServer
	byAddr  map[netip.AddrPort]*notedServer
	usable  int // servers with a weight
	hash    *hashTable
}

// notedServer is a real server with the counts that it was found with.
type notedServer struct {
	RealServerStatus
	wasQuiesced bool // it was found with weight 0, so which weight it had before is not known
}

func (s *notedServer) conns() int { return s.ActiveConns + s.InactiveConns }

// service returns a service as it is before the next step, nil if it does not exist.
func (n *noter) service(id ServiceID) *notedService {
	if s, ok := n.services[id]; ok {
		return s
	}
	e := n.found(id)
	if e == nil {
		return nil
	}
	s := newNotedService(e.Service)
	for _, server := range e.RealServers {
		s.add(&notedServer{server, server.Weight == 0})
	}
	n.services[id] = s
	return s
}

// found returns a service as it was found, or nil.
func (n *noter) found(id ServiceID) *ServiceEntry {
	i, ok := slices.BinarySearchFunc(n.have, id, func(e ServiceEntry, id ServiceID) int { return e.ID.Compare(id) })
	if !ok {
		return nil
	}
	return &n.have[i]
}

func newNotedService(s Service) *notedService {
	return &notedService{Service: s.normal(), byAddr: make(map[netip.AddrPort]*notedServer)}
}

func (s *notedService) add(server *notedServer) {
	server.Addr = unmap(server.Addr)
	s.servers = append(s.servers, server)
	s.byAddr[server.Addr] = server
	s.usable += used(server.Weight)
}

func (s *notedService) remove(server *notedServer) {
	s.servers = slices.DeleteFunc(s.servers, func(o *notedServer) bool { return o == server })
	delete(s.byAddr, server.Addr)
	s.usable -= used(server.Weight)
}

// used returns 1 for the weight of a usable server.
func used(weight int) int {
	if weight > 0 {
		return 1
	}
	return 0
}

// step returns the notes of a step, and makes it.
func (n *noter) step(s *TableStep) []string {
	id := s.Change.ServiceID()
	of := n.service(id)
	if s.Change.get().kind == addService {
		n.change[familyIndex(id)]++
		return n.serviceAdded(newNotedService(s.Change.get().service)) // its real servers have no clients yet
	}
	if of == nil {
		return nil
	}
	switch s.Change.get().kind {
	case updateService:
		was := of.Service
		of.Service = s.Change.get().service.normal()
		of.hash = nil
		return n.serviceEdited(of, was)
	case removeService:
		if s.Drain > 0 {
			return n.serviceDrained(of)
		}
		n.change[familyIndex(id)]--
		n.services[id] = nil
		return n.serviceRemoved(of)
	case addServer:
		return n.serverAdded(of, s.Change.get().server)
	}
	server := of.byAddr[unmap(s.Change.RealServerAddr())]
	switch {
	case server == nil:
		return nil
	case s.Change.get().kind == updateServer:
		return n.serverEdited(of, server, s.Change.get().server)
	case s.Drain > 0:
		return n.serverDrained(of, server)
	}
	return n.serverRemoved(of, server)
}

func familyIndex(id ServiceID) int {
	if id.Is6() {
		return 1
	}
	return 0
}

// sentences returns notes without the empty ones.
func sentences(all ...string) []string {
	return slices.DeleteFunc(all, func(s string) bool { return s == "" })
}
