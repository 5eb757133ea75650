package director

import (
	"context"
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
