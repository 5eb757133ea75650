package health

import (
	"math"
	"net/netip"
	"time"

	"github.com/golvs/lvs"
)

// kernelWeight is the weight that a server has in the kernel's table. It is noted each time
// that table is seen, except for a server that has a weight and has not been judged: it
// keeps the weight that was found, which may have been written with another scale since.
type kernelWeight struct {
	weight int  // -1 if it is not in the table
	scale  int  // by which the weights of the table are multiplied
	known  bool // the table was seen
}

// unseen is the weight of a server before the kernel's table was seen.
var unseen = kernelWeight{weight: -1, scale: 1}

// scaleFor returns the least scale that explains the weight of a server in a table, given
// its whole weight without a scale. The scale of the table is the greatest of those of its
// servers: the ones that have their whole weight need it.
func scaleFor(weight int, whole float64, scheduler lvs.Scheduler) int {
	if weight <= 1 || whole <= 0 || !scales(scheduler) {
		return 1
	}
	// The weight may have been rounded up.
	return max(1, rounded(math.Ceil((float64(weight)-0.5)/whole)))
}

// see notes which weights servers have in the kernel's table.
func (m *Monitor) see(have lvs.Table, now time.Time) {
	there := make(map[lvs.ServiceID][]lvs.RealServer, len(have.Services))
	for _, t := range have.Services {
		there[t.ID] = t.RealServers
	}
	for _, id := range m.order {
		m.seeService(m.services[id], there[id], now)
	}
}

func (m *Monitor) seeService(s *service, there []lvs.RealServer, now time.Time) {
	scale, have := 1, finder{servers: there}
	for i, mb := range s.members {
		mb.live = have.weight(i, mb.addr)
		whole := m.operated(mb).of(mb.server.Weight) * max(1, mb.load.use())
		scale = max(scale, scaleFor(mb.live, whole, s.Scheduler))
	}
	for _, mb := range s.members {
		if mb.state == Unknown && mb.found.known && mb.found.weight > 0 {
			continue // it keeps that
		}
		mb.found = kernelWeight{mb.live, scale, true}
		if mb.starting {
			m.resume(mb, now)
			m.weighBy(s, now)
		}
	}
}

// finder finds the weights of servers. It is fast if they are asked for in their order.
type finder struct {
	servers []lvs.RealServer
	weights map[netip.AddrPort]int // nil before it is needed
}

// weight returns the weight of a server; -1 if it is not there.
func (f *finder) weight(at int, addr netip.AddrPort) int {
	if at < len(f.servers) && unmap(f.servers[at].Addr) == addr {
		return f.servers[at].Weight
	}
	if f.weights == nil {
		f.weights = make(map[netip.AddrPort]int, len(f.servers))
		for _, s := range f.servers {
			f.weights[unmap(s.Addr)] = s.Weight
		}
	}
	if weight, ok := f.weights[addr]; ok {
		return weight
	}
	return -1
}
