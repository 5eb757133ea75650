package lvs

import (
	"net/netip"

	"github.com/golvs/lvs/internal/simipvs/sched"
)

// notedService is a service while a plan is made: before the next step.
type notedService struct {
	Service
	servers map[netip.AddrPort]*notedServer // by their addresses
	gone    map[netip.AddrPort]*notedServer // those that steps removed
	usable  int                             // servers with a weight
	hidden  int                             // servers of which nothing shows what weight they had before 0

	group     *sched.Group // the same servers, in their order
	scheduled bool         // the group's scheduler is that of the service
	buckets   []hashBucket // of sh, mh and dh; nil: not known
}

// notedServer is a real server with the counts that it was found with.
type notedServer struct {
	RealServerStatus
	isHidden bool // it was found with weight 0, and has it still
	isRaised bool // a step made it usable
	in       *sched.Server
}

// removed stands for the weight of a server that is not there.
const removed = -1

func (s *notedServer) conns() int { return s.ActiveConns + s.InactiveConns }

// newNotedService returns a service with the real servers that it was found with.
func newNotedService(s Service, servers []RealServerStatus, totals bool) *notedService {
	of := &notedService{
		Service: s.normal(), servers: make(map[netip.AddrPort]*notedServer, len(servers)),
		gone: make(map[netip.AddrPort]*notedServer), group: sched.NewGroup(totals),
	}
	for _, r := range servers {
		server := &notedServer{RealServerStatus: r, isHidden: r.Weight == 0}
		of.hidden += countIf(server.isHidden)
		of.add(server)
	}
	return of
}

func (s *notedService) add(server *notedServer) {
	server.Addr = unmap(server.Addr)
	weight := int32(server.Weight)
	server.in = &sched.Server{
		Addr: server.Addr, Weight: weight, LastWeight: weight,
		Active: int32(server.ActiveConns), Inactive: int32(server.InactiveConns),
	}
	s.servers[server.Addr] = server
	delete(s.gone, server.Addr)
	s.usable += countIf(server.Weight > 0)
	s.veil(server)
	s.group.Add(server.in)
}

func (s *notedService) remove(server *notedServer) {
	delete(s.servers, server.Addr)
	s.gone[server.Addr] = server
	s.usable -= countIf(server.Weight > 0)
	s.hidden -= countIf(server.isHidden)
	s.group.Remove(server.in)
}

// set makes a server have a weight, adds it, or removes it.
func (s *notedService) set(server *notedServer, was, now int) {
	server.isRaised = server.isRaised || was <= 0 && now > 0
	switch {
	case was == removed:
		s.add(server)
	case now == removed:
		s.remove(server)
	default:
		s.usable += countIf(now > 0) - countIf(was > 0)
		if server.isHidden && now > 0 {
			server.isHidden = false
			s.hidden--
		}
		server.Weight = now
		server.in.Weight = int32(now)
		if now != 0 {
			server.in.LastWeight = int32(now)
		}
		s.veil(server)
		s.group.Edited(server.in)
	}
	s.buckets = nil
}

// edit makes a service have other fields.
func (s *notedService) edit(now Service) {
	s.Service = now.normal()
	s.scheduled, s.buckets = false, nil
	_ = s.group.Schedule(nil)
}

// veil hides a server that a step made usable from a scheduler that balances: its note
// compares it with those that were usable before.
func (s *notedService) veil(server *notedServer) {
	server.in.Overloaded = server.isRaised && s.balances()
}

// weightOf returns the weight that a server has before the next step, or removed.
func (s *notedService) weightOf(server *notedServer) int {
	if s.servers[unmap(server.Addr)] != server {
		return removed
	}
	return server.Weight
}

// schedule gives the group the scheduler of the service, and fo in the place of ovf: the
// notes on ovf need the heaviest server, however busy it is.
func (s *notedService) schedule() {
	if s.scheduled {
		return
	}
	s.scheduled = true
	for _, server := range s.servers {
		s.veil(server)
	}
	name := s.Scheduler
	if name == OVF {
		name = FO
	}
	if by, ok := sched.New(string(name), sched.Options{IPv4: !s.ID.Is6()}); ok {
		_ = s.group.Schedule(by) // it fails for mh with more servers than buckets, which then has none
	}
}

// preferred returns the server that the scheduler prefers now, or nil if none is usable.
// It is for schedulers that balance or pin, and ovf.
func (s *notedService) preferred() *notedServer {
	s.schedule()
	if in := s.group.Pick(nil); in != nil {
		return s.servers[in.Addr]
	}
	return nil
}

// pins reports whether the scheduler gives every new connection to one server, whatever
// the loads: nothing counts as active in a service of datagrams.
func (s *notedService) pins() bool {
	isUDP := s.ID.Protocol() == ProtocolUDP
	switch s.Scheduler {
	case FO:
		return true
	case SED, NQ, OVF:
		return isUDP
	case LC, WLC:
		return isUDP && s.OnePacket
	}
	return false
}

// balances reports whether the scheduler compares loads.
func (s *notedService) balances() bool {
	switch s.Scheduler {
	case LC, WLC, SED, NQ:
		return !s.pins()
	}
	return false
}

// hashes reports whether the scheduler has buckets.
func (s *notedService) hashes() bool {
	return s.Scheduler == SH || s.Scheduler == MH || s.Scheduler == DH
}

// connNoun is what a connection to a service is called.
func connNoun(id ServiceID) string {
	if id.Protocol() == ProtocolUDP {
		return "flow"
	}
	return "connection"
}

// newConns is what the scheduler decides about.
func (s *notedService) newConns() string {
	all := "new " + connNoun(s.ID) + "s"
	if s.OnePacket {
		all = "datagrams"
	}
	if s.Persistence.Timeout != 0 {
		all += " of new " + s.Persistence.noun() + "s" // persistence decides about the others
	}
	return all
}

// stay returns that nothing happens to the connections that exist.
func (s *notedService) stay() string { return "Existing " + connNoun(s.ID) + "s stay" }

// refusal is how new connections are refused without a usable server.
func refusal(id ServiceID) string {
	if id.Is6() {
		return "refused with ICMPv6 port unreachable"
	}
	return "refused with ICMP port unreachable"
}

// countIf returns 1 for what is to be counted.
func countIf(it bool) int {
	if it {
		return 1
	}
	return 0
}
