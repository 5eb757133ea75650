package lvs

import (
	"net/netip"
	"slices"
	"testing"
)

// Answers whose TTL is too small for the known routers on their way are found.
func TestCheckTTL(t *testing.T) {
	far := netip.MustParseAddr("203.0.113.7")
	router, direct := netip.MustParseAddr("10.168.0.1"), netip.Addr{}
	for _, c := range []struct {
		name     string
		mode     Mode
		ttl      string
		via      netip.Addr // the director's way to clients, and that of the server by DR
		hops     int        // of the server's route
		severity Severity   // "": no finding
	}{
		{"usual", DR(), "64", router, 0, ""},
		{"not known", DR(), "", router, 0, ""},
		{"one by a router", DR(), "1", router, 0, SeverityBroken},
		{"one on the link", DR(), "1", direct, 0, ""},
		{"two by a router", DR(), "2", router, 0, SeverityRisk},
		{"of the route", DR(), "64", router, 1, SeverityBroken},
		{"enough by the route", DR(), "1", router, 64, ""},
		{"NAT, one", NAT(), "1", direct, 0, SeverityBroken},
		{"NAT, two", NAT(), "2", direct, 0, SeverityRisk},
		{"NAT, two by a router", NAT(), "2", router, 0, SeverityBroken},
		{"NAT, usual", NAT(), "64", router, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			director, server := firewallGround(t, c.mode, "")
			director.Clients = []netip.Addr{far}
			if c.ttl != "" {
				server.Resources = append(server.Resources, Sysctl{sysctlDefaultTTL, c.ttl})
			}
			back := c.via
			if c.mode == NAT() {
				back = netip.MustParseAddr("10.168.0.90")
				director.Resources = append(director.Resources, Sysctl{SysctlIPForward, "1"})
			}
			director.Routes = append(director.Routes, RouteEntry{To: defaultRoute(vip4), Table: 254, Via: c.via, Interface: "eth0"})
			server.Routes = append(server.Routes, RouteEntry{To: defaultRoute(vip4), Table: 254, Via: back, Interface: "eth0", HopLimit: c.hops})
			report := judgeHosts(director, nil, nil, []HostState{server})
			i := slices.IndexFunc(report.Findings, func(f Finding) bool { return f.Code == FindingTTL })
			if i < 0 && c.severity != "" || i >= 0 && (report.Findings[i].Severity != c.severity || !report.Findings[i].hasFix()) {
				t.Errorf("want %q: %v", c.severity, report.Findings)
			}
		})
	}
}
