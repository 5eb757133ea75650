package lvs

import (
	"fmt"
	"strings"

	"github.com/golvs/lvs/internal/simipvs/sched"
)

// hashTable is the table in which sh, mh or dh finds the server of a client, or of a
// destination. Kernels are assumed to have the usual sizes of it.
type hashTable struct {
	service *notedService
	group   *sched.Group
	servers map[*notedServer]*sched.Server
	buckets []hashBucket
	filled  int // how often the table was filled
}

// mostTables is how many tables are made for one service. The notes of further steps
// have no figures.
const mostTables = 64

// hashBucket is what clients of a bucket get.
type hashBucket struct {
	server  *sched.Server
	refuses bool // the server is not usable, or there is none
}

// hashed returns the buckets as they are, nil if the scheduler has none.
func (s *notedService) hashed() []hashBucket {
	if s.Scheduler != SH && s.Scheduler != MH && s.Scheduler != DH {
		return nil
	}
	if s.hash == nil {
		s.hash = newHashTable(s)
	}
	return s.hash.buckets
}

func newHashTable(s *notedService) *hashTable {
	h := &hashTable{service: s, group: sched.NewGroup(false), servers: make(map[*notedServer]*sched.Server)}
	for _, server := range s.servers {
		h.add(server)
	}
	by, _ := sched.New(string(s.Scheduler), sched.Options{IPv4: !s.ID.Is6()})
	if err := h.group.Schedule(by); err != nil {
		h.filled = mostTables // more servers than buckets
	}
	h.fill()
	return h
}

func (h *hashTable) add(server *notedServer) {
	weight := int32(server.Weight)
	in := &sched.Server{Addr: server.Addr, Weight: weight, LastWeight: weight}
	h.servers[server] = in
	h.group.Add(in)
}

// set follows the change of a server.
func (h *hashTable) set(server *notedServer, was, now int) {
	switch in := h.servers[server]; {
	case was == removed:
		h.add(server)
	case now == removed:
		h.group.Remove(in)
		delete(h.servers, server)
	default:
		in.Weight = int32(now)
		if now != 0 {
			in.LastWeight = in.Weight
		}
		h.group.Edited(in)
	}
	h.fill()
}

// fill notes the buckets as they are now.
func (h *hashTable) fill() {
	if h.filled >= mostTables {
		h.buckets = nil
		return
	}
	h.filled++
	servers := h.group.Buckets()
	if h.service.Scheduler == DH && h.service.ID.FWMark() == 0 {
		only := sched.DestinationBucket(h.service.ID.AddrPort().Addr())
		servers = servers[only : only+1]
	}
	h.buckets = make([]hashBucket, len(servers))
	for i, s := range servers {
		h.buckets[i] = hashBucket{s, s == nil || s.Weight == 0}
	}
}

// rehashed compares the buckets with what they were.
func (s *notedService) rehashed(was []hashBucket, unsure bool) string {
	now := s.hash.buckets
	switch {
	case unsure || s.isUnsure():
		return "Which clients move depends on the weight that a server of weight 0 had before, which the kernel does not show."
	case was == nil || now == nil:
		return fmt.Sprintf("%s fills its table again, so some clients move.", s.Scheduler)
	case s.Scheduler == DH && len(now) == 1:
		return s.destination(was[0], now[0])
	}
	fallback := s.Scheduler != DH && s.SchedulerFlags&HashFallback != 0
	moved, refused, accepted := 0, 0, 0
	for i, b := range now {
		switch o := was[i]; {
		case b.refuses && !fallback:
			if !o.refuses {
				refused++
			}
		case o.refuses && !fallback:
			accepted++
		case b != o:
			moved++
		}
	}
	return s.shares(len(now), moved, refused, accepted)
}

// isUnsure reports whether the table of mh depends on weights that cannot be read.
func (s *notedService) isUnsure() bool {
	if s.Scheduler != MH {
		return false
	}
	for _, o := range s.servers {
		if o.wasQuiesced {
			return true
		}
	}
	return false
}

// shares returns what the clients of so many buckets notice.
func (s *notedService) shares(all, moved, refused, accepted int) string {
	who := "clients"
	switch {
	case s.Scheduler == DH:
		who = "destinations"
	case s.SchedulerFlags&HashPort != 0:
		who = "client ports"
	}
	if s.Persistence.Timeout != 0 {
		who += " that persistence does not tie"
	}
	var parts []string
	part := func(buckets int, what string) {
		if buckets > 0 {
			parts = append(parts, fmt.Sprintf("%.1f %% of %s %s", 100*float64(buckets)/float64(all), who, what))
			who = "all"
		}
	}
	part(moved, "move to another server")
	part(refused, "are refused, because "+string(s.Scheduler)+" has no fallback")
	part(accepted, "are no longer refused")
	if len(parts) == 0 {
		return fmt.Sprintf("No client moves: %s fills its table as before.", s.Scheduler)
	}
	return strings.Join(parts, ", and ") + "."
}

// destination returns where the only destination of a service goes by dh.
func (s *notedService) destination(was, now hashBucket) string {
	vip := s.ID.AddrPort().Addr()
	switch {
	case now.refuses:
		return fmt.Sprintf("dh refuses all new connections, because %s hashes to a server of weight 0.", vip)
	case was == now:
		return fmt.Sprintf("dh still sends all new connections to %s, to which %s hashes.", now.server.Addr, vip)
	}
	return fmt.Sprintf("dh sends all new connections to %s, to which %s hashes now.", now.server.Addr, vip)
}
