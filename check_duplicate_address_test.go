package lvs

import (
	"net/netip"
	"slices"
	"testing"
)

// An address that two machines have is found on the one that should not have it.
func TestCheckDuplicates(t *testing.T) {
	gateway, far := netip.MustParseAddr("10.168.0.1"), netip.MustParseAddr("203.0.113.7")
	onServer := func(prefix, iface string) func(director, server *HostState) {
		return func(_, server *HostState) { gain(server, prefix, iface) }
	}
	for _, c := range []struct {
		name     string
		does     func(director, server *HostState)
		severity Severity // of address-duplicate on the server; "": none
		remove   string
	}{
		{"nothing", func(_, _ *HostState) {}, "", ""},
		{"another address", onServer("10.168.0.95/24", "eth0"), "", ""},
		{"another address on lo", onServer("198.51.100.1/32", "lo"), "", ""},
		{"the director's", onServer("10.168.0.90/32", "lo"), SeverityBroken, "ip addr del 10.168.0.90/32 dev lo"},
		{"the director's, with its network", onServer("10.168.0.90/24", "eth0"), SeverityBroken, "ip addr del 10.168.0.90/24 dev eth0"},
		{"the gateway's", onServer("10.168.0.1/32", "eth0"), SeverityBroken, "ip addr del 10.168.0.1/32 dev eth0"},
		{"the gateway's that another has found", func(director, server *HostState) {
			gain(server, "10.168.0.2/24", "eth0")
			director.Routes = append(director.Routes, RouteEntry{To: netip.MustParsePrefix("198.51.100.0/24"), Table: 254, Via: netip.MustParseAddr("10.168.0.2"), Interface: "eth0"})
			director.Neighbours = []Neighbour{{Interface: "eth0", Addr: netip.MustParseAddr("10.168.0.2"), MAC: "02:00:00:00:00:07", State: "reachable"}}
		}, SeverityBroken, "ip addr del 10.168.0.2/24 dev eth0"},
		{"an old entry for the server", func(director, server *HostState) {
			director.Routes = append(director.Routes, RouteEntry{To: netip.MustParsePrefix("198.51.100.0/24"), Table: 254, Via: local4, Interface: "eth0"})
			director.Neighbours = []Neighbour{{Interface: "eth0", Addr: local4, MAC: "02:00:00:00:00:07", State: "reachable"}}
		}, "", ""},
		{"a client's", onServer("203.0.113.7/32", "lo"), SeverityRisk, "ip addr del 203.0.113.7/32 dev lo"},
		{"a client that the host itself is", func(director, server *HostState) {
			gain(server, "203.0.113.7/32", "lo")
			director.Routes = append(director.Routes, RouteEntry{To: hostPrefix(far), Table: 254, Via: local4, Interface: "eth0"})
		}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			director, server := firewallGround(t, DR(), "")
			director.Clients = []netip.Addr{far}
			for _, f := range []*HostState{&director, &server} {
				f.Routes = append(f.Routes, RouteEntry{To: defaultRoute(vip4), Table: 254, Via: gateway, Interface: "eth0"})
			}
			c.does(&director, &server)
			for _, report := range []Report{judgeHosts(director, nil, nil, []HostState{server}), judgeHosts(server, nil, nil, []HostState{director})} {
				i := slices.IndexFunc(report.Findings, func(f Finding) bool { return f.Code == FindingAddressDuplicate })
				switch {
				case i < 0 && c.severity != "":
					t.Errorf("not found: %v", report.Findings)
				case i >= 0 && (report.Findings[i].Severity != c.severity || !slices.Equal(report.Findings[i].Commands, []string{c.remove})):
					t.Errorf("%s", report.Findings[i])
				}
			}
		})
	}
}

// gain gives a host an address, as the kernel does.
func gain(f *HostState, prefix, iface string) {
	p := netip.MustParsePrefix(prefix)
	f.Resources = append(f.Resources, Address{Interface: iface, Prefix: p, Scope: "global"})
	f.Routes = append(f.Routes, RouteEntry{To: hostPrefix(p.Addr()), Table: localRouteTable, Type: "local", Interface: iface, ByKernel: true})
}
