package top

import (
	"net/netip"
	"time"

	"github.com/golvs/lvs"
)

// window knows how many connections each server of a service got lately: in the last half
// minute to a minute, once it has looked for so long.
type window struct {
	from, next counts // next replaces from when it is old enough
	now        counts
}

type counts struct {
	at    time.Time
	conns map[netip.AddrPort]uint64
}

const halfWindow = 30 * time.Second

// add notes the counters of a reading.
func (w *window) add(at time.Time, servers []Server) {
	now := counts{at, make(map[netip.AddrPort]uint64, len(servers))}
	for i := range servers {
		now.conns[servers[i].Addr] = servers[i].Details.Stats.Conns
	}
	for addr, n := range w.now.conns {
		if m, ok := now.conns[addr]; ok && m < n { // the counters were zeroed
			*w = window{}
			break
		}
	}
	switch {
	case w.from.conns == nil:
		w.from, w.next = now, now
	case at.Sub(w.next.at) >= halfWindow:
		w.from, w.next = w.next, now
	}
	w.now = now
}

// lately returns how many connections each server got, how many that are in all, and in
// which time. Before anything came in that time, they are the kernel's rates, and the time
// is 0.
func (w *window) lately(servers []Server) (conns []uint64, sum uint64, in time.Duration) {
	conns = make([]uint64, len(servers))
	for i := range servers {
		addr := servers[i].Addr
		conns[i] = w.now.conns[addr] - w.from.conns[addr] // all of them, if it was added since
		sum += conns[i]
	}
	if sum > 0 {
		return conns, sum, w.now.at.Sub(w.from.at)
	}
	for i := range servers {
		conns[i] = servers[i].Details.Stats.Rates.Conns
		sum += conns[i]
	}
	return conns, sum, 0
}

// windows are those of all services that were read in detail.
type windows map[lvs.ServiceID]*window

// add notes a reading. Services that are not there, or not watched any more, are
// forgotten.
func (all windows) add(r *Reading) {
	detailed := make(map[lvs.ServiceID]bool, len(all))
	for i := range r.Services {
		s := &r.Services[i]
		if !s.Detailed {
			continue
		}
		detailed[s.ID] = true
		if all[s.ID] == nil {
			all[s.ID] = &window{}
		}
		all[s.ID].add(r.At, s.Servers)
	}
	for id := range all {
		if !detailed[id] {
			delete(all, id)
		}
	}
}
