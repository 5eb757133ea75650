package lvs

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// cureGround returns the states of a director and two real servers that work, with a
// router between them and the rest of the world.
func cureGround(t *testing.T, mode Mode) (director, rs1, rs2 *HostState) {
	t.Helper()
	web := TCP(netip.AddrPortFrom(vip4, 80))
	var all []*HostState
	for _, number := range []byte{90, 94, 95} {
		s, h := peerHost(t, number)
		local := netip.AddrFrom4([4]byte{10, 168, 0, number})
		makeSo(t, h, Link{Name: "eth0", Kind: "device", Up: true, MTU: 1600}, Sysctl{SysctlIPForward, "1"}, Route{To: defaultRoute(vip4), Via: netip.MustParseAddr("10.168.0.1")})
		switch {
		case number == 90:
			makeSo(t, h, vipAddress(vip4, "eth0", ""))
			must(t, h.Client().Do(context.Background(), AddService(Service{ID: web, Scheduler: RR})))
			for _, server := range []string{"10.168.0.94:80", "10.168.0.95:80"} {
				must(t, h.Client().Do(context.Background(), AddRealServer(web, NewRealServer(netip.MustParseAddrPort(server), mode))))
			}
		case mode == DR():
			setUp(t, h, mustOf(t, DRRealServer{VIP: vip4}.Setup), nil)
		case mode == NAT():
			makeSo(t, h, Route{To: defaultRoute(vip4), Via: netip.MustParseAddr("10.168.0.90")})
		default:
			s.LoadModule("ip_gre")
			setUp(t, h, mustOf(t, TunnelRealServer{VIP: vip4, Mode: mode, Local: local}.Setup), nil)
		}
		f := resourcesOfHost(t, h, map[byte]string{90: "director", 94: "rs1", 95: "rs2"}[number])
		wired(&f, fmt.Sprintf("02:00:00:00:00:%d", number))
		f.Unread = nil
		if number != 90 {
			f.Listeners = []Listener{{Protocol: ProtocolTCP, Addr: netip.MustParseAddrPort("0.0.0.0:80")}}
		}
		all = append(all, &f)
	}
	return all[0], all[1], all[2]
}

// strip removes addresses and routes from a host, as an administrator or an interface that
// goes down does.
func strip(f *HostState, address func(netip.Prefix) bool, route func(RouteEntry) bool) {
	f.Resources = slices.DeleteFunc(f.Resources, func(one Resource) bool {
		a, ok := one.(Address)
		return ok && address(a.Prefix)
	})
	f.Routes = slices.DeleteFunc(f.Routes, route)
}

// withoutAddresses removes the IPv4 addresses of eth0 from a host, and all routes by it.
func withoutAddresses(f *HostState) {
	strip(f, func(p netip.Prefix) bool { return p.Addr().Is4() && p.Addr() != vip4 }, func(r RouteEntry) bool {
		return r.To.Addr().Is4() && r.Interface == "eth0"
	})
}

func noAddress(netip.Prefix) bool { return false }

func byDefault(r RouteEntry) bool { return r.To == defaultRoute(vip4) }

// renumbered gives a host another address on eth0.
func renumbered(f *HostState, a string) {
	withoutAddresses(f)
	p := netip.MustParsePrefix(a)
	f.Resources = append(f.Resources, Address{Interface: "eth0", Prefix: p, Scope: "global"})
	f.Routes = append(f.Routes, RouteEntry{To: p.Masked(), Table: 254, Interface: "eth0", ByKernel: true},
		RouteEntry{To: hostPrefix(p.Addr()), Table: 255, Type: "local", Interface: "eth0", ByKernel: true},
		RouteEntry{To: defaultRoute(vip4), Table: 254, Via: netip.MustParseAddr("10.168.0.1"), Interface: "eth0"})
}

func stateOf(f *HostState, name string) *InterfaceState {
	i := slices.IndexFunc(f.Interfaces, func(i InterfaceState) bool { return i.Name == name })
	if i < 0 {
		f.Interfaces = append(f.Interfaces, InterfaceState{Name: name})
		i = len(f.Interfaces) - 1
	}
	return &f.Interfaces[i]
}

