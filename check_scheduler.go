package lvs

import (
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"

	"github.com/golvs/lvs/internal/simipvs/sched"
)

// findRefused returns the finding about a service that gives some new clients no real
// server, and false if all get one as far as the table shows.
func (e ServiceEntry) findRefused() (Finding, bool) {
	switch {
	case e.Scheduler == NoScheduler:
		return FindingSchedulerMissing.broken("%s has no scheduler", e.ID).
			change(UpdateService(e.withScheduler(WLC, e.SchedulerFlags))), true
	case e.ID.FWMark() == 0 && e.ID.AddrPort().Port() == 0 && e.Persistence.Timeout == 0:
		return FindingPortZero.broken("%s is for all ports, but has no persistence", e.ID).
			advise("make the service persistent, or give it a port"), true
	case len(e.RealServers) == 0:
		return FindingNoServer.broken("%s has no real servers", e.ID).advise("add its real servers"), true
	case !slices.ContainsFunc(e.RealServers, RealServerStatus.mayRefuse) && e.Scheduler != OVF:
		return Finding{}, false
	}
	// What the table does not show is assumed one way, then the other.
	certain, possible := e.shareRefused(false), e.shareRefused(true)
	if certain == 0 && possible == 0 {
		return Finding{}, false
	}
	f := e.refusal(max(certain, possible))
	if certain == 0 {
		f.Severity = SeverityRisk
		f.Detail += e.whyUncertain()
	}
	return f, true
}

// findCrowded returns the finding about a service by ovf that has room for few connections,
// or few more: each server accepts one more than its weight, and then clients are refused.
func (e ServiceEntry) findCrowded() (Finding, bool) {
	if e.Scheduler != OVF {
		return Finding{}, false
	}
	room, active, weights := int64(0), int64(0), make(map[int]bool)
	for _, s := range e.RealServers {
		active += int64(s.ActiveConns)
		if s.Weight > 0 {
			room += int64(s.Weight) + 1
			weights[s.Weight] = true
		}
	}
	if room >= crowdedServer && 2*active < room {
		return Finding{}, false
	}
	f := FindingCapacity.risk("the real servers of %s by ovf accept %d active connections in all, and have %d", e.ID, room, active).
		advise("as the weight of each server, set the number of connections that it can serve; or use wlc")
	if len(weights) == 1 && weights[1] {
		return f.change(UpdateService(e.withScheduler(WLC, e.SchedulerFlags))), true // 1 is the default weight
	}
	return f, true
}

func (e ServiceEntry) withScheduler(s Scheduler, flags SchedulerFlags) Service {
	service := e.Service
	service.Scheduler, service.SchedulerFlags = s, flags
	return service
}

// refusal returns the finding about the share of new clients that get no server.
func (e ServiceEntry) refusal(share float64) Finding {
	why := e.whyUnusable()
	if share == 1 && (e.Scheduler != DH || !slices.ContainsFunc(e.RealServers, func(s RealServerStatus) bool { return !s.mayRefuse() })) {
		return FindingNoServer.broken("none of the real servers of %s accepts new connections: %s", e.ID, why).
			change(e.reopenChanges()...)
	}
	part := fmt.Sprintf("about %.0f %%", math.Ceil(100*share))
	if e.Scheduler == MH && slices.ContainsFunc(e.RealServers, func(s RealServerStatus) bool { return s.Weight == 0 }) {
		part = "a share" // as large as the server's earlier weight
	}
	f := FindingHashNoFallback.broken("%s by %s: %s of the new clients is hashed to a server that accepts none: %s", e.ID, e.Scheduler, part, why)
	if e.Scheduler == DH {
		return f.change(UpdateService(e.withScheduler(MH, e.SchedulerFlags|HashFallback))).advise("dh has no fallback: give the server a weight, or use mh with HashFallback")
	}
	return f.change(UpdateService(e.withScheduler(e.Scheduler, e.SchedulerFlags|HashFallback)))
}

// reopenChanges returns the changes that let the servers accept connections again.
func (e ServiceEntry) reopenChanges() (changes []Change) {
	for _, s := range e.RealServers {
		server := s.RealServer
		switch {
		case s.Weight == 0:
			server.Weight = 1
		case s.UpperThreshold != 0:
			server.UpperThreshold, server.LowerThreshold = 0, 0 // it is not known how many clients wait
		default:
			server.Weight = int(min(2*(uint64(s.ActiveConns)+1), math.MaxInt32)) // for ovf, which accepts as many connections
		}
		changes = append(changes, UpdateRealServer(e.ID, server))
	}
	return changes
}

func (s RealServerStatus) conns() int { return s.ActiveConns + s.InactiveConns }

// isFull reports whether a server has reached its upper threshold.
func (s RealServerStatus) isFull() bool {
	return s.UpperThreshold != 0 && s.conns() >= s.UpperThreshold
}

// mayBeFull reports whether a server may refuse connections because it was full and has
// not emptied enough since. The table does not show whether it was full.
func (s RealServerStatus) mayBeFull() bool {
	lower := s.LowerThreshold
	if lower == 0 {
		lower = s.UpperThreshold - s.UpperThreshold/4
	}
	return s.UpperThreshold != 0 && s.conns() >= lower
}

