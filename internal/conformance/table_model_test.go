package conformance

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/golvs/lvs"
)

// tableModel is a table to which changes are made on paper.
type tableModel struct{ lvs.Table }

func modelOf(t lvs.Table) *tableModel {
	m := &tableModel{lvs.Table{Services: slices.Clone(t.Services)}}
	for i := range m.Services {
		m.Services[i].RealServers = slices.Clone(m.Services[i].RealServers)
	}
	return m
}

func (m *tableModel) service(id lvs.ServiceID) *lvs.TableService { return serviceIn(m.Table, id) }

// serviceIn returns a service of a table, nil if there is none.
func serviceIn(t lvs.Table, id lvs.ServiceID) *lvs.TableService {
	if i := slices.IndexFunc(t.Services, func(s lvs.TableService) bool { return s.ID == id }); i >= 0 {
		return &t.Services[i]
	}
	return nil
}

// serverIn returns a real server of a service, nil if there is none.
func serverIn(s *lvs.TableService, addr netip.AddrPort) *lvs.RealServer {
	if s == nil {
		return nil
	}
	if i := serverAt(s.RealServers, addr); i >= 0 {
		return &s.RealServers[i]
	}
	return nil
}

func serverAt(all []lvs.RealServer, addr netip.AddrPort) int {
	return slices.IndexFunc(all, func(s lvs.RealServer) bool { return s.Addr == addr })
}

// make makes a change as the kernel would, or returns why it would refuse it.
func (m *tableModel) make(ch lvs.Change) error {
	id, addr := ch.ServiceID(), ch.RealServerAddr()
	s := m.service(id)
	server := serverIn(s, addr)
	if (s == nil) != (ch.Op() == lvs.OpAddService) || addr.IsValid() && (server == nil) != (ch.Op() == lvs.OpAddRealServer) {
		return fmt.Errorf("the change %s does not fit\n%s", ch, m.Table)
	}
	config, _ := ch.Service()
	put, _ := ch.RealServer()
	switch ch.Op() {
	case lvs.OpAddService:
		m.Services = append(m.Services, lvs.TableService{Service: config})
	case lvs.OpUpdateService:
		s.Service = config
	case lvs.OpRemoveService:
		m.Services = slices.DeleteFunc(m.Services, func(s lvs.TableService) bool { return s.ID == id })
	case lvs.OpAddRealServer:
		s.RealServers = append(s.RealServers, put)
	case lvs.OpUpdateRealServer:
		*server = put
	case lvs.OpRemoveRealServer:
		s.RealServers = slices.DeleteFunc(s.RealServers, func(s lvs.RealServer) bool { return s.Addr == addr })
	default:
		return fmt.Errorf("a plan has the change %s", ch)
	}
	return nil
}

// usable returns how many usable real servers the services have that have some.
func usable(t lvs.Table) map[lvs.ServiceID]int {
	all := map[lvs.ServiceID]int{}
	for _, s := range t.Services {
		for _, server := range s.RealServers {
			if server.Weight > 0 {
				all[s.ID]++
			}
		}
	}
	return all
}

// checkPrefixes reports a service that has a usable real server before and after the
// changes, and at some time between has none.
func checkPrefixes(have lvs.Table, changes []lvs.Change) error {
	at := modelOf(have)
	var states []map[lvs.ServiceID]int
	for _, ch := range changes {
		if err := at.make(ch); err != nil {
			return err
		}
		states = append(states, usable(at.Table))
	}
	after := usable(at.Table)
	for id := range usable(have) {
		for i, state := range states {
			if after[id] > 0 && state[id] == 0 {
				return fmt.Errorf("after change %d, %s, the service %s has no usable real server", i, changes[i], id)
			}
		}
	}
	return nil
}

// checkMinimal reports steps that do nothing, and objects that have two. Moving a real
// server, for the exact order, needs two or more.
func checkMinimal(have lvs.Table, plan lvs.TablePlan, moves bool) error {
	at := modelOf(have)
	seen := map[string]bool{}
	for i, step := range plan.Steps {
		what := step.Change.ServiceID().String() + " " + step.Change.RealServerAddr().String()
		if seen[what] && !moves {
			return fmt.Errorf("step %d, %s, is the second one of its object", i, step)
		}
		seen[what] = true
		before := modelOf(at.Table)
		if err := at.make(step.Change); err != nil {
			return err
		}
		if before.Equal(at.Table) {
			return fmt.Errorf("step %d, %s, changes nothing", i, step)
		}
	}
	return nil
}
