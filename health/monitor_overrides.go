package health

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/golvs/lvs"
)

// serverKey names a real server of a service.
type serverKey struct {
	service lvs.ServiceID
	server  netip.AddrPort
}

func (k serverKey) compare(other serverKey) int {
	return cmp.Or(k.service.Compare(other.service), k.server.Compare(other.server))
}

// SetOverrides makes these overrides the ones that count. Those of servers that are not
// in the table wait for them. The error matches [lvs.ErrInvalid]; nothing has changed
// then.
func (m *Monitor) SetOverrides(all []Override) error {
	overrides := make(map[serverKey]Override, len(all))
	for i, o := range all {
		if err := o.Validate(); err != nil {
			return within(indexed("Overrides", i), err)
		}
		key := serverKey{o.Service, unmap(o.Server)}
		if _, twice := overrides[key]; twice {
			return invalid(indexed("Overrides", i), "%s -> %s is there twice", o.Service, o.Server)
		}
		overrides[key] = o
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !maps.Equal(overrides, m.overrides) {
		m.decide(overrides, time.Now())
	}
	return nil
}

// decide makes overrides the ones that count. A server that is not taken out any more
// starts slowly.
func (m *Monitor) decide(overrides map[serverKey]Override, now time.Time) {
	was := m.overrides
	m.overrides = overrides
	for _, s := range m.services {
		for _, mb := range s.members {
			if o, ok := overrideIn(was, mb); ok && mb.state == Up && o.operated().of(mb.server.Weight) == 0 && m.operated(mb).of(mb.server.Weight) > 0 {
				mb.startSlowly(now)
			}
		}
		m.weighBy(s, now)
	}
	m.stepBy(now)
}

// endOverrides drops overrides whose time has passed.
func (m *Monitor) endOverrides(now time.Time) {
	rest, ended := map[serverKey]Override{}, []serverKey(nil)
	for key, o := range m.overrides {
		if o.ended(now) {
			ended = append(ended, key)
		} else {
			rest[key] = o
		}
	}
	slices.SortFunc(ended, serverKey.compare)
	for _, key := range ended {
		m.events = append(m.events, OverrideEnded{m.overrides[key]})
	}
	if len(ended) > 0 {
		m.decide(rest, now)
	}
}

// override returns what an operator decided about a server, if anything.
func (m *Monitor) override(mb *member) (o Override, ok bool) { return overrideIn(m.overrides, mb) }

func overrideIn(all map[serverKey]Override, mb *member) (o Override, ok bool) {
	if len(all) > 0 {
		o, ok = all[serverKey{mb.service.ID, mb.addr}]
	}
	return o, ok
}

func (m *Monitor) operated(mb *member) operated {
	o, _ := m.override(mb)
	return o.operated()
}
