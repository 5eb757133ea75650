package health

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/golvs/lvs"
)

// benchTables are 10,000 servers in one service, and in a service each.
func benchTables() map[string]lvs.Table {
	const servers = 10_000
	weights := make([]int, servers)
	for i := range weights {
		weights[i] = 1
	}
	one := tableOf(lvs.WLC, weights...)
	var each lvs.Table
	for i, server := range one.Services[0].RealServers {
		vip := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 168, byte(i >> 8), byte(i)}), 80)
		each.Services = append(each.Services, lvs.TableService{
			Service:     lvs.Service{ID: lvs.TCP(vip), Scheduler: lvs.WLC},
			RealServers: []lvs.RealServer{server},
		})
	}
	return map[string]lvs.Table{"one service": one, "10,000 services": each}
}

// benchMonitor returns a monitor of a table, all of whose servers have answered.
func benchMonitor(b *testing.B, table lvs.Table) (*Monitor, map[lvs.ServiceID]Policy) {
	b.Helper()
	policies := map[lvs.ServiceID]Policy{}
	for _, s := range table.Services {
		policies[s.ID] = Policy{
			Checks:    []Check{{Probe: HTTP{Path: "/ready"}, Interval: time.Hour}},
			Limit:     Limit{Share: 0.5, Then: KeepAll},
			SlowStart: SlowStart{Window: time.Minute},
		}
	}
	m, err := New(Options{})
	if err == nil {
		err = m.Set(table, policies)
	}
	if err != nil {
		b.Fatal(err)
	}
	m.Table(table)
	now := time.Now()
	for _, w := range m.watches {
		m.take(w, now, now, finding{})
		m.next(w, now, now)
	}
	return m, policies
}

// What a Monitor does while it is locked, and probes wait for it.
func BenchmarkMonitor(b *testing.B) {
	for name, table := range benchTables() {
		m, policies := benchMonitor(b, table)
		for _, c := range []struct {
			what string
			f    func()
		}{
			{"Status", func() { m.Status() }},
			{"Table", func() { m.Table(table) }},
			{"Set", func() { _ = m.Set(table, policies) }},
			{"SetOverrides", func() {
				_ = m.SetOverrides([]Override{{Service: web, Server: rip(1), Kind: Drain, Since: time.Now()}})
			}},
			{"step", func() {
				m.weighBy(m.services[m.order[0]], time.Now())
				m.due(context.Background(), time.Now())
			}},
		} {
			b.Run(fmt.Sprintf("%s/%s", c.what, name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					c.f()
				}
			})
		}
	}
}

// What it costs when the content of all servers changes, and no two have the same.
func BenchmarkContent(b *testing.B) {
	table := benchTables()["one service"]
	m, _ := benchMonitor(b, table)
	s := m.services[web]
	for i, mb := range s.members {
		mb.watches[0].answer.Content = fmt.Sprint(i)
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, mb := range s.members {
			mb.differs = false
		}
		m.events = nil
		m.compare(s)
	}
}

// What it costs to validate a policy in which each server has checks of its own.
func BenchmarkValidate(b *testing.B) {
	service := benchTables()["one service"].Services[0]
	p := Policy{Servers: map[netip.AddrPort][]Check{}}
	for _, server := range service.RealServers {
		p.Servers[server.Addr] = []Check{{Probe: TCP{}}}
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Validate(service); err != nil {
			b.Fatal(err)
		}
	}
}
