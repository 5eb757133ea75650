package keepalived

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/health"
)

// made is a service that is being made: of a virtual_server, or of several.
type made struct {
	lvs.TableService
	policy health.Policy
	first  *service // of them
	at     place

	by    []*service             // which of them has named each real server last
	index map[netip.AddrPort]int // of the real servers; nil while they are few
}

// find returns the index of a real server, -1 if there is none.
func (t *made) find(addr netip.AddrPort) int {
	if t.index == nil {
		return slices.IndexFunc(t.RealServers, func(r lvs.RealServer) bool { return r.Addr == addr })
	}
	if i, ok := t.index[addr]; ok {
		return i
	}
	return -1
}

// few is how many real servers are looked through for one.
const few = 16

func (t *made) append(r lvs.RealServer, v *service) {
	t.RealServers, t.by = append(t.RealServers, r), append(t.by, v)
	last := len(t.RealServers) - 1
	switch {
	case t.index != nil:
		t.index[r.Addr] = last
	case last == few:
		t.index = map[netip.AddrPort]int{}
		for i, one := range t.RealServers {
			t.index[one.Addr] = i
		}
	}
}

// add adds a service of a virtual_server, or its real servers to one that already exists.
func (m *maker) add(v *service, id identified) error {
	t, again := m.made[id.id]
	if again {
		m.note(v.statement, "the service already exists, from %s:%d: keepalived adds these real servers to that one, whose settings stay",
			t.at.file, t.at.line)
	} else {
		t = &made{TableService: lvs.TableService{Service: v.Service}, first: v, at: id.at, policy: health.Policy{Failed: consequence(v.inhibit)}}
		t.ID = id.id
		if id.id.FWMark() == 0 && id.id.Protocol() != lvs.ProtocolUDP {
			t.OnePacket = false
		}
		if err := t.Service.Validate(); err != nil {
			return id.at.refused(err)
		}
		m.made[t.ID] = t
		m.order = append(m.order, t)
	}
	for _, r := range v.servers {
		if err := m.addServer(v, r, t); err != nil {
			return err
		}
	}
	m.addHooks(v.scripts, t.ID, netip.AddrPort{})
	v.scripts = nil // they run for one service
	if t.policy.Limit.Weight > 0 {
		return nil
	}
	return v.addLimit(t)
}

// consequence returns what inhibit_on_failure means.
func consequence(inhibit bool) health.Consequence {
	if inhibit {
		return health.Quiesce
	}
	return health.Remove
}

// addServer adds a real server to a service, with its checks.
func (m *maker) addServer(v *service, r *server, t *made) error {
	one := lvs.RealServer{
		Addr: v.serverAddr(r.addr, r.mode, t.ID), Mode: r.mode, Weight: r.weight,
		UpperThreshold: r.upper, LowerThreshold: r.lower,
	}
	if err := one.Validate(t.ID); err != nil {
		return r.statement.at.refused(err)
	}
	i := t.find(one.Addr)
	switch {
	case i < 0:
		m.servers++
		t.append(one, v)
		if own := consequence(r.inhibit); own != t.policy.Failed {
			setServer(&t.policy.FailedServers, one.Addr, own)
		}
	case t.by[i] == v:
		m.note(r.statement, "keepalived leaves it out: the service has %s already", one.Addr)
		return nil
	default:
		t.by[i] = v
	}
	m.addHooks(r.scripts, t.ID, one.Addr)
	r.scripts = nil // they run for one service
	return t.addChecks(r, one.Addr)
}

// maxChecks bounds the checks of a server that several blocks name.
const maxChecks = 1000

// addChecks adds the checks of a server to those that it has from other blocks.
func (t *made) addChecks(r *server, addr netip.AddrPort) error {
	all := t.policy.Servers[addr]
	if len(all) == 0 && len(r.checks) > 0 {
		setServer(&t.policy.Servers, addr, slices.Clip(r.checks))
		return nil
	}
	for _, c := range r.checks {
		if slices.ContainsFunc(all, func(other health.Check) bool { return reflect.DeepEqual(c, other) }) {
			continue
		}
		if all = append(all, c); len(all) > maxChecks {
			return r.statement.at.errorf("the server has more than %d checks in several blocks", maxChecks)
		}
		t.policy.Servers[addr] = all
	}
	return nil
}

// setServer sets what a map has for a server, and makes the map if there is none.
func setServer[V any](all *map[netip.AddrPort]V, addr netip.AddrPort, value V) {
	if *all == nil {
		*all = map[netip.AddrPort]V{}
	}
	(*all)[addr] = value
}

// addLimit adds what a lost quorum means.
func (v *service) addLimit(t *made) error {
	limit := v.limit(v.total())
	if v.sorry != nil && limit.Weight > 0 {
		one := lvs.NewRealServer(v.serverAddr(v.sorry.addr, v.sorry.mode, t.ID), v.sorry.mode)
		if err := one.Validate(t.ID); err != nil {
			return v.sorry.statement.at.refused(err)
		}
		limit.Then, limit.Sorry = health.SorryServer, []lvs.RealServer{one}
	}
	t.policy.Limit = limit
	return nil
}

// finishAll makes the table and the policies of the services.
func (m *maker) finishAll() error {
	for _, t := range m.order {
		limit := &t.policy.Limit
		if len(limit.Sorry) > 0 && t.find(limit.Sorry[0].Addr) >= 0 {
			limit.Then, limit.Sorry = health.Report, nil
			m.note(t.first.statement, "the sorry server is a real server of the service, and does not stand in for the others")
		}
		if err := t.policy.Validate(t.TableService); err != nil {
			return t.at.errorf("%v", err)
		}
		m.table.Services = append(m.table.Services, t.TableService)
		m.policies[t.ID] = t.policy
	}
	return nil
}

// refused returns an error of package lvs with a place.
func (p place) refused(err error) error {
	return p.errorf("%s", strings.TrimPrefix(err.Error(), "lvs: "))
}
