package conformance

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/golvs/lvs"
)

// tableJudge says what must be after a plan is applied, by the words of the options and
// not by how Diff finds it.
type tableJudge struct {
	tableCase
	found lvs.Table // in the kernel, before
}

func (j tableJudge) threeWay() bool { return j.last != nil }

// applied returns a service as it was applied last, nil if it was not.
func (j tableJudge) applied(id lvs.ServiceID) *lvs.TableService {
	if !j.threeWay() {
		return nil
	}
	return serviceIn(j.last.Applied, id)
}

// drainOf returns a drain, nil if there is none. The zero address is the service.
func (j tableJudge) drainOf(id lvs.ServiceID, addr netip.AddrPort) *lvs.Drain {
	if j.threeWay() {
		for i, d := range j.last.Drains {
			if d.Service == id && d.RealServer == addr {
				return &j.last.Drains[i]
			}
		}
	}
	return nil
}

func (j tableJudge) inScope(id lvs.ServiceID) bool {
	known := serviceIn(j.want, id) != nil || j.applied(id) != nil
	if j.threeWay() {
		known = known || slices.ContainsFunc(j.last.Drains, func(d lvs.Drain) bool { return d.Service == id })
	}
	return j.scope.contains(id, known)
}

// ours reports whether a real server that is not wanted may be removed.
func (j tableJudge) ours(id lvs.ServiceID, addr netip.AddrPort) bool {
	d := j.drainOf(id, netip.AddrPort{})
	return !j.threeWay() || serverIn(j.applied(id), addr) != nil || d != nil && serverAt(d.Before, addr) >= 0
}

// draining reports whether a drain of the real server itself is under way.
func (j tableJudge) draining(id lvs.ServiceID, s lvs.RealServer) bool {
	return s.Weight == 0 && j.drainOf(id, s.Addr) != nil
}

// after returns the table that must be when the changes of the plan have been made. The
// order of new real servers is last.
func (j tableJudge) after() (t lvs.Table) {
	for _, s := range j.found.Services {
		want := serviceIn(j.want, s.ID)
		switch {
		case !j.inScope(s.ID):
		case want != nil:
			s = j.wanted(s, *want)
		case j.drainOf(s.ID, netip.AddrPort{}) != nil && usable(lvs.Table{Services: []lvs.TableService{s}})[s.ID] == 0:
		case !j.options.Prune || j.threeWay() && j.applied(s.ID) == nil:
		case slices.ContainsFunc(s.RealServers, func(r lvs.RealServer) bool { return !j.ours(s.ID, r.Addr) && !j.draining(s.ID, r) }):
			s.RealServers = j.remaining(s, nil)
		case j.options.Drain == 0 || len(s.RealServers) == 0:
			continue
		default:
			s.RealServers = slices.Clone(s.RealServers)
			for i := range s.RealServers {
				s.RealServers[i].Weight = 0
			}
		}
		t.Services = append(t.Services, s)
	}
	for _, s := range j.want.Services {
		if serviceIn(j.found, s.ID) == nil {
			t.Services = append(t.Services, s)
		}
	}
	return t
}

// remaining returns the real servers that are left without those that are removed.
// Those of kept are left as they are.
func (j tableJudge) remaining(s lvs.TableService, kept []lvs.RealServer) (all []lvs.RealServer) {
	for _, server := range s.RealServers {
		if serverAt(kept, server.Addr) < 0 && j.ours(s.ID, server.Addr) && !j.draining(s.ID, server) {
			if j.options.Drain == 0 {
				continue
			}
			server.Weight = 0
		}
		all = append(all, server)
	}
	return all
}

// wanted returns what a service that exists becomes.
func (j tableJudge) wanted(s, want lvs.TableService) lvs.TableService {
	last := lvs.TableService{}
	if applied := j.applied(s.ID); applied != nil {
		last = *applied
	}
	s.Service = lvs.Service{
		ID:          s.ID,
		Scheduler:   ours3(j, s.Scheduler, want.Scheduler, last.Scheduler),
		Persistence: ours3(j, s.Persistence, want.Persistence, last.Persistence),
		OnePacket:   ours3(j, s.OnePacket, want.OnePacket, last.OnePacket),
		SchedulerFlags: func() lvs.SchedulerFlags {
			if ours := ours3(j, s.Scheduler, want.Scheduler, last.Scheduler); cmp.Or(ours, lvs.WLC) != s.Scheduler {
				return want.SchedulerFlags
			}
			return ours3(j, s.SchedulerFlags, want.SchedulerFlags, last.SchedulerFlags)
		}(),
	}
	if s.Persistence.Timeout != 0 {
		s.SchedulerFlags &^= 1 // the kernel's flag of persistence
	}
	s.RealServers = j.remaining(s, want.RealServers)
	for _, server := range want.RealServers {
		is := serverIn(&s, server.Addr)
		if is == nil {
			s.RealServers = append(s.RealServers, server)
			continue
		}
		if j.options.KeepWeights {
			server.Weight = j.keptWeight(s.ID, *is, server.Weight)
		}
		type thresholds struct{ upper, lower int }
		before := thresholds{}
		if l := serverIn(&last, server.Addr); l != nil {
			before = thresholds{l.UpperThreshold, l.LowerThreshold}
		}
		both := ours3(j, thresholds{is.UpperThreshold, is.LowerThreshold}, thresholds{server.UpperThreshold, server.LowerThreshold}, before)
		server.UpperThreshold, server.LowerThreshold = both.upper, both.lower
		*is = server
	}
	return s
}

