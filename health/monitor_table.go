package health

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/golvs/lvs"
)

// settle judges a server by its checks.
func (m *Monitor) settle(mb *member, now time.Time) {
	states := make([]State, len(mb.watches))
	reason := ""
	for i, w := range mb.watches {
		if states[i] = w.state; w.state == Down && w.reason != "" && reason == "" {
			reason = describe(w.check.Probe) + ": " + w.reason
		}
	}
	is := together(states)
	was := mb.state
	if was == is {
		return
	}
	mb.state, mb.since = is, now
	if was == "" {
		return // it is new
	}
	switch is {
	case Up:
		mb.begin(was, now)
	case Down:
		mb.load = load{}
	}
	m.events = append(m.events, ServerChanged{mb.service.ID, mb.server.Addr, was, is, reason})
}

// begin begins slow start of a server that works from now on, unless it had its weight
// before anything was known of it.
func (mb *member) begin(was State, now time.Time) {
	mb.ramp = time.Time{}
	if mb.service.policy.SlowStart.Window > 0 && (was == Down || mb.had <= 0) {
		mb.ramp = now
	}
}

// answers returns what the checks of a server said last, of those that succeeded.
func (mb *member) answers() []Answer {
	var all []Answer
	for _, w := range mb.watches {
		if w.ok {
			all = append(all, w.answer)
		}
	}
	return all
}

// settling is how long a change waits for others, so that a service of thousands of
// servers is weighed once for all of them.
const settling = 10 * time.Millisecond

// weighBy makes the weights of a service be looked at no later.
func (m *Monitor) weighBy(s *service, at time.Time) {
	s.weighAt = earlier(s.weighAt, at)
	m.stepBy(at)
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

// endOverrides drops overrides whose time has passed.
func (m *Monitor) endOverrides(now time.Time) {
	for key, o := range m.overrides {
		if !o.ended(now) {
			continue
		}
		delete(m.overrides, key)
		m.events = append(m.events, OverrideEnded{o})
		if s := m.services[key.service]; s != nil {
			m.weighBy(s, now)
		}
	}
}

// weigh looks at the limit of a service, at its weights, and when these change next.
func (m *Monitor) weigh(s *service, now time.Time) {
	s.weighAt = time.Time{}
	m.cross(s, now)
	for _, mb := range s.members {
		if mb.ramp.IsZero() {
			continue
		}
		if _, rest := s.policy.SlowStart.at(now.Sub(mb.ramp), s.Scheduler); rest == 0 {
			mb.ramp = time.Time{}
		} else {
			m.weighBy(s, now.Add(rest))
		}
	}
	if weights := m.weights(s, now); !slices.Equal(weights, s.weights) {
		s.weights, m.changed = weights, true
	}
}

// cross finds on which side of its limit a service is.
func (m *Monitor) cross(s *service, now time.Time) {
	limit := s.policy.Limit
	tally := limit.tally(m.standings(s, now))
	below := limit.below(s.below, tally)
	if below == s.below {
		return
	}
	s.below, m.changed = below, true
	m.events = append(m.events, LimitCrossed{Service: s.ID, Below: below, Limit: limit, Working: tally.works, Needed: limit.needed(below, tally)})
}

func (m *Monitor) override(mb *member) Override {
	return m.overrides[serverKey{mb.service.ID, unmap(mb.server.Addr)}]
}

// weights returns the weights that the servers of a service should have.
func (m *Monitor) weights(s *service, now time.Time) []Weight {
	return weigh(s.Scheduler, s.then(), m.standings(s, now))
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
		all[i] = standing{configured: mb.server.Weight, had: mb.had, state: mb.state, override: m.override(mb), asks: mb.load.asks(), reported: mb.load.use(), ramp: 1}
		if !mb.ramp.IsZero() {
			all[i].ramp, _ = s.policy.SlowStart.at(now.Sub(mb.ramp), s.Scheduler)
		}
	}
	return all
}

// Table returns the table that should be in the kernel, given the one that is: the table
// of [Monitor.Set] with weights as checks, policies and overrides say, without servers
// that are to be removed, and with sorry servers.
func (m *Monitor) Table(have lvs.Table) lvs.Table {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.see(have)
	now := time.Now()
	var want lvs.Table
	for _, id := range m.order {
		s := m.services[id]
		t := s.TableService
		t.RealServers = nil
		for i, w := range m.weights(s, now) {
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

// see notes which weights servers have in the kernel's table.
func (m *Monitor) see(have lvs.Table) {
	there := make(map[lvs.ServiceID][]lvs.RealServer, len(have.Services))
	for _, t := range have.Services {
		there[t.ID] = t.RealServers
	}
	for id, s := range m.services {
		had := make(map[netip.AddrPort]int, len(there[id]))
		for _, server := range there[id] {
			had[unmap(server.Addr)] = server.Weight
		}
		for _, mb := range s.members {
			mb.see(had)
		}
	}
}

// see notes its weight. One that is kept stays what it was when it was first seen: what is
// written in its place may have another scale.
func (mb *member) see(had map[netip.AddrPort]int) {
	if mb.state == Unknown && mb.had > 0 {
		return
	}
	mb.had = -1
	if weight, ok := had[unmap(mb.server.Addr)]; ok {
		mb.had = weight
	}
}

// leaves reports whether a server should not be in the table.
func (mb *member) leaves(w Weight) bool {
	if mb.service.policy.Failed != Remove || w.Effective > 0 {
		return false
	}
	switch w.Held {
	case heldFailed:
		return true
	case heldSorry: // the connections of those that work go on
		return mb.state == Down
	case heldUnknown:
		return mb.had < 0
	}
	return false
}

// indexed returns the name of an element.
func indexed(list string, i int) string { return fmt.Sprintf("%s[%d]", list, i) }

// unmap returns an address as the kernel has it, to compare it with others.
func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
