package lvs

import (
	"fmt"
	"math"
)

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
		return "It is the only usable server, so " + of.newConns() + " are no longer refused."
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
		return "wrr starts its round over at the newest server."
	}
	switch {
	case now <= 0 && was <= 0:
		return ""
	case now <= 0:
		return capital(of.newConns()) + " go to the other servers."
	case was <= 0:
		return of.joined(server)
	}
	return of.reweighted()
}

// noneLeft returns what new connections get from a service without a usable server.
func (n *noter) noneLeft(of *notedService) string {
	return "No server with a weight is left. " + n.refused(of, "")
}

// refused returns that new connections get no server, until a condition ends.
func (n *noter) refused(of *notedService, until string) string {
	refused := of.newConns() + " are " + refusal(of.ID) + until
	if of.ID.FWMark() == 0 {
		return capital(refused) + "."
	}
	return n.either(SysctlCacheBypass, refused, of.newConns()+" go on to their original destinations"+until)
}

// joined returns what happens when a server gets new connections besides others.
func (s *notedService) joined(server *notedServer) string {
	switch s.Scheduler {
	case RR:
		return "rr picks it in its turn."
	case TWOS:
		return "twos draws it by its weight."
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
		return fmt.Sprintf("%s balances it with the others.", s.Scheduler)
	}
	return fmt.Sprintf("%s sends %s to it first, about %d of them, until its load is that of the others.", s.Scheduler, s.newConns(), next)
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
		return s.stay() + "; twos draws by the new weights."
	case OVF:
		return s.stay() + "; ovf fills the servers in the order of the new weights."
	case WLC, SED, NQ:
		return fmt.Sprintf("%s; %s balances new ones by the new weights.", s.stay(), s.Scheduler)
	}
	return fmt.Sprintf("How %s picks is not known.", s.Scheduler)
}

// cached returns what happens to what lblc and lblcr remember.
func (s *notedService) cached(was, now int) string {
	switch {
	case was <= 0 && now <= 0:
		return ""
	case now <= 0:
		return fmt.Sprintf("%s gives the destinations that it has to other servers.", s.Scheduler)
	case was <= 0:
		return "Destinations keep their servers; it gets new ones, and those whose server is too busy."
	}
	return "Destinations keep their servers, until one has more active connections than its weight and another fewer than half of its own."
}

// pinned returns where all new connections go.
func (s *notedService) pinned(was, now *notedServer) string {
	until := ""
	if now.UpperThreshold > 0 {
		until = ", until it is full"
	}
	if was == now {
		return fmt.Sprintf("%s still sends all %s to %s%s.", s.Scheduler, s.newConns(), now.Addr, until)
	}
	return fmt.Sprintf("%s sends all %s to %s, and no longer to %s%s.", s.Scheduler, s.newConns(), now.Addr, was.Addr, until)
}