func (s RealServerStatus) mayRefuse() bool { return s.Weight == 0 || s.mayBeFull() }

// hadShare reports whether a server of weight 0 had another weight before, for it got
// connections.
func (s RealServerStatus) hadShare() bool {
	return s.Stats.Conns > 0 || s.conns() > 0 || s.PersistentConns > 0
}

// whyUnusable lists the servers that accept no new connections, with the reason.
func (e ServiceEntry) whyUnusable() string {
	var all []string
	for _, s := range e.RealServers {
		switch {
		case s.Weight == 0:
			all = append(all, fmt.Sprintf("%s has weight 0", s.Addr))
		case s.isFull():
			all = append(all, fmt.Sprintf("%s has %d connections, with the upper threshold %d", s.Addr, s.conns(), s.UpperThreshold))
		case s.mayBeFull():
			all = append(all, fmt.Sprintf("%s has %d connections, not fewer than its lower threshold", s.Addr, s.conns()))
		case e.Scheduler == OVF && int64(s.ActiveConns) > int64(s.Weight):
			all = append(all, fmt.Sprintf("%s has %d active connections, with weight %d", s.Addr, s.ActiveConns, s.Weight))
		}
	}
	if more := len(all) - 5; more > 0 {
		all = append(all[:5], fmt.Sprintf("and %d others", more))
	}
	return strings.Join(all, ", ")
}

// whyUncertain says what it depends on whether clients get a server.
func (e ServiceEntry) whyUncertain() string {
	text := ""
	if slices.ContainsFunc(e.RealServers, func(s RealServerStatus) bool { return s.Weight != 0 && s.mayBeFull() && !s.isFull() }) {
		text = "; certain only if it has reached its upper threshold since it was below its lower one"
	}
	if e.Scheduler == MH && slices.ContainsFunc(e.RealServers, func(s RealServerStatus) bool { return s.Weight == 0 && !s.hadShare() }) {
		text += "; certain only if a server of weight 0 had another weight before"
	}
	return text
}

// clientSample is how many clients are sampled to estimate the share that a hash gives no
// server.
const clientSample = 1024

// shareRefused returns the share of new clients that get no server, by the kernel's
// scheduling algorithm. If worst is set, what the table does not show is assumed to be to
// the clients' disadvantage.
func (e ServiceEntry) shareRefused(worst bool) float64 {
	group := e.schedulerGroup(worst)
	if group == nil { // an algorithm that is not one of the kernel's
		usable := func(s RealServerStatus) bool { return s.Weight > 0 && !s.isFull() && !(worst && s.mayBeFull()) }
		if slices.ContainsFunc(e.RealServers, usable) {
			return 0
		}
		return 1
	}
	sample := 1
	if e.Scheduler == SH || e.Scheduler == MH || e.Scheduler == DH && e.ID.FWMark() != 0 {
		sample = clientSample
	}
	none := 0
	for i := range sample {
		if group.Pick(e.sampleClient(uint32(i))) == nil {
			none++
		}
	}
	return float64(none) / float64(sample)
}

// schedulerGroup returns the servers with the service's scheduler, or nil if that is not
// one of the kernel's.
func (e ServiceEntry) schedulerGroup(worst bool) *sched.Group {
	by, ok := sched.New(string(e.Scheduler), sched.Options{IPv4: !e.ID.Is6()})
	if !ok {
		return nil
	}
	group := sched.NewGroup(false)
	heaviest := 1
	for _, s := range e.RealServers {
		heaviest = max(heaviest, s.Weight)
	}
	for _, s := range e.RealServers {
		last := s.Weight
		if last == 0 && (worst || s.hadShare()) {
			last = heaviest
		}
		group.Add(&sched.Server{
			Addr: s.Addr, Weight: int32(s.Weight), LastWeight: int32(last),
			Active: int32(min(s.ActiveConns, math.MaxInt32)), Inactive: int32(min(s.InactiveConns, math.MaxInt32)),
			Overloaded: s.isFull() || worst && s.mayBeFull(),
		})
	}
	if group.Schedule(by) != nil {
		return nil
	}
	return group
}

// sampleClient returns the packet of one of many clients spread over the address space.
// For a firewall mark the destinations are spread, too.
func (e ServiceEntry) sampleClient(i uint32) *sched.Flow {
	spread := binary.BigEndian.AppendUint32(nil, (i+1)*0x9e3779b1)
	addr := netip.AddrFrom4([4]byte(spread))
	if e.ID.Is6() {
		addr = netip.AddrFrom16([16]byte(append([]byte{0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0}, spread...)))
	}
	client := netip.AddrPortFrom(addr, uint16(32768+i%28000))
	dest := e.ID.AddrPort()
	if e.ID.FWMark() != 0 {
		dest = netip.AddrPortFrom(addr, 80)
	}
	return &sched.Flow{Client: client, Dest: dest, Protocol: uint8(e.ID.Protocol()), Flags: uint32(e.SchedulerFlags)}
}
