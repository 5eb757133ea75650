package lvs

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// clientFar is a client behind the router, clientNear one beside the hosts.
var clientFar, clientNear = netip.MustParseAddr("10.2.0.10"), netip.MustParseAddr("10.168.0.10")

// routeCase is a change of the routes or rules of a host that works.
type routeCase struct {
	name   string
	mode   Mode
	on     string // the director, or the first real server
	change func(*HostState)
	code   string // of the finding; "": none
	fix    string // what the finding's fix contains
}

// Faults of routing are found on hosts that work, with what fixes them. Changes that break
// nothing are not found.
func TestCheckRouting(t *testing.T) {
	prefix := netip.MustParsePrefix
	far := prefix("10.2.0.0/24")
	routes := func(all ...RouteEntry) func(*HostState) {
		return func(f *HostState) {
			for i := range all {
				if all[i].Table == 0 {
					all[i].Table = 254
				}
			}
			f.Routes = append(f.Routes, all...)
		}
	}
	instead := func(all ...RouteEntry) func(*HostState) {
		return func(f *HostState) {
			f.Routes = slices.DeleteFunc(f.Routes, byDefault)
			routes(all...)(f)
		}
	}
	rules := func(all ...RuleEntry) func(*HostState) {
		return func(f *HostState) { f.Rules = append(f.Rules, all...) }
	}
	hop := func(a string) RouteEntry {
		return RouteEntry{To: defaultRoute(vip4), Via: netip.MustParseAddr(a), Interface: "eth0", Weight: 1}
	}
	silent := func(a string, change func(*HostState)) func(*HostState) {
		return func(f *HostState) {
			change(f)
			silentNeighbour(f, a)
		}
	}
	dummy := func(f *HostState) {
		*stateOf(f, "d9") = InterfaceState{Name: "d9", Kind: "dummy", Up: true, Carrier: true}
	}
	ports := func(low, high uint16) [][2]uint16 { return [][2]uint16{{low, high}} }
	web := RuleEntry{Priority: 100, Protocol: 6, FromPorts: ports(80, 80), Action: "prohibit"}
	for _, c := range []routeCase{
		{"nothing", DR(), "director", routes(), "", ""},
		{"to lo", DR(), "rs1", routes(RouteEntry{To: far, Interface: "lo"}), "return-route", "ip route del 10.2.0.0/24 dev lo"},
		{"to a dummy", DR(), "rs1", func(f *HostState) { dummy(f); routes(RouteEntry{To: far, Interface: "d9"})(f) }, "return-route", "ip route del 10.2.0.0/24 dev d9"},
		{"to the network of a dummy", DR(), "rs1", func(f *HostState) {
			dummy(f)
			f.Resources = append(f.Resources, Address{Interface: "d9", Prefix: prefix("10.2.0.1/24")})
			routes(RouteEntry{To: far, Interface: "d9", ByKernel: true}, RouteEntry{To: prefix("10.2.0.1/32"), Type: "local", Table: localRouteTable, Interface: "d9", ByKernel: true})(f)
		}, "return-route", "ip addr del 10.2.0.1/24 dev d9"},
		{"a client's address", DR(), "rs1", func(f *HostState) {
			dummy(f)
			f.Resources = append(f.Resources, Address{Interface: "d9", Prefix: prefix("10.2.0.10/24")})
			routes(RouteEntry{To: far, Interface: "d9", ByKernel: true}, RouteEntry{To: prefix("10.2.0.10/32"), Type: "local", Table: localRouteTable, Interface: "d9", ByKernel: true})(f)
		}, "martian-source", "ip addr del 10.2.0.10/24 dev d9"},
		{"only a route for broadcasts", DR(), "rs1", func(f *HostState) {
			for i := range f.Routes {
				if f.Routes[i].To == hostPrefix(vip4) && f.Routes[i].Table == localRouteTable {
					f.Routes[i].Type = "broadcast"
				}
			}
		}, "vip-missing", "ip route prepend local 10.168.0.91 dev lo src 10.168.0.91 table local"},
		{"only a route in the main table", DR(), "rs1", func(f *HostState) {
			f.Routes = slices.DeleteFunc(f.Routes, func(r RouteEntry) bool { return r.To == hostPrefix(vip4) && r.Table == localRouteTable })
			routes(RouteEntry{To: hostPrefix(vip4), Interface: "lo"})(f)
		}, "vip-missing", "ip route replace local 10.168.0.91/32 dev lo src 10.168.0.91 table 255"},
		{"kept here", DR(), "rs1", routes(RouteEntry{To: far, Type: "local", Table: localRouteTable, Interface: "lo"}), "return-route", "ip route del local 10.2.0.0/24 dev lo table 255"},
		{"two hops, one silent", DR(), "rs1", silent("10.168.0.250", instead(hop("10.168.0.1"), hop("10.168.0.250"))), "neighbour-silent", "ip route replace default via 10.168.0.1 dev eth0"},
		{"three hops, one silent", DR(), "rs1", silent("10.168.0.250", instead(hop("10.168.0.1"), hop("10.168.0.2"), hop("10.168.0.250"))), "neighbour-silent",
			"ip route replace default nexthop via 10.168.0.1 dev eth0 weight 1 nexthop via 10.168.0.2 dev eth0 weight 1"},
		{"two hops, both silent", DR(), "rs1", silent("10.168.0.251", silent("10.168.0.250", instead(hop("10.168.0.251"), hop("10.168.0.250")))), "neighbour-silent", "ip route replace default via 10.168.0.1"},
		{"two hops", DR(), "rs1", instead(hop("10.168.0.1"), hop("10.168.0.2")), "", ""},
		{"two hops, one not the director", NAT(), "rs1", instead(hop("10.168.0.90"), hop("10.168.0.94")), "return-route", "ip route replace default via 10.168.0.90"},
		{"a blackhole", DR(), "rs1", instead(RouteEntry{To: defaultRoute(vip4), Type: "blackhole"}), "return-route", "ip route del 0.0.0.0/0"},
		{"a blackhole of a less metric", DR(), "rs1", func(f *HostState) {
			for i := range f.Routes {
				if byDefault(f.Routes[i]) {
					f.Routes[i].Metric = 10
				}
			}
			routes(RouteEntry{To: defaultRoute(vip4), Type: "prohibit"})(f)
		}, "return-route", "ip route del 0.0.0.0/0"},
		{"clients on the link", DR(), "rs1", silent("10.2.0.10", instead(RouteEntry{To: defaultRoute(vip4), Interface: "eth0"})), "neighbour-silent", "ip route replace default via 10.168.0.1"},
		{"throw", DR(), "rs1", routes(RouteEntry{To: far, Type: "throw"}), "return-route", "ip route del 10.2.0.0/24"},
		{"its port", DR(), "rs1", rules(web), "return-route", "ip rule del priority 100"},
		{"another port", DR(), "rs1", rules(RuleEntry{Priority: 100, Protocol: 6, FromPorts: ports(81, 90), Action: "prohibit"}), "", ""},
		{"another protocol", DR(), "rs1", rules(RuleEntry{Priority: 100, Protocol: 17, FromPorts: ports(80, 80), Action: "prohibit"}), "", ""},
		{"ports of clients", DR(), "rs1", rules(RuleEntry{Priority: 100, ToPorts: ports(1024, 65535), Action: "prohibit"}), "return-route", "ip rule del priority 100"},
		{"no ports of clients", DR(), "rs1", rules(RuleEntry{Priority: 100, ToPorts: ports(22, 22), Action: "prohibit"}), "", ""},
		{"some ports of clients", DR(), "rs1", rules(RuleEntry{Priority: 100, ToPorts: ports(40000, 40100), Action: "prohibit"}), "unchecked route-blocked", ""},
		{"its user", DR(), "rs1", rules(RuleEntry{Priority: 100, Users: [][2]uint32{{0, 0}}, Action: "prohibit"}), "return-route", "ip rule del priority 100"},
		{"another user", DR(), "rs1", rules(RuleEntry{Priority: 100, Users: [][2]uint32{{33, 33}}, Action: "prohibit"}), "", ""},
		{"an unknown user", DR(), "rs1", func(f *HostState) {
			f.Listeners = append(f.Listeners, Listener{ProtocolTCP, netip.AddrPortFrom(vip4, 80), 33})
			rules(RuleEntry{Priority: 100, Users: [][2]uint32{{33, 33}}, Action: "prohibit"})(f)
		}, "unchecked route-blocked", ""},
		{"all but one network", DR(), "rs1", rules(RuleEntry{Priority: 100, Not: true, To: prefix("10.168.0.0/24"), Action: "prohibit"}), "return-route", "ip rule del priority 100"},
		{"all but the client's", DR(), "rs1", rules(RuleEntry{Priority: 100, Not: true, To: prefix("10.0.0.0/8"), Action: "prohibit"}), "", ""},
		{"goto", DR(), "rs1", rules(RuleEntry{Priority: 100, Action: "goto", Goto: 32767}), "return-route", "ip rule del priority 100"},
		{"without the default route", DR(), "rs1", func(f *HostState) {
			f.Rules = slices.DeleteFunc(f.Rules, func(r RuleEntry) bool { return r.Table == 254 && !r.IPv6 })
			rules(RuleEntry{Priority: 100, Table: 254, Shortest: 1})(f)
		}, "return-route", "ip rule add priority 32766 lookup main"},
		{"two rules of a priority", DR(), "rs1", rules(RuleEntry{Priority: 100, To: prefix("10.9.0.0/16"), Table: 254}, RuleEntry{Priority: 100, To: far, Action: "prohibit"}), "return-route",
			"ip rule del priority 100 to 10.2.0.0/24 prohibit"},
		{"in a VRF", DR(), "rs1", func(f *HostState) {
			*stateOf(f, "vrf9") = InterfaceState{Name: "vrf9", Kind: "vrf", Up: true, Carrier: true}
			stateOf(f, "eth0").Master = "vrf9"
			instead()(f)
		}, "link-taken", "ip link set dev eth0 nomaster, ip route replace default via 10.168.0.1"},
		{"in a VRF with routes", DR(), "rs1", func(f *HostState) {
			*stateOf(f, "vrf9") = InterfaceState{Name: "vrf9", Kind: "vrf", Up: true, Carrier: true}
			stateOf(f, "eth0").Master = "vrf9"
			routes(RouteEntry{To: defaultRoute(vip4), Table: 10, Via: netip.MustParseAddr("10.168.0.1"), Interface: "eth0"})(f)
		}, "", ""},
		{"a VRF for others", DR(), "rs1", rules(RuleEntry{Priority: 1000, VRF: true}), "", ""},

		{"not from a network", DR(), "director", rules(RuleEntry{Priority: 100, Not: true, From: prefix("10.9.0.0/24"), Action: "unreachable"}), "route-blocked", "ip rule del priority 100"},
		{"ports that IPVS does not ask for", DR(), "director", rules(RuleEntry{Priority: 100, Protocol: 6, ToPorts: ports(80, 80), Action: "unreachable"}), "", ""},
		{"root's", DR(), "director", rules(RuleEntry{Priority: 100, Users: [][2]uint32{{0, 0}}, Action: "prohibit"}), "route-blocked", "ip rule del priority 100"},
		{"no rule for the table local", DR(), "director", func(f *HostState) {
			f.Rules = slices.DeleteFunc(f.Rules, func(r RuleEntry) bool { return r.Table == localRouteTable && !r.IPv6 })
			rules(RuleEntry{Priority: 100, To: prefix("10.9.0.0/16"), Table: 254})(f)
		}, "vip-missing", "ip rule add priority 0 lookup local"},
		{"a table before the table local", DR(), "director", func(f *HostState) {
			for i := range f.Rules {
				f.Rules[i].Priority += 5
			}
			rules(RuleEntry{Table: 50})(f)
			routes(RouteEntry{To: hostPrefix(vip4), Table: 50, Via: netip.MustParseAddr("10.168.0.1"), Interface: "eth0"})(f)
		}, "vip-missing", "ip rule del priority 0"},
		{"no rule for the table local, and the kernel needs none", DR(), "director", func(f *HostState) {
			f.Rules = slices.DeleteFunc(f.Rules, func(r RuleEntry) bool { return r.Table == localRouteTable })
		}, "", ""},

		{"by the server's port", NAT(), "director", rules(RuleEntry{Priority: 100, Protocol: 6, FromPorts: ports(80, 80), Action: "blackhole"}), "route-blocked", "ip rule del priority 100"},
		{"to the server's port", NAT(), "director", rules(RuleEntry{Priority: 100, Protocol: 6, ToPorts: ports(80, 80), Action: "blackhole"}), "", ""},
		{"by a silent gateway, and there is a better", NAT(), "director", silent("10.168.0.250", func(f *HostState) {
			f.Neighbours = append(f.Neighbours, Neighbour{Interface: "eth0", Addr: netip.MustParseAddr("10.168.0.1"), MAC: "02:00:00:00:00:01", State: "reachable"})
			routes(RouteEntry{To: far, Via: netip.MustParseAddr("10.168.0.250"), Interface: "eth0"})(f)
		}), "neighbour-silent", "ip route del 10.2.0.0/24 via 10.168.0.250 dev eth0"},

		{"from the source that a tunnel has", IPIP(), "director", rules(RuleEntry{Priority: 100, From: prefix("10.168.0.90/32"), Action: "prohibit"}), "route-blocked", "ip rule del priority 100"},
		{"from another source", IPIP(), "director", rules(RuleEntry{Priority: 100, From: prefix("10.168.0.91/32"), Action: "prohibit"}), "", ""},
		{"the VIP is a tunnel's source", IPIP(), "director", func(f *HostState) {
			for i := range f.Routes {
				if f.Routes[i].To == prefix("10.168.0.0/24") {
					f.Routes[i].Source = vip4
				}
			}
		}, "martian-source", "ip route replace 10.168.0.0/24 dev eth0 src 10.168.0.90"},
	} {
		t.Run(c.name, func(t *testing.T) {
			director, rs1, rs2 := cureGround(t, c.mode)
			director.Clients = []netip.Addr{clientFar, clientNear}
			if c.mode == NAT() {
				director.Clients = []netip.Addr{clientFar}
			}
			c.change(map[string]*HostState{"director": director, "rs1": rs1}[c.on])
			report := judgeHosts(*director, nil, nil, []HostState{*rs1, *rs2})
			var found []Finding
			for _, f := range report.Findings {
				if f.Severity == SeverityBroken && f.Code != FindingARPStale && f.Code != FindingServerDead {
					found = append(found, f)
				}
			}
			if code, ok := strings.CutPrefix(c.code, "unchecked "); ok {
				if !slices.Contains(codes(report.Unchecked), code) || len(found) > 0 {
					t.Errorf("%v, unchecked %v", found, codes(report.Unchecked))
				}
				return
			}
			i := slices.IndexFunc(found, func(f Finding) bool { return string(f.Code) == c.code && (f.Host == "") == (c.on == "director") })
			if (i < 0) != (c.code == "") || c.code == "" && len(found) > 0 {
				t.Fatalf("found %v, want %q", found, c.code)
			}
			if i < 0 {
				return
			}
			fix := slices.Clone(found[i].Commands)
			for _, s := range found[i].Fix {
				fix = append(fix, s.Want.(interface{ String() string }).String())
			}
			if text := strings.Join(fix, ", "); !strings.Contains(text+",", c.fix+",") {
				t.Errorf("%v: fixed by %q, want %q", found[i], text, c.fix)
			}
		})
	}
}

