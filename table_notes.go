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
	for i := range n.have {
		n.left[familyIndex(n.have[i].ID)]++
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
	left     [2]int                       // how many IPv4 and IPv6 services there are
	tables   int                          // how often buckets were filled

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

// service returns a service as it is before the next step, nil if it does not exist.
func (n *noter) service(id ServiceID) *notedService {
	if s, ok := n.services[id]; ok {
		return s
	}
	i, ok := slices.BinarySearchFunc(n.have, id, func(e ServiceEntry, id ServiceID) int { return e.ID.Compare(id) })
	if !ok {
		return nil
	}
	s := newNotedService(n.have[i].Service, n.have[i].RealServers, n.totals())
	n.services[id] = s
	return s
}

// totals reports whether the kernel is known to count connections together.
func (n *noter) totals() bool { return n.release != nil && n.release.CountsTotals() }

// step returns the notes of a step, and makes it.
func (n *noter) step(s *TableStep) []string {
	id := s.Change.ServiceID()
	of := n.service(id)
	if s.Change.get().kind == addService {
		n.left[familyIndex(id)]++
		return n.serviceAdded(s.Change.get().service.normal()) // its real servers have no clients yet
	}
	if of == nil {
		return nil
	}
	switch s.Change.get().kind {
	case updateService:
		was := of.Service
		of.edit(s.Change.get().service)
		return n.serviceEdited(of, was)
	case removeService:
		if s.Drain > 0 {
			return n.serviceDrained(of)
		}
		n.left[familyIndex(id)]--
		n.services[id] = nil
		return n.serviceRemoved(of)
	case addServer:
		return n.serverAdded(of, s.Change.get().server)
	}
	server := of.servers[unmap(s.Change.RealServerAddr())]
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