// silentNeighbour gives a host the neighbour entry of an address that did not answer.
func silentNeighbour(f *HostState, a string) {
	f.Neighbours = append(f.Neighbours, Neighbour{Interface: "eth0", Addr: netip.MustParseAddr(a), State: "failed"})
}

// makeResource gives a host a resource in place of the one with the same key.
func makeResource(f *HostState, now Resource) {
	f.Resources = append(slices.DeleteFunc(f.Resources, func(one Resource) bool { return one.key() == now.key() }), now)
}

func down(f *HostState, name string) {
	i := stateOf(f, name)
	i.Up, i.Carrier = false, false
}

// onPorted makes eth0 a bridge or bond that has lost its port eth9.
func onPorted(f *HostState, kind string) {
	i := stateOf(f, "eth0")
	i.Kind, i.Carrier = kind, false
	*stateOf(f, "eth9") = InterfaceState{Name: "eth9", Kind: "device", Up: true, Carrier: true}
}

// remote gives a host's tunnel another end.
func remote(f *HostState, a string) {
	for i, one := range f.Resources {
		if l, ok := one.(Link); ok && l.Kind == "gre" {
			l.Remote = netip.MustParseAddr(a)
			f.Resources[i] = l
		}
	}
}

// lostGateway removes the default route from a director that has clients near and far, and
// knows other hosts.
func lostGateway(f *HostState, others ...string) {
	strip(f, noAddress, byDefault)
	f.Clients = []netip.Addr{netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("10.168.0.201")}
	for i, a := range append([]string{"10.168.0.201", "10.168.0.95"}, others...) {
		mac := fmt.Sprintf("02:00:00:00:01:%02d", i)
		if a == "10.168.0.95" {
			mac = "02:00:00:00:00:95"
		}
		f.Neighbours = append(f.Neighbours, Neighbour{Interface: "eth0", Addr: netip.MustParseAddr(a), MAC: mac, State: "stale"})
	}
}

// mine gives a tunnel's device another name, and returns its state.
func mine(f *HostState, name string) *InterfaceState {
	for i, one := range f.Resources {
		if l, ok := one.(Link); ok && l.Name == name {
			l.Name = "mine"
			f.Resources[i] = l
		}
	}
	i := stateOf(f, name)
	i.Name = "mine"
	return i
}

// fixOf formats what a program would do about a finding.
func fixOf(f Finding) string {
	fix := slices.Clone(f.Commands)
	for _, s := range f.Fix {
		fix = append(fix, fmt.Sprint(s.Want))
	}
	for _, ch := range f.Changes {
		fix = append(fix, ch.String())
	}
	return strings.Join(fix, "; ")
}

