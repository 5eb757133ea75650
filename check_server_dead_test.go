package lvs

import (
	"net/netip"
	"slices"
	"testing"
	"time"
)

// A real server that cannot serve clients gets weight 0 if others can serve them and nothing
// else fixes it.
func TestCheckDead(t *testing.T) {
	other := netip.MustParseAddrPort("10.168.0.99:80")
	stopped := func(_, s *HostState) { s.Listeners = nil }
	by := func(scheduler Scheduler, flags SchedulerFlags) func(d, s *HostState) {
		return func(d, s *HostState) {
			d.Services[0].Scheduler, d.Services[0].SchedulerFlags = scheduler, flags
			stopped(d, s)
		}
	}
	persists := func(weight int) func(d, s *HostState) {
		return func(d, s *HostState) {
			e := &d.Services[0]
			e.Persistence.Timeout, e.RealServers[0].Weight, e.RealServers[0].PersistentConns = time.Minute, weight, 2
			stopped(d, s)
		}
	}
	for _, c := range []struct {
		name    string
		change  func(director, server *HostState)
		changes int // -1 means no finding
		settles bool
	}{
		{"all is well", func(_, _ *HostState) {}, -1, false},
		{"no program", stopped, 1, false},
		{"no answer", func(d, _ *HostState) {
			d.Neighbours = []Neighbour{{Interface: "eth0", Addr: other.Addr(), State: "failed"}}
		}, 1, false},
		{"both are dead", func(d, s *HostState) {
			stopped(d, s)
			d.Neighbours = []Neighbour{{Interface: "eth0", Addr: other.Addr(), State: "failed"}}
		}, -1, false},
		{"the other is drained", func(d, s *HostState) { d.Services[0].RealServers[1].Weight = 0; stopped(d, s) }, -1, false},
		{"the other is full", func(d, s *HostState) {
			d.Services[0].RealServers[1].UpperThreshold, d.Services[0].RealServers[1].ActiveConns = 3, 3
			stopped(d, s)
		}, -1, false},
		{"it is drained", func(d, s *HostState) { d.Services[0].RealServers[0].Weight = 0; stopped(d, s) }, -1, false},
		{"a fix is known", func(_, s *HostState) {
			s.Resources = slices.DeleteFunc(s.Resources, func(one Resource) bool { a, ok := one.(Address); return ok && a.Interface == "lo" })
			s.Routes = slices.DeleteFunc(s.Routes, func(r RouteEntry) bool { return r.To.Addr() == vip4 })
		}, -1, false},
		{"it is not seen", func(_, s *HostState) {
			s.Listeners, s.Unread = nil, []Unread{{What: "listeners", Why: "there is none"}}
		}, -1, false},
		{"wlc", by(WLC, 0), 1, false},
		{"dh", by(DH, 0), -1, false},
		{"sh", by(SH, 0), -1, false},
		{"sh with fallback", by(SH, HashFallback), 1, false},
		{"mh", by(MH, 0), -1, false},
		{"mh with fallback", by(MH, HashFallback), 1, false},
		{"persistence", persists(1), 1, true},
		{"persistence with a server that is drained", persists(0), 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			director, server := firewallGround(t, DR(), "")
			director.Unread, server.Unread = nil, nil
			servers := &director.Services[0].RealServers
			*servers = append(*servers, (*servers)[0])
			(*servers)[1].Addr = other
			c.change(&director, &server)
			for _, own := range []string{"director", "server"} { // that is checked
				report := judgeHosts(director, nil, nil, []HostState{server})
				host := ""
				if own == "server" {
					report, host = judgeHosts(server, nil, nil, []HostState{director}), "director"
				}
				i := slices.IndexFunc(report.Findings, func(f Finding) bool { return f.Code == FindingServerDead })
				if i < 0 || c.changes < 0 {
					if (i < 0) != (c.changes < 0) {
						t.Errorf("%s: %v", own, report.Findings)
					}
					continue
				}
				f := report.Findings[i]
				if f.Host != host || len(f.Changes) != c.changes || (len(f.Fix) > 0) != c.settles || f.Severity != SeverityBroken || f.Advice == "" {
					t.Errorf("%s: %+v", own, f)
				}
				for _, ch := range f.Changes {
					if ch.get().server.Weight != 0 || ch.get().server.Mode != DR() {
						t.Errorf("%s: %s", own, ch)
					}
				}
			}
		})
	}
}

// What a drained server lacks affects only connections that it still has.
func TestCheckDrained(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(drained *RealServerStatus, e *ServiceEntry)
		want   Severity
	}{
		{"nothing is left", func(_ *RealServerStatus, _ *ServiceEntry) {}, SeverityRisk},
		{"it has a connection", func(s *RealServerStatus, _ *ServiceEntry) { s.ActiveConns = 1 }, SeverityBroken},
		{"persistence sends it clients", func(s *RealServerStatus, e *ServiceEntry) {
			s.PersistentConns, e.Persistence.Timeout = 1, time.Minute
		}, SeverityBroken},
	} {
		t.Run(c.name, func(t *testing.T) {
			director, server := firewallGround(t, DR(), "")
			director.Unread, server.Unread = nil, nil
			e := &director.Services[0]
			e.RealServers = append(e.RealServers, e.RealServers[0])
			e.RealServers[1].Addr = netip.MustParseAddrPort("10.168.0.99:80")
			e.RealServers[0].Weight, server.Listeners = 0, nil
			c.change(&e.RealServers[0], e)
			for _, f := range judgeHosts(director, nil, nil, []HostState{server}).Findings {
				if f.Code == FindingProgramMissing && f.Severity == c.want {
					return
				}
			}
			t.Errorf("no program-missing of the severity %s", c.want)
		})
	}
}
