package lvs

import (
	"net/netip"

	"github.com/golvs/lvs/internal/netstate"
)

// Rules of routing may look at the protocol, the ports and the user of a packet. IPVS
// itself asks for ways without them.

// answering is the question for the way of a service's answers to a client, as they
// leave a host with a source.
func answering(e ServiceEntry, from netip.AddrPort, client netip.Addr) netstate.Question {
	q := netstate.Question{To: client, From: from.Addr(), FromPort: from.Port(), ToClient: true}
	if e.ID.FWMark() != 0 || from.Port() == 0 {
		q.AnyFlow = true
		return q
	}
	q.Protocol = uint8(e.ID.Protocol())
	return q
}

// answer returns the route of the answers of a program of the host to a client.
func (p *party) answer(e ServiceEntry, from netip.AddrPort, client netip.Addr) netstate.Way {
	q := answering(e, from, client)
	q.User, q.AnyUser = p.userAt(e.ID, from)
	return p.routing.Resolve(q)
}

// userAt returns the user of the programs that listen at an address and port, and
// whether that is not known.
func (p *party) userAt(id ServiceID, at netip.AddrPort) (user uint32, unknown bool) {
	unknown = true
	for _, l := range p.Listeners {
		if id.FWMark() != 0 || !l.takes(id.Protocol(), at) {
			continue
		}
		if !unknown && l.User != user {
			return 0, true
		}
		user, unknown = l.User, false
	}
	return user, unknown
}
