package health

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/golvs/lvs"
)

const (
	// settling is the least time between two looks at the weights of a service that probes
	// ask for, so that a service of thousands of servers is not weighed for each of them.
	settling = 10 * time.Millisecond

	// moment is how long the first change of a service waits for others. What probes find
	// at one time is acted upon together, so that their order makes no difference.
	moment = time.Millisecond
)

// weighBy makes the weights of a service be looked at no later.
func (m *Monitor) weighBy(s *service, at time.Time) {
	s.weighAt = earlier(s.weighAt, at)
	m.stepBy(at)
}

// weighSoon makes the weights of a service be looked at for what a probe found.
func (m *Monitor) weighSoon(s *service, now time.Time) {
	at, soon := s.weighed.Add(settling), now.Add(moment)
	if at.Before(soon) {
		at = soon
	}
	m.weighBy(s, at)
}

// stepBy makes Run look at weights and overrides no later.
func (m *Monitor) stepBy(at time.Time) {
	if was := m.stepAt; earlier(was, at) != was {
		m.stepAt = at
		m.note()
	}
}

// earlier returns the earlier of two times; zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// step looks at the weights that may change now, and finds when others may.
func (m *Monitor) step(now time.Time) {
	m.endOverrides(now)
	m.stepAt = time.Time{}
	for _, o := range m.overrides {
		m.stepAt = earlier(m.stepAt, o.Until)
	}
	for _, id := range m.order {
		s := m.services[id]
		if !s.weighAt.IsZero() && !s.weighAt.After(now) {
			m.weigh(s, now)
		}
		m.stepAt = earlier(m.stepAt, s.weighAt)
	}
}

// weigh looks at the limit of a service, at its weights, and when these change next.
func (m *Monitor) weigh(s *service, now time.Time) {
	s.weighAt, s.weighed = time.Time{}, now
	if s.contentChanged {
		s.contentChanged = false
		m.compare(s)
	}
	servers := m.standings(s, now)
	if m.cross(s, servers) {
		s.returnTogether()
		servers = m.standings(s, now)
	}
	for _, mb := range s.members {
		if _, rest := mb.ramp.at(now, s.policy.SlowStart, s.Scheduler); rest > 0 {
			m.weighBy(s, now.Add(rest))
		} else {
			mb.ramp = ramp{}
		}
	}
	if weights := s.weigh(servers); !slices.Equal(weights, s.weights) {
		s.weights, m.changed = weights, true
	}
}

// cross finds on which side of its limit a service is, and reports whether enough servers
// work again.
func (m *Monitor) cross(s *service, servers []standing) (enough bool) {
	limit := s.policy.Limit
	tally := limit.tally(servers)
	was, below := s.below, limit.below(s.below, tally)
	if below == was && (s.told || !below && !limit.reached(tally)) {
		return false
	}
	s.below, s.told = below, true
	m.changed = m.changed || below != was
	m.events = append(m.events, LimitCrossed{Service: s.ID, Below: below, Limit: limit, Working: tally.works, Needed: limit.needed(below, tally)})
	return was && !below
}

// returnTogether lets servers go on after the action of a limit. Those that work were all
// used, or none was, so none of them starts slowly. After [KeepAll], one that failed and
// whose last probes succeeded is used until its checks have decided.
func (s *service) returnTogether() {
	then := s.policy.Limit.Then
	if then != KeepAll && then != SorryServer {
		return
	}
	for _, mb := range s.members {
		mb.ramp = ramp{}
		mb.rising = then == KeepAll && mb.state == Down && mb.succeeds()
	}
}

// weigh returns the weights that the servers of a service should have.
func (s *service) weigh(servers []standing) []Weight {
	return weigh(s.Scheduler, s.then(), servers)
}

// then returns what the limit of a service does now; "" if nothing.
func (s *service) then() Action {
	if !s.below {
		return ""
	}
	return s.policy.Limit.Then
}

// standings returns what decides about the weights of the servers of a service.
func (m *Monitor) standings(s *service, now time.Time) []standing {
	all := make([]standing, len(s.members))
	for i, mb := range s.members {
		share, _ := mb.ramp.at(now, s.policy.SlowStart, s.Scheduler)
		all[i] = standing{mb.server.Weight, mb.found, mb.state, mb.rising, m.operated(mb), mb.load.asks(), mb.load.use(), share}
	}
	return all
}

// Table returns the table that should be in the kernel, given the one that is: the table
// of [Monitor.Set] with weights as checks, policies and overrides say, without servers
// that are to be removed, and with sorry servers. Servers that no check has decided about
// keep the weights of the given table, and slow start goes on from them.
func (m *Monitor) Table(have lvs.Table) lvs.Table {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	m.see(have, now)
	want := lvs.Table{Services: make([]lvs.TableService, 0, len(m.order))}
	for _, id := range m.order {
		s := m.services[id]
		t := s.TableService
		t.RealServers = make([]lvs.RealServer, 0, len(s.members))
		for i, w := range s.weigh(m.standings(s, now)) {
			mb := s.members[i]
			if mb.leaves(w) {
				continue
			}
			server := mb.server
			server.Weight = w.Effective
			t.RealServers = append(t.RealServers, server)
		}
		if s.below && s.policy.Limit.Then == SorryServer {
			t.RealServers = append(t.RealServers, s.policy.Limit.Sorry...)
		}
		want.Services = append(want.Services, t)
	}
	return want
}

// indexed returns the name of an element.
func indexed(list string, i int) string { return fmt.Sprintf("%s[%d]", list, i) }

// unmap returns an address as the kernel has it, to compare it with others.
func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
