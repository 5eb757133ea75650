package lvs

import (
	"net/netip"
	"slices"
	"time"
)

// foundService is a service of a plan as it was found, and as it is on its way through
// the steps of the plan. Real servers whose drains are under way are not part of it,
// because they may be removed at any time.
type foundService struct {
	ID     ServiceID        `json:"id"`
	Was    uint64           `json:"was"`              // digest of what was found; 0 if it did not exist
	Way    []uint64         `json:"way,omitempty"`    // digest after each of its steps
	Ending []netip.AddrPort `json:"ending,omitempty"` // real servers that were draining
}

// serviceDigest is the digest of what is configured of a service. It does not depend on
// counters, and is the same in every process.
type serviceDigest struct {
	exists  bool
	service uint64
	servers []serverDigest // in order
}

type serverDigest struct {
	addr   netip.AddrPort
	digest uint64
}

func newServiceDigest(l *liveService, without []netip.AddrPort) *serviceDigest {
	d := &serviceDigest{exists: l.exists()}
	if !d.exists {
		return d
	}
	d.service = digestConfig(l.service)
	d.servers = make([]serverDigest, 0, l.len())
	for i := range l.len() {
		if s := l.server(i); !slices.Contains(without, unmap(s.Addr)) {
			d.servers = append(d.servers, serverDigest{unmap(s.Addr), digestServer(s)})
		}
	}
	return d
}

// after makes a step, and returns the digest of the result.
func (d *serviceDigest) after(step *TableStep) uint64 {
	ch := &step.Change
	at := slices.IndexFunc(d.servers, func(s serverDigest) bool { return s.addr == ch.get().server.Addr })
	switch ch.get().kind {
	case addService:
		*d = serviceDigest{exists: true, service: digestConfig(&ch.get().service)}
	case updateService:
		d.service = digestConfig(&ch.get().service)
	case removeService:
		*d = serviceDigest{exists: step.Drain > 0, service: d.service}
	case addServer:
		d.servers = append(d.servers, serverDigest{unmap(ch.get().server.Addr), digestServer(&ch.get().server)})
	case updateServer:
		d.servers[at].digest = digestServer(&ch.get().server)
	case removeServer:
		d.servers = slices.Delete(d.servers, at, at+1)
	}
	return d.sum()
}

func (d *serviceDigest) sum() uint64 {
	if !d.exists {
		return 0
	}
	h := digest(d.service)
	for _, s := range d.servers {
		h = h.number(s.digest)
	}
	return h.sum()
}

// digest returns what newServiceDigest would sum.
func (l *liveService) digest(without []netip.AddrPort) uint64 {
	if !l.exists() {
		return 0
	}
	h := digest(digestConfig(l.service))
	for i := range l.len() {
		if s := l.server(i); !slices.Contains(without, unmap(s.Addr)) {
			h = h.number(digestServer(s))
		}
	}
	return h.sum()
}

// digestConfig returns the digest of a service without its ID and real servers.
func digestConfig(s *Service) uint64 {
	n := s.normal()
	return digest(digestSeed).
		text(string(n.Scheduler)).
		number(uint64(n.SchedulerFlags)).
		number(uint64(n.Persistence.Timeout / time.Second)).
		number(uint64(n.Persistence.Mask.kind)<<32 | uint64(n.Persistence.Mask.value)).
		text(n.Persistence.Engine).
		flag(n.OnePacket).sum()
}
