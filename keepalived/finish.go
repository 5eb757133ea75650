package keepalived

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/golvs/lvs"
)

// finish adds the services of a virtual_server, with what keepalived completes or leaves
// out.
func (m *maker) finish(v *service, s *statement) error {
	m.settleFamily(v)
	if len(v.servers) == 0 {
		m.note(s, "keepalived leaves a virtual server without real servers out")
		return nil
	}
	if v.group != nil {
		family, ok := v.group.fits(v.family)
		if !ok {
			m.note(s, "keepalived leaves it out: the addresses of its group and its real servers are not of one family")
			return nil
		}
		v.family = family
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
	v.servers = slices.DeleteFunc(v.servers, func(r *server) bool { return !m.isOfFamily(v, r.statement, r.addr.Addr(), r.mode) })
	if v.sorry != nil {
		if !v.sorry.hasMode {
			v.sorry.mode = v.mode
		}
		if !m.isOfFamily(v, v.sorry.statement, v.sorry.addr.Addr(), v.sorry.mode) {
			v.sorry = nil
		}
	}
	if v.family == 0 && v.group == nil {
		v.family = v.familyOfTunnels()
	}
}

// isOfFamily reports whether a service can have a server, whose family it takes if it has
// none.
func (m *maker) isOfFamily(v *service, s *statement, a netip.Addr, mode lvs.Mode) bool {
	if mode.IsTunnel() {
		return true
	}
	if v.family = cmp.Or(v.family, familyOf(a)); v.family == familyOf(a) {
		return true
	}
	m.note(s, "keepalived leaves it out: it is not of the service's family, and not reached by a tunnel")
	return false
}

// familyOfTunnels returns the family of servers that are all behind tunnels, 4 if they are
// not of one.
func (v *service) familyOfTunnels() int {
	var all []int
	for _, r := range v.servers {
		all = append(all, familyOf(r.addr.Addr()))
	}
	if v.sorry != nil {
		all = append(all, familyOf(v.sorry.addr.Addr()))
	}
	if len(all) == 0 || slices.ContainsFunc(all, func(family int) bool { return family != all[0] }) {
		return 4
	}
	return all[0]
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
	if limit := v.limit(v.total()); limit.Weight > 0 && float64(limit.Weight)+limit.Hysteresis > float64(v.total()) {
		m.note(s, "the quorum and the hysteresis are more than all weights: keepalived never has the quorum, and here all servers have it")
	}
}

func (v *service) total() (sum int64) {
	for _, r := range v.servers {
		sum += int64(r.weight)
	}
	return sum
}
