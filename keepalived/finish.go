package keepalived

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/health"
)

// finish adds the services of a virtual_server, with what keepalived completes or leaves
// out.
func (m *maker) finish(v *service, s *statement) error {
	m.settleFamily(v)
	if len(v.servers) == 0 {
		m.note(s, "keepalived leaves a virtual server without real servers out")
		return nil
	}
	m.settleProtocol(v, s)
	m.settlePersistence(v, s)
	ids, err := m.ids(v, s)
	if err != nil {
		return err
	}
	m.portNotes(v, ids)
	m.quorumNotes(v, s)
	for _, id := range ids {
		if err := m.add(v, id); err != nil {
			return err
		}
	}
	return nil
}

func familyOf(a netip.Addr) int {
	if a.Is6() {
		return 6
	}
	return 4
}

// settleFamily finds the family of a service that has no address, and leaves out servers
// of the other one that are not reached by a tunnel.
func (m *maker) settleFamily(v *service) {
	v.servers = slices.DeleteFunc(v.servers, func(r *server) bool {
		if r.mode.IsTunnel() {
			return false
		}
		family := familyOf(r.addr.Addr())
		v.family = cmp.Or(v.family, family)
		if v.family == family {
			return false
		}
		m.note(r.statement, "keepalived leaves it out: it is not of the service's family, and not reached by a tunnel")
		return true
	})
	if v.sorry != nil && !v.sorry.hasMode {
		v.sorry.mode = v.mode
	}
	if v.family == 0 && v.group != nil {
		v.family = v.group.family()
	}
	if v.family != 0 {
		return
	}
	v.family = 4 // if the servers, all of them behind tunnels, are not of one family
	if len(v.servers) > 0 {
		first := familyOf(v.servers[0].addr.Addr())
		if !slices.ContainsFunc(v.servers, func(r *server) bool { return familyOf(r.addr.Addr()) != first }) {
			v.family = first
		}
	}
}

// settleProtocol completes what the protocol and the marks of a service leave open.
func (m *maker) settleProtocol(v *service, s *statement) {
	if v.mark != 0 || v.group != nil && len(v.group.ranges) == 0 {
		return // a firewall mark has no protocol, and keepalived ignores one
	}
	if v.protocol == 0 {
		v.protocol = lvs.ProtocolUDP
		m.note(s, "no protocol is given, and keepalived takes UDP")
	}
	if v.OnePacket && v.protocol != lvs.ProtocolUDP {
		v.OnePacket = false
		m.note(s, "keepalived leaves ops out: only UDP can have it")
	}
}

// settlePersistence gives a service without a port the persistence that it needs.
func (m *maker) settlePersistence(v *service, s *statement) {
	if v.Persistence.Timeout == 0 && v.hasNoPort() {
		v.Persistence.Timeout = defaultPersistence
		m.note(s, "a service without a port must be persistent: keepalived takes %s", defaultPersistence)
	}
	if v.Persistence.Timeout == 0 && v.Persistence.Engine != "" {
		m.note(s, "persistence_engine does nothing without persistence_timeout")
		v.Persistence.Engine = ""
	}
	if v.group != nil && !v.Persistence.Mask.IsZero() {
		m.note(s, "keepalived does not use persistence_granularity for the services of a group")
		v.Persistence.Mask = lvs.Mask{}
	}
}

func (v *service) hasNoPort() bool {
	if v.group != nil {
		return slices.ContainsFunc(v.group.ranges, func(r addressRange) bool { return r.port == 0 })
	}
	return v.mark == 0 && v.vip.Port() == 0
}

// ids returns the services of a virtual_server.
func (m *maker) ids(v *service, s *statement) ([]identified, error) {
	switch {
	case v.group != nil:
		ids, ok := v.group.ids(v.protocol, v.family, (maxServers-m.servers)/len(v.servers))
		if !ok {
			return nil, s.at.errorf("the addresses of the group have more than %d real servers together", maxServers)
		}
		if len(ids) == 0 {
			m.note(s, "keepalived leaves it out: its group is empty")
		}
		return ids, nil
	case v.mark != 0:
		return []identified{{markID(v.mark, v.family), s.at}}, nil
	}
	return []identified{{lvs.NewServiceID(v.protocol, v.vip), s.at}}, nil
}

