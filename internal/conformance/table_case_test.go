package conformance

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/golvs/lvs"
)

// tableCase is a table, what is wanted of it, and how the two are compared.
type tableCase struct {
	seed    uint64
	have    lvs.Table
	foreign []foreignEdit // what another tool then changes
	want    lvs.Table
	scope   tableScope
	last    *lvs.TableState
	options lvs.TableOptions // without Scope and Last
}

func (c tableCase) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "have\n%s\n", c.have)
	for _, f := range c.foreign {
		fmt.Fprintf(&b, "foreign %s\n", f)
	}
	fmt.Fprintf(&b, "want\n%s\nscope %s, prune %t, keep weights %t, exact order %t, drain %s\n", c.want,
		c.scope.name, c.options.Prune, c.options.KeepWeights, c.options.ExactOrder, c.options.Drain)
	if c.last != nil {
		fmt.Fprintf(&b, "last\n%s\n", c.last.Applied)
		for _, d := range c.last.Drains {
			fmt.Fprintf(&b, "%s, was %v\n", d, d.Before)
		}
	}
	return b.String()
}

func (c tableCase) optionsFor(last *lvs.TableState) lvs.TableOptions {
	o := c.options
	o.Scope, o.Last = c.scope.scope, last
	return o
}

// tableScope is a scope, and the same as a predicate of a service and of whether it is
// wanted or was applied last.
type tableScope struct {
	name     string
	scope    lvs.Scope
	contains func(id lvs.ServiceID, known bool) bool
}

func tableScopes() []tableScope {
	odd := func(id lvs.ServiceID) bool { return len(id.String())%2 == 1 }
	v4 := netip.MustParsePrefix("10.1.0.1/32")
	inV4 := func(id lvs.ServiceID) bool { return v4.Contains(id.AddrPort().Addr()) }
	listed := []lvs.ServiceID{tableIDs[0], tableIDs[3], tableIDs[5]}
	return []tableScope{
		{"of what is wanted", lvs.Scope{}, func(_ lvs.ServiceID, known bool) bool { return known }},
		{"all", lvs.ScopeAll(), func(lvs.ServiceID, bool) bool { return true }},
		{"VIPs " + v4.String(), lvs.ScopeVIPs(v4), func(id lvs.ServiceID, _ bool) bool { return inV4(id) }},
		{"marks", lvs.ScopeMarks(1, 8), func(id lvs.ServiceID, _ bool) bool { return id.FWMark() != 0 }},
		{"some services", lvs.ScopeServices(listed...), func(id lvs.ServiceID, _ bool) bool { return slices.Contains(listed, id) }},
		{
			"marks, odd ones and what is wanted", lvs.ScopeAny(lvs.ScopeMarks(7, 7), lvs.Scope{}, lvs.ScopeFunc(odd)),
			func(id lvs.ServiceID, known bool) bool { return known || id.FWMark() != 0 || odd(id) },
		},
	}
}

var tableIDs = parseAll(lvs.MustParseServiceID, "tcp://10.1.0.1:80", "tcp://10.1.0.2:80", "udp://10.1.0.1:53", "tcp://10.1.0.1:0",
	"sctp://10.1.0.1:90", "fwmark://7", "fwmark6://7", "tcp://[fd00:1::1]:80")

var tableAddrs = parseAll(netip.MustParseAddr, "10.2.0.2", "10.2.0.3", "10.2.0.4", "10.2.0.5", "fd00:1::2", "fd00:1::3", "fd00:1::4")

func parseAll[T any](parse func(string) T, texts ...string) (all []T) {
	for _, text := range texts {
		all = append(all, parse(text))
	}
	return all
}

// tableMaker makes random cases.
type tableMaker struct{ *rand.Rand }

// one reports true once in n times.
func (m tableMaker) one(n int) bool { return m.IntN(n) == 0 }

func pick[T any](m tableMaker, all ...T) T { return all[m.IntN(len(all))] }

func makeTableCase(seed uint64) tableCase {
	m := tableMaker{rand.New(rand.NewPCG(seed, 1))}
	c := tableCase{seed: seed}
	c.have = m.table()
	c.want = m.table()
	if !m.one(4) {
		c.want = m.mutate(c.have)
	}
	c.options = lvs.TableOptions{Prune: m.one(2), KeepWeights: m.one(3), ExactOrder: m.one(3), Drain: pick(m, 0, 0, time.Minute)}
	if m.one(2) {
		c.last = &lvs.TableState{}
		if !m.one(4) {
			c.last.Applied = m.mutate(pick(m, c.have, c.want))
		}
		m.drain(&c)
	}
	c.scope = pick(m, tableScopes()...)
	c.want.Services = slices.DeleteFunc(c.want.Services, func(s lvs.TableService) bool { return !c.scope.contains(s.ID, true) })
	c.foreign = m.foreign(c.have)
	return c
}

func (m tableMaker) table() (t lvs.Table) {
	for _, id := range tableIDs {
		if m.one(2) {
			t.Services = append(t.Services, m.service(id))
		}
	}
	m.Shuffle(len(t.Services), func(i, j int) { t.Services[i], t.Services[j] = t.Services[j], t.Services[i] })
	return t
}

func (m tableMaker) service(id lvs.ServiceID) lvs.TableService {
	s := lvs.TableService{Service: m.config(id)}
	for range m.IntN(5) {
		m.addServer(&s)
	}
	return s
}

