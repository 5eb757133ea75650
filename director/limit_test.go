package director

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/golvs/lvs"
)

// numbers returns the numbers from first to last.
func numbers(first, last int) (all []int) {
	for n := first; n <= last; n++ {
		all = append(all, n)
	}
	return all
}

// A table that removes more than half of the real servers is refused, and the one
// before stays wanted and is kept true.
func TestShrinkIsRefused(t *testing.T) {
	play(t, Options{Source: Fixed(webTable(numbers(1, 10)...))}, func(s *scene) {
		s.run()
		pass(time.Second)
		s.reported("at first", "Applied")

		s.set(webTable(numbers(1, 4)...))
		pass(time.Hour)
		s.has("an hour after the refusal", webTable(numbers(1, 10)...))
		s.reported("an hour after the refusal", "Refused: refused: it would take 6 of 10 real servers out of service")
		s.inSync("an hour after the refusal", false)
		if got := s.d.Status(); got.Refused == "" || got.RefusedSteps != 6 || got.RefusedRemovals != 6 || got.Counts.Refusals != 1 {
			s.Errorf("status: %s", got)
		}

		s.set(webTable(numbers(1, 3)...))
		pass(time.Second)
		s.reported("after another one", "Refused: refused: it would take 7 of 10")

		s.do(lvs.RemoveRealServer(web, rip(web, 10)))
		pass(time.Minute)
		s.has("after a drift", webTable(numbers(1, 10)...))
		s.reported("after a drift", "removed it: it was 10.1.0.10:80 dr weight 1; repaired", "Applied")

		s.set(webTable(numbers(1, 5)...))
		pass(time.Second)
		s.has("after a table that removes half", webTable(numbers(1, 5)...))
		s.inSync("after a table that removes half", true)
		if got := s.d.Status(); got.Refused != "" || got.RefusedSteps != 0 || got.RefusedRemovals != 0 {
			s.Errorf("the status still says %q", got.Refused)
		}
	})
}

func TestRefusedTableIsAllowed(t *testing.T) {
	play(t, Options{Source: Fixed(webTable(numbers(1, 10)...))}, func(s *scene) {
		s.run()
		pass(time.Second)
		if s.d.Allow() {
			s.Error("Allow found a table that was refused")
		}
		s.set(webTable(1))
		pass(time.Second)
		if !s.d.Allow() {
			s.Error("Allow found no table that was refused")
		}
		pass(0)
		s.has("after Allow", webTable(1))
		s.reported("after Allow", "Applied", "Refused", "Applied")

		// Allow is for once.
		s.set(webTable(numbers(1, 10)...))
		pass(time.Second)
		s.set(webTable(1))
		pass(time.Second)
		s.has("the second time", webTable(numbers(1, 10)...))
		if err := s.d.Update(Update{Table: webTable(1), AllowRemovals: true}); err != nil {
			s.Fatal(err)
		}
		pass(time.Second)
		s.has("allowed by an update", webTable(1))

		if err := s.d.Update(Update{Table: table(), AllowRemovals: true}); err != nil {
			s.Fatal(err)
		}
		pass(time.Second)
		s.has("an empty table, without Prune", webTable(1))
	})
}

// What counts, and among how many.
func TestShare(t *testing.T) {
	drain := lvs.TableOptions{Drain: time.Hour}
	for _, test := range []struct {
		name       string
		o          Options
		have, want lvs.Table
		refused    bool
	}{
		{"half goes", Options{}, webTable(1, 2, 3, 4), webTable(1, 2), false},
		{"more than half goes", Options{}, webTable(1, 2, 3), webTable(1), true},
		{"more than half drains", Options{Table: drain}, webTable(1, 2, 3), webTable(1), true},
		{"every one is replaced", Options{}, webTable(1, 2, 3), webTable(4, 5, 6), false},
		{"the only one is replaced", Options{}, webTable(1), webTable(2), false},
		{"the only one goes", Options{}, webTable(1), webTable(), true},
		{"a third may go", Options{MaxRemoval: 0.34}, webTable(1, 2, 3), webTable(1, 2), false},
		{"a third may not go", Options{MaxRemoval: 0.33}, webTable(1, 2, 3), webTable(1, 2), true},
		{"all may go", Options{MaxRemoval: 1}, webTable(1, 2, 3), webTable(), false},
		{"of both services", Options{}, table(service(web, 1, 2), service(dns, 1, 2)), table(service(web), service(dns, 1, 2)), false},
		{"weights become 0", Options{}, webTable(1, 2), weightless(webTable(1, 2)), true},
		{"a service goes", Options{Table: lvs.TableOptions{Prune: true}}, table(service(web, 1, 2, 3), service(dns, 1)), table(service(dns, 1)), true},
		{"all go", Options{Table: lvs.TableOptions{Prune: true}}, webTable(1), table(), true},
		{"services without real servers go", Options{Table: lvs.TableOptions{Prune: true}}, webTable(), table(), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			play(t, test.o, func(s *scene) {
				s.run()
				s.set(test.have)
				pass(time.Second)
				s.has("at first", test.have)
				s.set(test.want)
				pass(time.Second)
				if got := s.d.Status().Refused != ""; got != test.refused {
					s.Errorf("refused: %t\n%s", got, s.d.Status())
				}
				s.inSync("afterwards", !test.refused)
			})
		})
	}
}

func weightless(t lvs.Table) lvs.Table {
	for _, s := range t.Services {
		for i := range s.RealServers {
			s.RealServers[i].Weight = 0
		}
	}
	return t
}

