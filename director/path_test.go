package director

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/health"
)

// probes counts the services of checks in the kernel.
func (s *scene) probes() (n int) {
	s.Helper()
	table, err := s.other.Snapshot(context.Background())
	if err != nil {
		s.Fatal(err)
	}
	for _, e := range table.Services {
		if e.ID.IsProbe() {
			n++
		}
	}
	return n
}

// The services of checks through IPVS are there while a policy asks for them, whatever
// the scope and other programs do, and go with Run.
func TestHealthThroughIPVS(t *testing.T) {
	play(t, Options{Table: lvs.TableOptions{Scope: lvs.ScopeAll(), Prune: true}, Resync: time.Second}, func(s *scene) {
		var b backends
		direct := b.checked(wrrTable(1, 1))
		through := b.checked(wrrTable(1, 1), func(p *health.Policy) { p.Checks[0].Path = health.ThroughIPVS })
		s.update(direct)
		s.run()
		pass(5 * time.Second)
		if n := s.probes(); n != 0 {
			s.Errorf("%d services for direct checks", n)
		}
		s.update(through)
		pass(5 * time.Second)
		s.hasWeights("with checks through IPVS", 1, 1)
		if n := s.probes(); n != 2 {
			s.Errorf("%d services for two checks through IPVS", n)
		}
		table, err := s.other.Snapshot(s.Context())
		if err != nil {
			s.Fatal(err)
		}
		for _, e := range table.Services {
			if e.ID.IsProbe() {
				s.do(lvs.RemoveService(e.ID))
			}
		}
		pass(2 * time.Second)
		if n := s.probes(); n != 2 {
			s.Errorf("%d services after another program removed them", n)
		}
		s.update(direct)
		pass(5 * time.Second)
		if n := s.probes(); n != 0 {
			s.Errorf("%d services when checks are direct again", n)
		}
		s.update(through)
		pass(5 * time.Second)
		s.stop()
		if n := s.probes(); n != 0 {
			s.Errorf("%d services after the end", n)
		}
		s.hasWeights("after the end", 1, 1)
	})
}

// A service by firewall mark whose VIP is not known cannot be checked through IPVS. That is
// refused before anything is changed.
func TestHealthOfAMarkThroughIPVS(t *testing.T) {
	play(t, Options{}, func(s *scene) {
		mark := lvs.FWMark(7)
		u := Update{
			Table:  table(service(web, 1)),
			Health: map[lvs.ServiceID]health.Policy{mark: {Checks: []health.Check{{Probe: health.TCP{}, Path: health.ThroughIPVS}}}},
		}
		u.Table.Services = append(u.Table.Services, lvs.TableService{
			Service:     lvs.Service{ID: mark, Scheduler: lvs.WRR},
			RealServers: []lvs.RealServer{lvs.NewRealServer(mustAddr("10.1.0.2:0"), lvs.DR())},
		})
		var bad *health.InvalidError
		if err := s.d.Update(u); !errors.Is(err, lvs.ErrInvalid) || !errors.As(err, &bad) || bad.Field != "VIPs[fwmark://7]" {
			t.Errorf("without a VIP: %v", err)
		}
		u.Table.Services[1].RealServers[0] = lvs.NewRealServer(rip(web, 2), lvs.NAT()) // to which probes connect
		if err := s.d.Update(u); err != nil {
			t.Errorf("with NAT: %v", err)
		}
	})
}