func (m tableMaker) config(id lvs.ServiceID) lvs.Service {
	s := lvs.Service{ID: id, Scheduler: pick(m, "", lvs.WLC, lvs.RR, lvs.RR, lvs.WRR, lvs.SED, lvs.FO, lvs.OVF, lvs.SH, lvs.MH, lvs.DH, lvs.LBLC, lvs.NoScheduler)}
	if s.Scheduler == lvs.SH || s.Scheduler == lvs.MH {
		s.SchedulerFlags = pick(m, 0, lvs.HashFallback, lvs.HashPort)
	}
	if m.one(3) || id.FWMark() == 0 && id.AddrPort().Port() == 0 {
		s.Persistence = lvs.Persistence{Timeout: pick(m, time.Minute, 5*time.Minute), Mask: pick(m, lvs.Mask{}, lvs.PrefixMask(24), lvs.PrefixMask(32))}
	}
	s.OnePacket = id.Protocol() == lvs.ProtocolUDP && m.one(3)
	return s
}

// addServer adds a real server that the service does not have, at a random place.
func (m tableMaker) addServer(s *lvs.TableService) {
	addr := pick(m, tableAddrs...)
	server := lvs.RealServer{Addr: netip.AddrPortFrom(addr, s.ID.AddrPort().Port()), Mode: lvs.IPIP()}
	switch sameFamily := addr.Is6() == s.ID.Is6(); {
	case sameFamily && m.one(4):
		server.Addr, server.Mode = netip.AddrPortFrom(addr, 8080), lvs.NAT()
	case sameFamily:
		server.Mode = pick(m, lvs.DR(), lvs.NAT(), lvs.IPIP())
	}
	if slices.ContainsFunc(s.RealServers, func(other lvs.RealServer) bool { return other.Addr == server.Addr }) {
		return
	}
	m.numbers(&server)
	s.RealServers = slices.Insert(s.RealServers, m.IntN(len(s.RealServers)+1), server)
}

func (m tableMaker) numbers(s *lvs.RealServer) {
	s.Weight = pick(m, 0, 0, 1, 1, 2, 5)
	s.UpperThreshold, s.LowerThreshold = 0, 0
	if m.one(4) {
		s.UpperThreshold, s.LowerThreshold = pick(m, 10, 20), pick(m, 0, 5)
	}
}

// mutate returns a table that differs a little.
func (m tableMaker) mutate(t lvs.Table) (other lvs.Table) {
	for _, s := range t.Services {
		if m.one(6) {
			continue
		}
		s.RealServers = slices.DeleteFunc(slices.Clone(s.RealServers), func(lvs.RealServer) bool { return m.one(6) })
		if m.one(3) {
			s.Service = m.config(s.ID)
		}
		for i := range s.RealServers {
			if server := &s.RealServers[i]; m.one(3) {
				m.numbers(server)
			} else if server.Mode.IsTunnel() && m.one(3) {
				server.Mode = pick(m, lvs.IPIP(), lvs.GUE(6080), lvs.GUE(6080, lvs.TunnelChecksum), lvs.GRE())
			}
		}
		for m.one(3) {
			m.addServer(&s)
		}
		if m.one(3) {
			m.Shuffle(len(s.RealServers), func(i, j int) { s.RealServers[i], s.RealServers[j] = s.RealServers[j], s.RealServers[i] })
		}
		other.Services = append(other.Services, s)
	}
	for m.one(3) {
		id := pick(m, tableIDs...)
		if !slices.ContainsFunc(other.Services, func(s lvs.TableService) bool { return s.ID == id }) {
			other.Services = append(other.Services, m.service(id))
		}
	}
	return other
}

// drain adds drains that are under way, and some that have ended without being noticed.
func (m tableMaker) drain(c *tableCase) {
	began := time.Unix(1_000_000_000, 0).UTC()
	drain := func(id lvs.ServiceID, addr netip.AddrPort, before ...lvs.RealServer) {
		c.last.Drains = append(c.last.Drains, lvs.Drain{
			Service: id, RealServer: addr, Began: began, Deadline: began.Add(time.Minute), Before: slices.Clone(before),
		})
	}
	for i := range c.have.Services {
		s := &c.have.Services[i]
		s.RealServers = slices.Clone(s.RealServers)
		if m.one(5) {
			drain(s.ID, netip.AddrPort{}, s.RealServers...)
			for j := range s.RealServers {
				m.quiesce(&s.RealServers[j])
			}
			continue
		}
		for j := range s.RealServers {
			if server := &s.RealServers[j]; m.one(5) {
				drain(s.ID, server.Addr, *server)
				m.quiesce(server)
			}
		}
	}
}

// quiesce sets a weight to 0, unless another program has set it since.
func (m tableMaker) quiesce(s *lvs.RealServer) {
	if !m.one(8) {
		s.Weight = 0
	}
}

// foreignEdit is what only other tools do to a service, or to a real server of it.
type foreignEdit struct {
	id   lvs.ServiceID
	addr netip.AddrPort // of the real server; the zero value for the service
	set  attributes     // of the raw message
}

func (f foreignEdit) String() string { return fmt.Sprintf("%s %s: %s", f.id, f.addr, f.set) }

var foreignConfigs = []attributes{
	{{sFlags, flagged(0xdeadbee0, ^uint32(7))}},
	{{sFlags, flagged(1, 1)}, {sTimeout, u32(0)}}, // persistent for no time
	{{sFlags, flagged(1, 1)}, {sTimeout, u32(60)}, {sNetmask, u32(1)}},
}

func (m tableMaker) foreign(t lvs.Table) (all []foreignEdit) {
	for _, s := range t.Services {
		if m.one(5) {
			all = append(all, foreignEdit{id: s.ID, set: pick(m, foreignConfigs...)})
		}
		for _, server := range s.RealServers {
			if m.one(8) && !server.Mode.IsTunnel() {
				all = append(all, foreignEdit{s.ID, server.Addr, attributes{{dTunType, u8(tunGRE)}}})
			}
		}
	}
	return all
}
