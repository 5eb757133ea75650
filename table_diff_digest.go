package lvs

import (
	"net/netip"
	"slices"
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

func (d *serviceDigest) reset(l *liveService, without []netip.AddrPort) {
	*d = serviceDigest{exists: l.exists(), servers: d.servers[:0]}
	if !d.exists {
		return
	}
	d.service = digestConfig(l.service)
	for i := range l.len() {
		if s := l.server(i); !slices.Contains(without, unmap(s.Addr)) {
			d.servers = append(d.servers, serverDigest{unmap(s.Addr), digestServer(s)})
		}
	}
}

// after makes a step, and returns the digest of the result.
func (d *serviceDigest) after(step *TableStep) uint64 {
	ch := step.Change.get()
	switch ch.kind {
	case addService:
		d.exists, d.service = true, digestConfig(&ch.service)
	case updateService:
		d.service = digestConfig(&ch.service)
	case removeService:
		d.exists, d.servers = step.Drain > 0, d.servers[:0]
	case addServer:
		d.servers = append(d.servers, serverDigest{unmap(ch.server.Addr), digestServer(&ch.server)})
	case updateServer:
		d.servers[d.place(ch.server.Addr)].digest = digestServer(&ch.server)
	case removeServer:
		at := d.place(ch.server.Addr)
		d.servers = slices.Delete(d.servers, at, at+1)
	}
	return d.sum()
}

func (d *serviceDigest) place(addr netip.AddrPort) int {
	addr = unmap(addr)
	return slices.IndexFunc(d.servers, func(s serverDigest) bool { return s.addr == addr })
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

// digest returns what a serviceDigest that was reset to it sums.
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
