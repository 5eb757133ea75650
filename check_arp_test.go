package lvs

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// A host answers for others as a proxy only if it would forward their packets.
func TestCheckProxies(t *testing.T) {
	elsewhere := func(f *HostState, iface string) {
		strip(f, func(p netip.Prefix) bool { return p.Addr() == vip4 }, func(r RouteEntry) bool { return r.To == hostPrefix(vip4) })
		f.Routes = append(f.Routes, RouteEntry{To: hostPrefix(vip4), Table: 254, Interface: iface})
		makeResource(f, Sysctl{InterfaceSysctl("eth0", "forwarding", false), "1"})
	}
	entry := func(f *HostState) {
		f.Neighbours = append(f.Neighbours, Neighbour{Interface: "eth0", Addr: vip4, Proxy: true})
	}
	for _, c := range []struct {
		name   string
		change func(rs2 *HostState)
		fix    string // "": no finding
	}{
		{"an address of the host", func(f *HostState) { entry(f) }, ""},
		{"behind another interface", func(f *HostState) { elsewhere(f, "eth1"); entry(f) }, "ip neigh del proxy 10.168.0.91 dev eth0"},
		{"behind another interface, by the parameter", func(f *HostState) {
			elsewhere(f, "eth1")
			makeResource(f, Sysctl{InterfaceSysctl("eth0", "proxy_arp", false), "1"})
		}, "sysctl -w net.ipv4.conf.eth0.proxy_arp=0"},
		{"without forwarding", func(f *HostState) {
			elsewhere(f, "eth1")
			entry(f)
			makeResource(f, Sysctl{InterfaceSysctl("eth0", "forwarding", false), "0"})
		}, ""},
		{"behind the same interface", func(f *HostState) { elsewhere(f, "eth0"); entry(f) }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			director, rs1, rs2 := cureGround(t, DR())
			c.change(rs2)
			report := judgeHosts(*director, nil, nil, []HostState{*rs1, *rs2})
			i := slices.IndexFunc(report.Findings, func(f Finding) bool { return strings.Contains(f.Detail, "as a proxy") })
			switch {
			case (i < 0) != (c.fix == ""):
				t.Errorf("got %v", report.Findings)
			case i >= 0 && (report.Findings[i].Host != "rs2" || !strings.Contains(fixOf(report.Findings[i]), c.fix)):
				t.Errorf("got %+v", report.Findings[i])
			}
		})
	}
}