// portNotes says which ports of servers mean nothing.
func (m *maker) portNotes(v *service, ids []identified) {
	for _, r := range v.servers {
		for _, id := range ids {
			if at := v.serverAddr(r.addr, r.mode, id.id); r.addr.Port() != 0 && at != r.addr {
				m.note(r.statement, "%s keeps the port of packets: the server of %s has port %d", r.mode, id.id, at.Port())
				break
			}
		}
	}
}

// serverAddr returns the address of a server of a service. Only NAT can change ports.
func (v *service) serverAddr(a netip.AddrPort, mode lvs.Mode, id lvs.ServiceID) netip.AddrPort {
	if mode != lvs.NAT() || a.Port() == 0 && v.group == nil {
		return netip.AddrPortFrom(a.Addr(), id.AddrPort().Port())
	}
	return a
}

// quorumNotes says where a quorum or failures mean something else than is written.
func (m *maker) quorumNotes(v *service, s *statement) {
	if total := v.total(); v.minds && v.quorum > total {
		m.note(s, "the quorum of %d is more than all weights: keepalived takes %d", v.quorum, total)
	}
	if v.hysteresis >= min(v.quorum, v.total()) && v.hysteresis > 0 {
		m.note(s, "the hysteresis must be less than the quorum: keepalived takes %d", max(min(v.quorum, v.total())-1, 0))
	}
	for _, r := range v.servers {
		if r.inhibit != v.inhibits() {
			m.note(r.statement, "all servers of a service fail in one way: at weight 0, because inhibit_on_failure is set for some")
			return
		}
	}
}

func (v *service) total() (sum int64) {
	for _, r := range v.servers {
		sum += int64(r.weight)
	}
	return sum
}

// inhibits reports whether any server keeps its place at weight 0 when it fails.
func (v *service) inhibits() bool {
	return slices.ContainsFunc(v.servers, func(r *server) bool { return r.inhibit })
}

// add adds a service with its policy.
func (m *maker) add(v *service, id identified) error {
	if first, ok := m.made[id.id]; ok {
		return id.at.errorf("the service %s already exists, at %s:%d", id.id, first.file, first.line)
	}
	m.made[id.id] = id.at
	made := lvs.TableService{Service: v.Service}
	made.ID = id.id
	if id.id.FWMark() == 0 && id.id.Protocol() != lvs.ProtocolUDP {
		made.OnePacket = false
	}
	if err := made.Service.Validate(); err != nil {
		return id.at.refused(err)
	}
	policy := health.Policy{Failed: health.Remove}
	if v.inhibits() {
		policy.Failed = health.Quiesce
	}
	for _, r := range v.servers {
		if err := m.addServer(v, r, &made, &policy); err != nil {
			return err
		}
	}
	if err := m.addLimit(v, id, &policy); err != nil {
		return err
	}
	if err := policy.Validate(made); err != nil {
		return id.at.errorf("%v", err)
	}
	m.table.Services = append(m.table.Services, made)
	m.policies[id.id] = policy
	return nil
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
	if slices.ContainsFunc(to.RealServers, func(other lvs.RealServer) bool { return other.Addr == one.Addr }) {
		m.note(r.statement, "keepalived leaves it out: %s has %s already", to.ID, one.Addr)
		return nil
	}
	m.servers++
	to.RealServers = append(to.RealServers, one)
	if len(r.checks) > 0 {
		if policy.Servers == nil {
			policy.Servers = map[netip.AddrPort][]health.Check{}
		}
		policy.Servers[one.Addr] = r.checks
	}
	return nil
}

// addLimit adds what a lost quorum means.
func (m *maker) addLimit(v *service, id identified, policy *health.Policy) error {
	policy.Limit = v.limit(v.total())
	if v.sorry == nil || policy.Limit.Weight == 0 {
		return nil
	}
	one := lvs.NewRealServer(v.serverAddr(v.sorry.addr, v.sorry.mode, id.id), v.sorry.mode)
	if err := one.Validate(id.id); err != nil {
		return id.at.refused(err)
	}
	policy.Limit.Then, policy.Limit.Sorry = health.SorryServer, []lvs.RealServer{one}
	return nil
}

// refused returns an error of package lvs with a place.
func (p place) refused(err error) error {
	return p.errorf("%s", strings.TrimPrefix(err.Error(), "lvs: "))
}
