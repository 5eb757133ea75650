package keepalived

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/health"
)

// made is a service of the table, and where it is written.
type made struct {
	index int // in the table
	at    place
}

// add adds a service with its policy.
func (m *maker) add(v *service, id identified) error {
	t := lvs.TableService{Service: v.Service}
	t.ID = id.id
	if id.id.FWMark() == 0 && id.id.Protocol() != lvs.ProtocolUDP {
		t.OnePacket = false
	}
	if err := t.Service.Validate(); err != nil {
		return id.at.refused(err)
	}
	policy := health.Policy{Failed: consequence(v.inhibit)}
	for _, r := range v.servers {
		if err := m.addServer(v, r, &t, &policy); err != nil {
			return err
		}
	}
	if err := v.addLimit(id, &policy); err != nil {
		return err
	}
	first, again := m.made[t.ID]
	if again {
		m.note(v.statement, "the service already exists, from %s:%d: keepalived adds these real servers to that one, whose settings stay",
			first.at.file, first.at.line)
		t, policy = merged(m.table.Services[first.index], t, m.policies[t.ID], policy)
	} else {
		first = made{len(m.table.Services), id.at}
		m.made[t.ID] = first
		m.table.Services = append(m.table.Services, lvs.TableService{})
	}
	m.dropSorry(v, t, &policy)
	if err := policy.Validate(t); err != nil {
		return id.at.errorf("%v", err)
	}
	m.table.Services[first.index], m.policies[t.ID] = t, policy
	m.addHooks(v.scripts, t.ID, netip.AddrPort{})
	v.scripts = nil // they run for one service
	return nil
}

// consequence returns what inhibit_on_failure means.
func consequence(inhibit bool) health.Consequence {
	if inhibit {
		return health.Quiesce
	}
	return health.Remove
}

// addServer adds a server to a service, and its checks to the policy.
func (m *maker) addServer(v *service, r *server, to *lvs.TableService, policy *health.Policy) error {
	one := lvs.RealServer{
		Addr: v.serverAddr(r.addr, r.mode, to.ID), Mode: r.mode, Weight: r.weight,
		UpperThreshold: r.upper, LowerThreshold: r.lower,
	}
	if err := one.Validate(to.ID); err != nil {
		return r.statement.at.refused(err)
	}
	if hasServer(*to, one.Addr) {
		m.note(r.statement, "keepalived leaves it out: the service has %s already", one.Addr)
		return nil
	}
	m.servers++
	to.RealServers = append(to.RealServers, one)
	if len(r.checks) > 0 {
		setServer(&policy.Servers, one.Addr, r.checks)
	}
	if own := consequence(r.inhibit); own != policy.Failed {
		setServer(&policy.FailedServers, one.Addr, own)
	}
	m.addHooks(r.scripts, to.ID, one.Addr)
	r.scripts = nil // they run for one service
	return nil
}

func hasServer(t lvs.TableService, addr netip.AddrPort) bool {
	return slices.ContainsFunc(t.RealServers, func(r lvs.RealServer) bool { return r.Addr == addr })
}

// setServer sets what a map has for a server, and makes the map if there is none.
func setServer[V any](all *map[netip.AddrPort]V, addr netip.AddrPort, value V) {
	if *all == nil {
		*all = map[netip.AddrPort]V{}
	}
	(*all)[addr] = value
}

// addLimit adds what a lost quorum means.
func (v *service) addLimit(id identified, policy *health.Policy) error {
	policy.Limit = v.limit(v.total())
	if v.sorry == nil || policy.Limit.Weight == 0 {
		return nil
	}
	one := lvs.NewRealServer(v.serverAddr(v.sorry.addr, v.sorry.mode, id.id), v.sorry.mode)
	if err := one.Validate(id.id); err != nil {
		return v.sorry.statement.at.refused(err)
	}
	policy.Limit.Then, policy.Limit.Sorry = health.SorryServer, []lvs.RealServer{one}
	return nil
}

// merged returns a service with the servers of another one of the same ID. Those that both
// have keep their weights, and are checked by what both say.
func merged(to, from lvs.TableService, policy, other health.Policy) (lvs.TableService, health.Policy) {
	for _, r := range from.RealServers {
		had := hasServer(to, r.Addr)
		if !had {
			to.RealServers = append(to.RealServers, r)
		}
		if checks := other.Servers[r.Addr]; len(checks) > 0 {
			setServer(&policy.Servers, r.Addr, slices.Concat(policy.Servers[r.Addr], checks))
		}
		own, ok := other.FailedServers[r.Addr]
		if !ok {
			own = other.Failed
		}
		if !had && own != policy.Failed {
			setServer(&policy.FailedServers, r.Addr, own)
		}
	}
	if policy.Limit.Weight == 0 {
		policy.Limit = other.Limit
	}
	return to, policy
}

// dropSorry leaves out a sorry server that is a real server of the service.
func (m *maker) dropSorry(v *service, t lvs.TableService, policy *health.Policy) {
	limit := &policy.Limit
	if len(limit.Sorry) > 0 && hasServer(t, limit.Sorry[0].Addr) {
		limit.Then, limit.Sorry = health.Report, nil
		m.note(v.statement, "the sorry server is a real server of the service, and does not stand in for the others")
	}
}

// refused returns an error of package lvs with a place.
func (p place) refused(err error) error {
	return p.errorf("%s", strings.TrimPrefix(err.Error(), "lvs: "))
}
