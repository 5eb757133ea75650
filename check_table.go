package lvs

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/golvs/lvs/internal/wire"
)

func (j *judge) ports(e ServiceEntry) {
	for _, s := range e.Servers {
		if s.Mode != NAT && s.Mode.method() != wire.MethodLocalNode && e.ID.FWMark() == 0 && s.Addr.Port() != e.ID.AddrPort().Port() {
			j.add(j.own, FindingPortIgnored.broken("%s -> %s: packets arrive at port %d", e.ID, s.RealServer, e.ID.AddrPort().Port()).
				advise("give the server the service's port, or use NAT"))
		}
	}
}

// loopback looks for addresses that packets from or to other hosts cannot have. A
// server by DR at a loopback address is the director itself.
func (j *judge) loopback(e ServiceEntry) {
	local := e.ID.FWMark() == 0 && e.ID.AddrPort().Addr().IsLoopback()
	for _, s := range e.Servers {
		switch here := s.Addr.Addr().IsLoopback(); {
		case here && !local && s.Mode == NAT:
			j.add(j.own, FindingLoopback.broken("%s -> %s: packets of other hosts are dropped", e.ID, s.RealServer).
				change(e.without(s.RealServer)...).
				advise("let the program listen on an address of this host that is not a loopback one, and give the server that address"))
		case !here && local:
			j.add(j.own, FindingLoopback.broken("%s -> %s: the VIP is reached from this host alone, and its packets do not leave it", e.ID, s.RealServer).
				advise("give the service a VIP that other hosts can reach"))
			return
		}
	}
}

// asSiblings returns the changes that forward to a server as to all others of its
// service, whose mode and port are one; none if they are not, or are the server's.
func (e ServiceEntry) asSiblings(s RealServer) []Change {
	right, agreed := s, false
	for _, other := range e.Servers {
		if other.Addr == s.Addr {
			continue
		}
		at := netip.AddrPortFrom(s.Addr.Addr(), other.Addr.Port())
		if agreed && (right.Mode != other.Mode || right.Addr != at) {
			return nil
		}
		right.Mode, right.Addr, agreed = other.Mode, at, true
	}
	switch {
	case !agreed || right.Mode == s.Mode:
		return nil
	case right.Addr == s.Addr:
		return []Change{UpdateRealServer(e.ID, right)}
	case slices.ContainsFunc(e.Servers, func(other RealServerStatus) bool { return other.Addr == right.Addr }):
		return nil
	}
	return []Change{AddRealServer(e.ID, right), RemoveRealServer(e.ID, s.Addr)}
}

// without returns the change that removes a server which no client can use, if
// others of the service are left.
func (e ServiceEntry) without(s RealServer) []Change {
	left := slices.ContainsFunc(e.Servers, func(other RealServerStatus) bool {
		return other.Addr != s.Addr && other.Weight > 0 && !other.Addr.Addr().IsLoopback()
	})
	if !left {
		return nil
	}
	return []Change{RemoveRealServer(e.ID, s.Addr)}
}

func (j *judge) coarse(e ServiceEntry) {
	if e.Persistence.Timeout == 0 || e.Persistence.Mask == 0 {
		return
	}
	usual := 24
	if e.ID.Is6() {
		usual = 64
	}
	bits, err := strconv.Atoi(strings.TrimPrefix(e.Persistence.Mask.String(), "/"))
	if err == nil && bits < usual {
		j.add(j.own, FindingCoarsePersistence.risk("%s makes one client of each /%d", e.ID, bits).advise("use a longer mask"))
	}
}

// crowd is how many connections a server has when one beside it with none is
// about to be flooded.
const crowd = 100

func (j *judge) flooded(e ServiceEntry) {
	switch e.Scheduler {
	case LC, WLC, "", SED, NQ:
	default:
		return
	}
	most := uint32(0)
	for _, s := range e.Servers {
		most = max(most, s.ActiveConns)
	}
	for _, s := range e.Servers {
		if s.Weight > 0 && s.ActiveConns+s.InactiveConns == 0 && most >= crowd {
			j.add(j.own, FindingFlooded.risk("%s -> %s has no connection, and another has %d", e.ID, s.RealServer, most).
				advise("raise its weight in steps"))
		}
	}
}

// checkWeights looks for real servers of weight 0 that have never had a connection,
// beside others that have a weight. The counters of one that is drained show
// connections, unless they were zeroed; a service without any weight is reported as a
// whole.
func (j *judge) checkWeights(e ServiceEntry) {
	hasWeight := func(s RealServerStatus) bool { return s.Weight > 0 }
	zeroed := e.Stats.Conns == 0 && slices.ContainsFunc(e.Servers, func(s RealServerStatus) bool { return s.conns() > 0 })
	if zeroed || !slices.ContainsFunc(e.Servers, hasWeight) {
		return
	}
	for _, s := range e.Servers {
		if s.Weight == 0 && !s.hadShare() {
			j.add(j.own, FindingWeightZero.risk("%s -> %s has never had a connection", e.ID, s.RealServer).
				advise("give it a weight, unless it is meant to wait"))
		}
	}
}

// overhead is what a tunnel adds to a packet, in bytes.
func overhead(s RealServer) int {
	size := 20
	if s.Addr.Addr().Is6() {
		size = 40
	}
	switch s.Mode.tunnelType() {
	case wire.TunnelGUE:
		size += 12
	case wire.TunnelGRE:
		size += 4
		if s.Mode.tunnelFlags()&TunnelChecksum != 0 {
			size += 4
		}
	}
	return size
}
