package lvs

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
)

// benchWanted returns a table of services with real servers. One in every "other"
// services has a real server more than in the table of 0.
func benchWanted(services, servers, other int) (t Table) {
	for i := range services {
		s := TableService{Service: Service{ID: benchService(i), Scheduler: []Scheduler{RR, WRR, LC, WLC, SH}[i%5]}}
		for j := range servers {
			addr := netip.AddrFrom4([4]byte{10, 2, byte(i >> 4), byte(1 + j + i&0xf)})
			s.RealServers = append(s.RealServers, NewRealServer(netip.AddrPortFrom(addr, 80), DR()))
		}
		if other > 0 && i%other == 0 {
			s.RealServers = append(s.RealServers, NewRealServer(netip.MustParseAddrPort("10.3.0.1:80"), DR()))
		}
		t.Services = append(t.Services, s)
	}
	return t
}

// BenchmarkDiff compares 10,000 services of 10 real servers with others, of which
// nothing, one service in a hundred, or every service differs.
func BenchmarkDiff(b *testing.B) {
	have := benchWanted(10_000, 10, 0)
	for _, bench := range []struct {
		name string
		want Table
	}{
		{"nothing", benchWanted(10_000, 10, 0)}, {"1%", benchWanted(10_000, 10, 100)}, {"every", benchWanted(10_000, 10, 1)}, {"all", Table{}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				if _, err := Diff(have, bench.want, TableOptions{Scope: ScopeAll(), Prune: true}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("from nothing", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			if _, err := Diff(Table{}, have, TableOptions{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkPlanTable compares the cost of plans with that of the snapshot that each
// begins with, of 5,000 services of 2 real servers.
func BenchmarkPlanTable(b *testing.B) {
	const services = 5000
	h := benchDirector(b)
	have := benchWanted(services, 2, 0)
	var changes []Change
	for _, s := range have.Services {
		changes = append(changes, AddService(s.Service))
		for _, server := range s.RealServers {
			changes = append(changes, AddRealServer(s.ID, server))
		}
	}
	must(b, h.Client().Do(context.Background(), changes...))
	b.Run("snapshot", func(b *testing.B) {
		for range b.N {
			if _, err := h.Client().Snapshot(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, other := range []int{0, 100} {
		want := benchWanted(services, 2, other)
		b.Run(fmt.Sprintf("1 in %d", other), func(b *testing.B) {
			for range b.N {
				plan, err := h.Client().PlanTable(context.Background(), want, TableOptions{Scope: ScopeAll(), Prune: true})
				if err != nil || (len(plan.Steps) == 0) != (other == 0) {
					b.Fatal(len(plan.Steps), err)
				}
			}
		})
	}
}
