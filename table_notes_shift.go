package lvs

import (
	"fmt"
	"math"
)

// noServerLeft says what new connections get from a service without a usable server.
const noServerLeft = "no server with a weight is left, so new connections are refused with ICMP port unreachable"

// shift sets the weight of a server, adds it or removes it, and returns what clients that
// open new connections notice.
func (n *noter) shift(of *notedService, server *notedServer, now int) string {
	was, usable, buckets, unsure := of.weightOf(server), of.usable, n.buckets(of), of.isUnsure()
	var pick *notedServer
	if of.pins() {
		pick = of.preferred()
	}
	of.set(server, was, now)
	switch {
	case of.Scheduler == NoScheduler:
		return "Without a scheduler the service refuses new connections, as before."
	case usable > 0 && of.usable == 0:
		return n.noneLeft(of)
	case usable == 0 && of.usable > 0:
		return "It is the only usable server, so new connections are no longer refused."
	case of.usable == 0:
		return ""
	case of.pins():
		return of.pinned(pick, of.preferred())
	}
	switch of.Scheduler {
	case SH, MH, DH:
		return of.rehashed(buckets, n.buckets(of), unsure)
	case LBLC, LBLCR:
		return of.cached(was, now)
	case WRR:
		return "wrr starts its round over from the newest server."
	}
	switch {
	case now <= 0 && was <= 0:
		return ""
	case now <= 0:
		return "New connections go to the other servers."
	case was <= 0:
		return of.joined(server)
	}
	return of.reweighted()
}

func (n *noter) noneLeft(of *notedService) string {
	if of.ID.FWMark() == 0 {
		return capital(noServerLeft) + "."
	}
	return n.either(SysctlCacheBypass, noServerLeft, "no server with a weight is left, so new connections go on to their original destinations")
}

// joined returns what happens when a server gets new connections besides others.
func (s *notedService) joined(server *notedServer) string {
	switch s.Scheduler {
	case RR:
		return "No client moves: rr picks it when its turn comes."
	case TWOS:
		return "No client moves: twos draws it by its weight."
	case OVF:
		if s.preferred().Weight > server.Weight {
			return "ovf picks it when the servers of higher weight have more active connections than their weight."
		}
		return fmt.Sprintf("ovf prefers it until it has more than %d active connections.", server.Weight)
	case LC, WLC, SED, NQ:
		return s.flooded(server)
	}
	return fmt.Sprintf("How %s picks is not known.", s.Scheduler)
}

// flooded returns how many new connections in a row a server gets that has fewer than
// the others.
func (s *notedService) flooded(server *notedServer) string {
	least := 0.0
	if other := s.preferred(); other != nil {
		least = s.load(other)
	}
	next := 0
	switch weight := float64(server.Weight); s.Scheduler {
	case LC:
		next = int(math.Ceil(least - s.load(server)))
	default:
		next = int(math.Ceil((least - s.load(server)) * weight))
	}
	if next <= 1 {
		return fmt.Sprintf("No client moves: %s balances it with the others.", s.Scheduler)
	}
	return fmt.Sprintf("%s sends it about the next %d new connections in a row, until its load is that of the others.", s.Scheduler, next)
}

// load returns the load of a server by which the scheduler compares it, in connections
// like those that come next.
func (s *notedService) load(server *notedServer) float64 {
	active, inactive := float64(server.ActiveConns), float64(server.InactiveConns)
	load := active + inactive/256
	if s.ID.Protocol() == ProtocolUDP {
		load = active*256 + inactive
	}
	switch s.Scheduler {
	case LC:
		return load
	case SED, NQ:
		load = active + 1
	}
	return load / float64(server.Weight)
}

// reweighted returns what happens when the weight of a server changes that gets new
// connections before and after.
func (s *notedService) reweighted() string {
	switch s.Scheduler {
	case RR, LC:
		return fmt.Sprintf("%s does not count weights, so nothing changes.", s.Scheduler)
	case TWOS:
		return "No client moves: twos draws by the new weights."
	case OVF:
		return "No connection moves: ovf fills the servers in the order of the new weights."
	case WLC, SED, NQ:
		return fmt.Sprintf("No connection moves: %s balances the loads by the new weights with those that come.", s.Scheduler)
	}
	return fmt.Sprintf("How %s picks is not known.", s.Scheduler)
}

// cached returns what happens to what lblc and lblcr remember.
func (s *notedService) cached(was, now int) string {
	switch {
	case was <= 0 && now <= 0:
		return ""
	case now <= 0:
		return fmt.Sprintf("%s gives the destinations that it had to other servers.", s.Scheduler)
	case was <= 0:
		return "Destinations keep the servers that they have; it gets others, and those whose server is too busy."
	}
	return "Destinations keep the servers that they have, until one has more active connections than its weight and another is less than half full."
}

// pinned returns where all new connections go.
func (s *notedService) pinned(was, now *notedServer) string {
	if was == now {
		return fmt.Sprintf("%s still sends all new connections to %s.", s.Scheduler, now.Addr)
	}
	return fmt.Sprintf("%s sends all new connections to %s, and no longer to %s.", s.Scheduler, now.Addr, was.Addr)
}