// What fixes a host is found, for the right host.
func TestCheckCures(t *testing.T) {
	const usual = "ip route replace default via 10.168.0.1"
	for _, c := range []struct {
		name      string
		mode      Mode
		change    func(d, rs1, rs2 *HostState)
		code      string
		host, fix string // host "": the director, which is checked
	}{
		{"nothing", DR(), func(_, _, _ *HostState) {}, "", "", ""},
		{"nothing, by NAT", NAT(), func(_, _, _ *HostState) {}, "", "", ""},
		{"nothing, by GRE", GRE(), func(_, _, _ *HostState) {}, "", "", ""},
		{"no default route", DR(), func(_, _, rs2 *HostState) { strip(rs2, noAddress, byDefault) }, "return-route", "rs2", usual},
		{"no default route, and a strict filter", DR(), func(d, _, rs2 *HostState) {
			d.Clients = []netip.Addr{netip.MustParseAddr("203.0.113.7")}
			makeResource(rs2, Sysctl{InterfaceSysctl("all", "rp_filter", false), "1"})
			strip(rs2, noAddress, byDefault)
		}, "return-route", "rs2", usual},
		{"an address without its length", DR(), func(_, _, rs2 *HostState) {
			withoutAddresses(rs2)
			rs2.Resources = append(rs2.Resources, Address{Interface: "eth0", Prefix: netip.MustParsePrefix("10.168.0.95/32")})
		}, "return-route", "rs2", "ip addr add 10.168.0.95/24 dev eth0; " + usual},
		{"answers by the director", DR(), func(_, _, rs2 *HostState) {
			strip(rs2, noAddress, byDefault)
			rs2.Routes = append(rs2.Routes, RouteEntry{To: defaultRoute(vip4), Table: 254, Via: netip.MustParseAddr("10.168.0.90"), Interface: "eth0"})
		}, "martian-source", "rs2", usual},
		{"a link that is down", DR(), func(_, _, rs2 *HostState) {
			down(rs2, "eth0")
			strip(rs2, noAddress, func(r RouteEntry) bool { return r.Interface == "eth0" && r.Type == "" })
		}, "link-down", "rs2", "ip link set dev eth0 up; " + usual},
		{"a bridge without its port", DR(), func(_, _, rs2 *HostState) { onPorted(rs2, "bridge") }, "link-down", "rs2",
			"ip link set dev eth9 master eth0; ip link set dev eth9 up"},
		{"a bond without its port", DR(), func(_, _, rs2 *HostState) { onPorted(rs2, "bond") }, "link-down", "rs2",
			"ip link set dev eth9 down; ip link set dev eth9 master eth0; ip link set dev eth9 up"},
		{"a bridge, and two that could be its port", DR(), func(_, _, rs2 *HostState) {
			onPorted(rs2, "bridge")
			*stateOf(rs2, "eth8") = InterfaceState{Name: "eth8", Kind: "device", Up: true, Carrier: true}
		}, "link-down", "rs2", ""},
		{"ARP with the VIP", DR(), func(_, _, rs2 *HostState) {
			makeResource(rs2, Sysctl{InterfaceSysctl("all", "arp_announce", false), "0"})
		}, "arp-stale", "", "sysctl -w net.ipv4.conf.eth0.arp_notify=1; ip link set dev eth0 address 02:00:00:00:00:90"},
		{"NAT for a server of DR", DR(), func(d, _, _ *HostState) { d.Services[0].RealServers[1].Mode = NAT() }, "mode-mismatch", "",
			"~ tcp://10.168.0.91:80 -> 10.168.0.95:80 dr weight 1"},
		{"dh with servers of weight 0", DR(), func(d, _, _ *HostState) {
			e := &d.Services[0]
			e.Scheduler, e.RealServers[0].Weight, e.RealServers[1].Weight = DH, 0, 0
		}, "no-server", "", "~ tcp://10.168.0.91:80 -> 10.168.0.94:80 dr weight 1; ~ tcp://10.168.0.91:80 -> 10.168.0.95:80 dr weight 1"},
		{"a tunnel from another director", GRE(), func(_, _, rs2 *HostState) { remote(rs2, "10.168.0.99") }, "tunnel-down", "rs2",
			"ip link set dev gre0 up"},
		{"a tunnel with a key", GRE(), func(_, _, rs2 *HostState) { mine(rs2, "gre0").Keyed = true }, "tunnel-down", "rs2", "modprobe ip_gre; ip link set dev gre0 up"},
		{"a tunnel for packets in their order", GRE(), func(_, _, rs2 *HostState) {
			mine(rs2, "gre0").Ordered = true
			for i, one := range rs2.Resources {
				if l, ok := one.(Link); ok && l.Name == "mine" {
					l.Local = netip.MustParseAddr("10.168.0.95")
					rs2.Resources[i] = l
				}
			}
			rs2.Resources = append(rs2.Resources, vipAddress(vip4, "mine", ""))
		}, "tunnel-down", "rs2", "ip link del dev mine; modprobe ip_gre; ip link set dev gre0 up; ip addr add 10.168.0.91/32 broadcast 10.168.0.91 dev gre0"},
		{"a tunnel for MPLS alone", IPIP(), func(_, _, rs2 *HostState) { mine(rs2, "tunl0").Inner = 137 }, "tunnel-down", "rs2", "modprobe ipip; ip link set dev tunl0 up"},
		{"a tunnel for IPv4 alone", IPIP(), func(_, _, rs2 *HostState) { mine(rs2, "tunl0").Inner = 4 }, "", "", ""},
		{"a tunnel from the director", GRE(), func(_, _, rs2 *HostState) { remote(rs2, "10.168.0.90") }, "", "", ""},
		{"a director without a default route", NAT(), func(d, _, _ *HostState) { lostGateway(d, "10.168.0.1") }, "route-blocked", "", usual},
		{"a director without a default route, and two that could be it", NAT(), func(d, _, _ *HostState) { lostGateway(d, "10.168.0.1", "10.168.0.2") }, "route-blocked", "", ""},
		{"a director with a gateway that is gone", NAT(), func(d, _, _ *HostState) {
			lostGateway(d, "10.168.0.2")
			d.Routes = append(d.Routes, RouteEntry{To: defaultRoute(vip4), Table: 254, Via: netip.MustParseAddr("10.168.0.1"), Interface: "eth0"})
			silentNeighbour(d, "10.168.0.1")
		}, "neighbour-silent", "", "ip route replace default via 10.168.0.2"},
		{"no address", DR(), func(_, _, rs2 *HostState) { withoutAddresses(rs2) }, "address-missing", "rs2",
			"ip addr add 10.168.0.95/24 dev eth0; " + usual},
		{"no address, by NAT", NAT(), func(_, _, rs2 *HostState) { withoutAddresses(rs2) }, "address-missing", "rs2",
			"ip addr add 10.168.0.95/24 dev eth0; ip route replace default via 10.168.0.90"},
		{"another address", DR(), func(d, _, rs2 *HostState) {
			renumbered(rs2, "10.168.0.96/24")
			silentNeighbour(d, "10.168.0.95")
		}, "address-missing", "", "+ tcp://10.168.0.91:80 -> 10.168.0.96:80 dr weight 1; - tcp://10.168.0.91:80 -> 10.168.0.95:80"},
		{"another address, and nothing says that the old one is gone", DR(), func(_, _, rs2 *HostState) { renumbered(rs2, "10.168.0.96/24") }, "", "", ""},
		{"a route of another type for the VIP", DR(), func(_, _, rs2 *HostState) {
			strip(rs2, noAddress, func(r RouteEntry) bool { return r.To == hostPrefix(vip4) && r.Type == "local" })
			rs2.Routes = append(rs2.Routes, RouteEntry{To: hostPrefix(vip4), Table: localRouteTable, Type: "broadcast", Interface: "lo", ByKernel: true})
		}, "vip-missing", "rs2", "ip route prepend local 10.168.0.91 dev lo src 10.168.0.91 table local"},
		{"a macvlan that takes all packets", DR(), func(_, _, rs2 *HostState) {
			*stateOf(rs2, "mv0") = InterfaceState{Name: "mv0", Kind: "macvlan", Below: "eth0", Takes: true}
		}, "link-taken", "rs2", "ip link del dev mv0"},
		{"no question for neighbours", DR(), func(d, _, _ *HostState) {
			silentNeighbour(d, "10.168.0.95")
			makeResource(d, Sysctl{"net.ipv4.neigh.eth0.mcast_solicit", "0"})
		}, "neighbour-silent", "", "sysctl -w net.ipv4.neigh.eth0.mcast_solicit=3"},
		{"no room to wait for the program", DR(), func(_, _, rs2 *HostState) {
			makeResource(rs2, Sysctl{"net.core.somaxconn", "0"})
		}, "backlog", "rs2", "sysctl -w net.core.somaxconn=4096"},
		{"ovf with the weights that servers have when none is given", DR(), func(d, _, _ *HostState) { d.Services[0].Scheduler = OVF }, "capacity", "",
			"~ tcp://10.168.0.91:80 wlc"},
		{"ovf with room for few", DR(), func(d, _, _ *HostState) {
			d.Services[0].Scheduler, d.Services[0].RealServers[1].Weight = OVF, 40
		}, "capacity", "", ""},
		{"ovf with room", DR(), func(d, _, _ *HostState) {
			d.Services[0].Scheduler, d.Services[0].RealServers[1].Weight = OVF, 4000
		}, "", "", ""},
		{"no servers", DR(), func(d, _, _ *HostState) { d.Services[0].RealServers = nil }, "no-server", "",
			"+ tcp://10.168.0.91:80 -> 10.168.0.94:80 dr weight 1; + tcp://10.168.0.91:80 -> 10.168.0.95:80 dr weight 1"},
		{"no servers, and one host that does not listen", DR(), func(d, rs1, _ *HostState) {
			d.Services[0].RealServers, rs1.Listeners = nil, nil
		}, "no-server", "", "+ tcp://10.168.0.91:80 -> 10.168.0.95:80 dr weight 1"},
		{"no servers, and one host that answers ARP", DR(), func(d, _, rs2 *HostState) {
			d.Services[0].RealServers = nil
			makeResource(rs2, Sysctl{InterfaceSysctl("all", "arp_ignore", false), "0"})
		}, "no-server", "", "+ tcp://10.168.0.91:80 -> 10.168.0.94:80 dr weight 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			director, rs1, rs2 := cureGround(t, c.mode)
			c.change(director, rs1, rs2)
			found := slices.DeleteFunc(judgeHosts(*director, nil, nil, []HostState{*rs1, *rs2}).Findings, func(f Finding) bool { return f.Code == FindingPathMTU })
			i := slices.IndexFunc(found, func(f Finding) bool { return string(f.Code) == c.code && f.Host == c.host })
			switch {
			case c.code == "" && len(found) > 0, c.code != "" && i < 0:
				t.Fatalf("found %v, want %q", found, c.code)
			case c.code != "" && fixOf(found[i]) != c.fix:
				t.Errorf("fix %q, want %q", fixOf(found[i]), c.fix)
			}
		})
	}
}