// Real servers that are draining count as removed, so many small steps are not a way
// around the limit; and the refusal ends when they are gone.
func TestDrainsCountAsRemoved(t *testing.T) {
	play(t, Options{Table: lvs.TableOptions{Drain: 10 * time.Second}, Source: Fixed(webTable(1, 2, 3, 4))}, func(s *scene) {
		s.run()
		pass(time.Second)
		conns := []*lvs.SimConn{s.connect(3), s.connect(4)} // keep them until the deadline
		s.set(webTable(1, 2, 4))
		pass(time.Second)
		s.set(webTable(1, 2))
		pass(time.Second)
		s.hasWeights("two of four drain", 1, 1, 0, 0)
		s.set(webTable(1))
		pass(time.Second)
		s.hasWeights("three of four would", 1, 1, 0, 0)
		if s.d.Status().Refused == "" {
			s.Error("the third was not refused")
		}
		pass(10 * time.Second)
		if s.d.Status().Refused != "" {
			s.Errorf("still refused: %s", s.d.Status())
		}
		s.has("when the others were gone", webTable(1))
		_ = conns
	})
}

// Neither an empty file nor one with an empty table wipes the table, whether the
// Director is running or starts with it.
func TestEmptyFileWipesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "table.json")
	state := filepath.Join(t.TempDir(), "state")
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(one)
	want := table(lvs.TableService{
		Service:     lvs.Service{ID: web, Scheduler: lvs.WRR},
		RealServers: []lvs.RealServer{lvs.NewRealServer(service(web, 1).RealServers[0].Addr, lvs.NAT())},
	})
	want.Services[0].RealServers[0].Addr = mustAddr("10.168.0.94:80")
	o := Options{
		Source: File{Path: path}, StateFile: state,
		Table: lvs.TableOptions{Scope: lvs.ScopeAll(), Prune: true},
	}
	play(t, o, func(s *scene) {
		s.run()
		pass(2 * time.Second)
		s.has("at first", want)
		for _, content := range []string{"", " ", "{}", `{"version": 1, "services": []}`, `{"version": 1, "services": null}`} {
			write(content)
			pass(5 * time.Second)
			s.has("with "+content, want)
			s.inSync("with "+content, s.d.Status().Refused == "")
			if got := s.d.Status(); got.Source == "" && got.Refused == "" {
				s.Errorf("%q: the status says nothing: %s", content, got)
			}
		}
		s.stop()
		s.direct(o)
		s.run()
		pass(time.Hour)
		s.has("after a start with an empty table", want)
	})
}

// The real servers of a service that drains count, too.
func TestServiceDrainCountsAsRemoved(t *testing.T) {
	play(t, Options{Table: lvs.TableOptions{Drain: time.Minute, Prune: true}, Source: Fixed(table(service(web, 1, 2), service(dns, 1, 2)))}, func(s *scene) {
		s.run()
		pass(time.Second)
		if _, err := s.sim.Connect(lvs.Flow{Client: mustAddr("192.0.2.1:1000"), Protocol: lvs.ProtocolUDP, VIP: dns.AddrPort()}); err != nil {
			s.Fatal(err)
		}
		s.set(webTable(1, 2))
		pass(time.Second)
		s.inSync("two of four drain", true)
		s.set(webTable(1))
		pass(time.Second)
		s.hasWeights("three of four would", 1, 1)
		pass(2 * time.Minute)
		s.has("when the service was gone", webTable(1))
	})
}

// A table that takes nothing out of service is never refused, however much drains, and
// what is wanted again does not count.
func TestDrainsDoNotBlockOthers(t *testing.T) {
	play(t, Options{Table: lvs.TableOptions{Drain: time.Hour}, Source: Fixed(webTable(1, 2, 3, 4))}, func(s *scene) {
		s.run()
		pass(time.Second)
		for _, n := range numbers(1, 4) {
			s.connect(n)
		}
		if err := s.d.Update(Update{Table: webTable(1), AllowRemovals: true}); err != nil {
			s.Fatal(err)
		}
		pass(time.Second)
		s.hasWeights("three drain", 1, 0, 0, 0)
		s.set(webTable(1, 5))
		pass(time.Second)
		s.hasWeights("one is added", 1, 0, 0, 0, 1)
		s.set(webTable(2, 3, 4, 5))
		pass(time.Second)
		s.hasWeights("three are wanted again, and another one is not", 0, 1, 1, 1, 1)
	})
}

// Neither the refused table nor the one before may remove too much, and a permission
// ends when the table is in sync.
func TestDriftThatWouldRemoveTooMuch(t *testing.T) {
	play(t, Options{Source: Fixed(webTable(1, 2, 3, 4))}, func(s *scene) {
		s.run()
		pass(time.Second)
		if err := s.d.Update(Update{Table: webTable(1), AllowRemovals: true}); err != nil {
			s.Fatal(err)
		}
		pass(time.Second)
		s.has("allowed", webTable(1))
		s.take()
		for _, n := range numbers(2, 9) {
			s.do(lvs.AddRealServer(web, weighed(n, 1)))
		}
		pass(time.Minute)
		s.has("after another program added eight", webTable(numbers(1, 9)...))
		if got := s.kinds(); got["Refused"] != 1 || got["Drift"] != 8 || got["Applied"] != 0 {
			s.Errorf("events: %v", got)
		}
		s.set(table(service(web), service(dns, 1)))
		pass(time.Minute)
		s.has("with a table that removes as much", webTable(numbers(1, 9)...))
		if !s.d.Allow() {
			s.Error("nothing is refused")
		}
		pass(time.Second)
		s.has("allowed", table(service(web), service(dns, 1)))
	})
}
