package lvs

import (
	"fmt"
	"strings"

	"github.com/golvs/lvs/internal/simipvs/sched"
)

// hashBucket is what clients of a bucket get. Kernels are assumed to have as many buckets
// as Debian builds.
type hashBucket struct {
	server  *sched.Server
	refuses bool // the server is not usable, or there is none
}

// mostTables is how often buckets are filled for one plan, so that it costs about a
// tenth of a second and some megabytes. The notes of further steps have no figures.
const mostTables = 256

// buckets returns the buckets of a service as they are, nil if it has none or they are
// not known.
func (n *noter) buckets(of *notedService) []hashBucket {
	if of.buckets == nil && of.hashes() && n.tables < mostTables {
		n.tables++
		of.schedule()
		of.fill()
	}
	return of.buckets
}

// fill notes the buckets as they are now.
func (s *notedService) fill() {
	servers := s.group.Buckets()
	if s.Scheduler == DH && s.ID.FWMark() == 0 {
		only := sched.DestinationBucket(s.ID.AddrPort().Addr())
		servers = servers[only : only+1]
	}
	for _, in := range servers {
		s.buckets = append(s.buckets, hashBucket{in, in == nil || in.Weight == 0})
	}
}

// rehashed compares the buckets with what they were.
func (s *notedService) rehashed(was, now []hashBucket, unsure bool) string {
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
func (s *notedService) isUnsure() bool { return s.Scheduler == MH && s.hidden > 0 }

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
	return "About " + strings.Join(parts, ", and ") + "."
}

// destination returns where the only destination of a service goes by dh.
func (s *notedService) destination(was, now hashBucket) string {
	vip := s.ID.AddrPort().Addr()
	switch {
	case now.refuses:
		return fmt.Sprintf("dh refuses all %s, because %s hashes to a server of weight 0.", s.newConns(), vip)
	case was == now:
		return fmt.Sprintf("dh still sends all %s to %s, to which %s hashes.", s.newConns(), now.server.Addr, vip)
	}
	return fmt.Sprintf("dh sends all %s to %s, to which %s hashes now.", s.newConns(), now.server.Addr, vip)
}