// A director that has lost its service gets it back as the standby has it, and as no other
// director does.
func TestCheckStandIn(t *testing.T) {
	setup := Setup{{Want: Address{Interface: "eth0", Prefix: hostPrefix(vip4)}, Why: "it is the director"}}
	for _, c := range []struct {
		name    string
		standby bool // there is one
		active  bool // and it has the VIP
		changes int
	}{
		{"a standby", true, false, 3},
		{"another active one", true, true, 0},
		{"none", false, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			director, rs1, rs2 := cureGround(t, DR())
			peers := []HostState{*rs1, *rs2}
			_, h := peerHost(t, 92)
			standby := resourcesOfHost(t, h, "standby")
			standby.Services, director.Services = director.Services, nil
			if c.active {
				standby.Resources = append(standby.Resources, vipAddress(vip4, "eth0", ""))
				standby.Routes = append(standby.Routes, RouteEntry{To: hostPrefix(vip4), Table: localRouteTable, Type: "local", Interface: "eth0"})
			}
			if c.standby {
				peers = append(peers, standby)
			}
			found := judgeHosts(*director, setup, []Resource{setup[0].Want}, peers).Findings
			i := slices.IndexFunc(found, func(f Finding) bool { return f.Code == FindingNoService && f.Host == "" })
			if i < 0 || len(found[i].Changes) != c.changes || found[i].Advice == "" {
				t.Errorf("%v", found)
			}
		})
	}
}

// An interface gets IPv6 addresses again once its MTU allows IPv6.
func TestCheckEnabled(t *testing.T) {
	_, rs1, _ := cureGround(t, DR())
	for _, c := range []struct {
		mtu  int
		want Setup
	}{{1500, nil}, {1280, nil}, {1279, Setup{{Want: Link{Name: "eth0", Up: true, MTU: 1500}, Why: "IPv6 needs an MTU of at least 1280"}}}} {
		makeResource(rs1, Link{Name: "eth0", Kind: "device", Up: true, MTU: c.mtu})
		if got := newHostView(*rs1).enableFix("eth0", local6); !slices.Equal(got, c.want) {
			t.Errorf("MTU %d: %s, want %s", c.mtu, got, c.want)
		}
	}
}