// A host that meets a setup by something equivalent is not broken.
func TestCheckOtherwise(t *testing.T) {
	gateway := netip.MustParseAddr("10.168.0.90")
	server, director := mustOf(t, NATRealServer{Director: gateway}.Setup), mustOf(t, NATDirector{VIP: vip4, Interface: "eth0"}.Setup)
	dr, tun := mustOf(t, DRRealServer{VIP: vip4}.Setup), mustOf(t, TunnelRealServer{VIP: vip4, Mode: IPIP(), Local: local4}.Setup)
	vip := netip.MustParsePrefix("10.168.0.91/32")
	route := func(change func(*Route)) Resource {
		r := Route{To: defaultRoute(vip4), Via: gateway, Interface: "eth0"}
		change(&r)
		return r
	}
	for _, c := range []struct {
		name  string
		setup Setup
		is    Resource // what the host holds beside the setup's resource, or instead
	}{
		{"a route onlink", server, route(func(r *Route) { r.OnLink = true })},
		{"a route with an MTU", server, route(func(r *Route) { r.MTU = 1400 })},
		{"a route with a source", server, route(func(r *Route) { r.Source = local4 })},
		{"a route of another protocol", server, foundRoute{route(func(*Route) {}).(Route), "global", 16}},
		{"a route with a segment size", server, route(func(r *Route) { r.AdvMSS = 1300 })},
		{"a route of a metric", server, route(func(r *Route) { r.Metric = 100 })},
		{"forwarding by another value", director, Sysctl{SysctlIPForward, "2"}},
		{"a labelled VIP", director, Address{Interface: "eth0", Prefix: vip, Label: "eth0:0", Scope: "global"}},
		{"a VIP with a broadcast address", director, Address{Interface: "eth0", Prefix: vip, Broadcast: vip4, Scope: "global"}},
		{"a VIP of a narrow scope", dr, Address{Interface: "lo", Prefix: vip, Scope: "host"}},
		{"arp_ignore for the network", dr, Sysctl{InterfaceSysctl("all", "arp_ignore", false), "2"}},
		{"arp_ignore for all", dr, Sysctl{InterfaceSysctl("all", "arp_ignore", false), "8"}},
		{"a tunnel's narrow device", tun, Link{Name: "tunl0", Kind: "ipip", Up: true, MTU: 1400}},
		{"no filter", tun, Sysctl{InterfaceSysctl("tunl0", "rp_filter", false), "0"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, h := peerHost(t, 94)
			s.LoadModule("ipip")
			setUp(t, h, c.setup, nil)
			if r, ok := c.is.(Route); ok && r.Metric != 0 {
				must(t, h.remove(Route{To: r.To, Via: r.Via, Interface: "eth0"}))
			}
			makeSo(t, h, c.is)
			report, err := h.Check(t.Context(), CheckOptions{Setup: c.setup})
			must(t, err)
			for _, f := range withoutService(report) {
				if f.Severity == SeverityBroken {
					t.Errorf("%v", f)
				}
			}
		})
	}
}