// ours3 returns a field: that of others stays if it is zero for us now and before.
func ours3[T comparable](j tableJudge, live, want, last T) T {
	var zero T
	if j.threeWay() && want == zero && last == zero {
		return live
	}
	return want
}

// keptWeight returns the weight of a real server that other programs decide.
func (j tableJudge) keptWeight(id lvs.ServiceID, is lvs.RealServer, fresh int) int {
	if is.Weight != 0 {
		return is.Weight
	}
	for _, addr := range []netip.AddrPort{is.Addr, {}} {
		if d := j.drainOf(id, addr); d != nil {
			if i := serverAt(d.Before, is.Addr); i >= 0 {
				return d.Before[i].Weight
			}
			return fresh
		}
	}
	return 0
}

// check compares the table after the plan with what must be.
func (j tableJudge) check(plan lvs.TablePlan, now lvs.Table) error {
	must := j.after()
	if len(must.Services) != len(now.Services) {
		return fmt.Errorf("the services are\n%s\nwant\n%s", now, must)
	}
	for _, want := range must.Services {
		got := serviceIn(now, want.ID)
		if got == nil {
			return fmt.Errorf("the service %s is missing in\n%s", want.ID, now)
		}
		exact := j.options.ExactOrder && serviceIn(j.want, want.ID) != nil
		if exact {
			want = j.inExactOrder(want, *got)
		}
		if got.Equal(want) {
			continue
		}
		if exact && slices.Contains(plan.Misordered, want.ID) && j.onlyOne(want) && sameServers(want, *got) {
			continue
		}
		return fmt.Errorf("the service is\n%s\nwant\n%s", got, want)
	}
	for _, id := range plan.Unwanted {
		if serviceIn(j.want, id) != nil || serviceIn(now, id) == nil || !j.inScope(id) {
			return fmt.Errorf("%s is listed as unwanted", id)
		}
	}
	return nil
}

// inExactOrder returns a service with the wanted real servers in the wanted order, and
// the others where they are.
func (j tableJudge) inExactOrder(s, got lvs.TableService) lvs.TableService {
	wanted := serviceIn(j.want, s.ID).RealServers
	var ordered []lvs.RealServer
	for next, i := 0, 0; i < len(got.RealServers); i++ {
		addr := got.RealServers[i].Addr
		if serverAt(wanted, addr) >= 0 {
			addr = wanted[next].Addr
			next++
		}
		if server := serverIn(&s, addr); server != nil {
			ordered = append(ordered, *server)
		}
	}
	s.RealServers = ordered
	return s
}

// onlyOne reports whether a single real server is usable before and after.
func (j tableJudge) onlyOne(after lvs.TableService) bool {
	addrs := map[netip.AddrPort]bool{}
	for _, s := range []lvs.TableService{*serviceIn(j.found, after.ID), after} {
		for _, server := range s.RealServers {
			if server.Weight > 0 {
				addrs[server.Addr] = true
			}
		}
	}
	return len(addrs) == 1
}

func sameServers(a, b lvs.TableService) bool {
	for _, s := range []*lvs.TableService{&a, &b} {
		s.RealServers = slices.SortedFunc(slices.Values(s.RealServers), func(a, b lvs.RealServer) int { return a.Addr.Compare(b.Addr) })
	}
	return a.Equal(b)
}

// stateAfter returns what is remembered after the plan was applied.
func (j tableJudge) stateAfter(result lvs.ApplyResult) *lvs.TableState {
	state := &lvs.TableState{Applied: j.want, Drains: result.Drains}
	if j.threeWay() {
		state.Drains = slices.Concat(j.last.Drains, result.Drains)
	}
	return state
}
