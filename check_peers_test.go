package lvs

import (
	"context"
	"encoding/json"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// peerHost returns a simulated host with an address of each family on eth0.
func peerHost(t testing.TB, number byte, more ...SimInterface) (*Simulator, *Host) {
	t.Helper()
	a4 := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 168, 0, number}), 24)
	b6 := netip.MustParseAddr("2001:db8:1::").As16()
	b6[15] = number/10<<4 | number%10 // 94 is ::94
	eth0 := SimInterface{Name: "eth0", Addresses: []netip.Prefix{a4, netip.PrefixFrom(netip.AddrFrom16(b6), 64)}}
	s, err := NewSimulator(SimOptions{Interfaces: append([]SimInterface{eth0}, more...)})
	if err != nil {
		t.Fatal(err)
	}
	h := s.Host()
	t.Cleanup(func() { h.Close() })
	return s, h
}

// makeSo puts resources on a host, whatever it holds.
func makeSo(t testing.TB, h *Host, all ...Resource) {
	t.Helper()
	for _, f := range all {
		if err := h.put(f); err != nil {
			t.Fatal(err)
		}
	}
}

func setUp(t testing.TB, h *Host, setup Setup, err error) {
	t.Helper()
	var plan SetupPlan
	if err == nil {
		plan, err = h.Plan(context.Background(), setup)
	}
	if err == nil {
		err = h.Apply(context.Background(), plan)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// resourcesOfHost returns a host's state as another host receives it.
func resourcesOfHost(t testing.TB, h *Host, name string) (f HostState) {
	t.Helper()
	state, err := h.State(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	state.Name = name
	text, err := json.Marshal(state)
	if err == nil {
		err = json.Unmarshal(text, &f)
	}
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(state, f) {
		t.Fatalf("by JSON and back:\n%+v\nwant\n%+v", f, state)
	}
	return f
}

// peerCase is a service, and what its two hosts need.
type peerCase struct {
	name    string
	service ServiceID
	mode    Mode
	ipv6    bool // the server's address
	setup   func() (Setup, error)
	modules []string
	breaks  []breakage
}

// breakage is what happens to the real server, and the finding.
type breakage struct {
	is   Resource // put on it
	gone Resource // or removed from it
	code string
}

func TestCheckPeers(t *testing.T) {
	ctx := context.Background()
	web4, web6 := TCP(netip.AddrPortFrom(vip4, 80)), TCP(netip.AddrPortFrom(vip6, 80))
	all := func(name, value string) Sysctl { return Sysctl{InterfaceSysctl("all", name, false), value} }
	on := func(iface, prefix string) Address {
		return Address{Interface: iface, Prefix: netip.MustParsePrefix(prefix), Scope: "global"}
	}
	vipOn := func(vip netip.Addr, iface string) Address { return Address{Interface: iface, Prefix: hostPrefix(vip)} }
	tunnel := func(vip, local netip.Addr, m Mode) func() (Setup, error) {
		return TunnelRealServer{VIP: vip, Mode: m, Local: local}.Setup
	}
	for _, c := range []peerCase{
		{name: "DR", service: web4, setup: DRRealServer{VIP: vip4}.Setup, breaks: []breakage{
			{gone: vipOn(vip4, "lo"), code: "vip-missing"},
			{is: on("lo", "10.168.0.91/24"), code: "vip-mask"},
			{is: all("arp_ignore", "0"), code: "arp-flux"},
			{is: all("arp_announce", "0"), code: "arp-flux"},
			{is: on("eth0", "10.168.0.91/32"), code: "arp-flux"},
		}},
		{name: "DR on a dummy", service: web4, setup: DRRealServer{VIP: vip4, Device: "vip0"}.Setup, breaks: []breakage{
			{gone: vipOn(vip4, "vip0"), code: "vip-missing"},
		}},
		{name: "DR IPv6", service: web6, ipv6: true, setup: DRRealServer{VIP: vip6}.Setup, breaks: []breakage{
			{gone: vipOn(vip6, "lo"), code: "vip-missing"},
			{is: on("eth0", "2001:db8:1::91/128"), code: "arp-flux"},
		}},
		{name: "IPIP", service: web4, mode: IPIP(), setup: tunnel(vip4, local4, IPIP()), breaks: []breakage{
			{gone: vipOn(vip4, "tunl0"), code: "vip-missing"},
			{is: Link{Name: "tunl0", Kind: "ipip", MTU: 1480}, code: "tunnel-down"},
			{is: Sysctl{InterfaceSysctl("tunl0", "rp_filter", false), "1"}, code: "rp-filter"},
			{is: Link{Name: "eth0", Kind: "device", Up: true, MTU: 1400}, code: "path-mtu"},
		}},
		{name: "GUE", service: web4, mode: GUE(6080), setup: tunnel(vip4, local4, GUE(6080)), modules: []string{"fou"}, breaks: []breakage{
			{gone: FOUPort{Port: 6080}, code: "fou-missing"},
			{is: Link{Name: "tunl0", Kind: "ipip", MTU: 1480}, code: "tunnel-down"},
		}},
		{name: "GRE with checksums", service: web6, mode: GRE(TunnelChecksum), setup: tunnel(vip6, local4, GRE(TunnelChecksum)), breaks: []breakage{
			{gone: Link{Name: "lvs-gre", Kind: "gre"}, code: "tunnel-down"},
		}},
		{name: "IPv4 in IPv6", service: web4, mode: IPIP(), ipv6: true, setup: tunnel(vip4, local6, IPIP()), breaks: []breakage{
			{gone: Link{Name: "lvs-tun6", Kind: "ip6tnl"}, code: "tunnel-down"},
		}},
		{name: "NAT", service: TCP(netip.MustParseAddrPort("192.168.0.11:80")), mode: NAT(), setup: NATRealServer{Director: router4}.Setup, breaks: []breakage{
			{gone: Route{To: defaultRoute(vip4), Via: router4}, code: "return-route"},
			{is: Route{To: defaultRoute(vip4), Via: netip.MustParseAddr("10.168.0.1")}, code: "return-route"},
		}},
	} {
		for _, b := range append([]breakage{{}}, c.breaks...) {
			t.Run(c.name+" "+b.code, func(t *testing.T) {
				_, director := peerHost(t, 90, SimInterface{Name: "eth1", Addresses: []netip.Prefix{netip.MustParsePrefix("192.168.0.11/24")}})
				s, rs := peerHost(t, 94)
				for _, m := range c.modules {
					s.LoadModule(m)
				}
				makeSo(t, director, Link{Name: "eth0", Kind: "device", Up: true, MTU: 1600})
				makeSo(t, rs, Link{Name: "eth0", Kind: "device", Up: true, MTU: 1600})
				if c.mode == NAT() {
					makeSo(t, director, Sysctl{SysctlIPForward, "1"})
				} else {
					setup, err := DRDirector{VIP: c.service.AddrPort().Addr(), Interface: "eth0"}.Setup()
					setUp(t, director, setup, err)
				}
				setup, err := c.setup()
				setUp(t, rs, setup, err)
				local := local4
				if c.ipv6 {
					local = local6
				}
				must(t, director.Client().Do(ctx, AddService(Service{ID: c.service, Scheduler: RR}),
					AddRealServer(c.service, NewRealServer(netip.AddrPortFrom(local, 80), c.mode))))
				if b.is != nil {
					makeSo(t, rs, b.is)
				}
				if b.gone != nil {
					must(t, rs.remove(b.gone))
				}
				checkPeers(t, director, b.code, "rs", resourcesOfHost(t, director, ""), resourcesOfHost(t, rs, "rs"))
				checkPeers(t, rs, b.code, "", resourcesOfHost(t, director, "director")) // the same from the other end
			})
		}
	}
}

// checkPeers expects findings of one code about a host or, without a code, none.
func checkPeers(t *testing.T, h *Host, code, host string, peers ...HostState) {
	t.Helper()
	report, err := h.Check(context.Background(), CheckOptions{Peers: peers})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Findings {
		if code == "tunnel-down" && f.Code == FindingVIPMissing {
			continue // it went with the device
		}
		if code == "arp-flux" && f.Code == FindingARPStale {
			continue // and neighbours have wrong entries
		}
		if string(f.Code) != code || f.Host != host || !strings.Contains(f.String(), host) {
			t.Errorf("found %+v, want %q on %q", f, code, host)
		}
		if len(f.Fix) == 0 && f.Advice == "" {
			t.Errorf("nothing says how to fix %s", f)
		}
	}
	if code != "" && len(report.Findings) == 0 {
		t.Errorf("nothing found, want %s", code)
	}
	for _, f := range report.Unchecked {
		if f.Code == FindingServerOrder || f.Code == FindingRealServer || f.Code == FindingPathMTU || f.Code == FindingReturnRoute {
			t.Errorf("the peers show %s, but it is unchecked: %s", f.Code, f.Advice)
		}
	}
	for _, code := range []string{"arp-other", "routers"} { // of machines that are not peers
		if !slices.Contains(codes(report.Unchecked), code) {
			t.Errorf("%s is not listed as unchecked", code)
		}
	}
}

// A real server whose state is missing is listed as unchecked.
func TestCheckAbsentServer(t *testing.T) {
	ctx := context.Background()
	_, director := peerHost(t, 94)
	web := TCP(netip.MustParseAddrPort("10.168.0.94:80"))
	must(t, director.Client().Do(ctx, AddService(Service{ID: web, Scheduler: MH}),
		AddRealServer(web, NewRealServer(netip.MustParseAddrPort("10.168.0.95:80"), DR()))))
	_, other := peerHost(t, 96)
	for _, peers := range [][]HostState{nil, {resourcesOfHost(t, other, "other")}} {
		report, err := director.Check(ctx, CheckOptions{Peers: peers})
		if err != nil || len(report.Findings) != 0 {
			t.Fatalf("%v: %v", err, report.Findings)
		}
		unchecked := codes(report.Unchecked)
		for _, code := range []string{"real-server", "arp-other", "server-order", "clients-behind-nat"} {
			if !slices.Contains(unchecked, code) {
				t.Errorf("%s is not listed as unchecked: %q", code, unchecked)
			}
		}
	}
}

// Two directors that hash must list the same servers in the same order.
func TestCheckDirectors(t *testing.T) {
	ctx := context.Background()
	web := TCP(netip.AddrPortFrom(vip4, 80))
	servers := []RealServer{NewRealServer(netip.MustParseAddrPort("10.168.0.94:80"), NAT()), NewRealServer(netip.MustParseAddrPort("10.168.0.95:80"), NAT())}
	heavy := servers[1]
	heavy.Weight = 7
	for _, c := range []struct {
		name    string
		theirs  Service
		servers []RealServer
		sloppy  string
		vip     bool // the other one answers ARP for the VIP, too
		want    []string
	}{
		{"alike", Service{ID: web, Scheduler: MH}, servers, "1", false, nil},
		{"another order", Service{ID: web, Scheduler: MH}, []RealServer{servers[1], servers[0]}, "1", false, []string{"server-order"}},
		{"another weight", Service{ID: web, Scheduler: MH}, []RealServer{servers[0], heavy}, "1", false, []string{"server-order"}},
		{"another scheduler", Service{ID: web, Scheduler: SH}, servers, "1", false, []string{"server-order"}},
		{"strict", Service{ID: web, Scheduler: MH}, servers, "0", false, []string{"backup-strict"}},
		{"both have the VIP", Service{ID: web, Scheduler: MH}, servers, "1", true, []string{"arp-other"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, ours := peerHost(t, 90)
			_, theirs := peerHost(t, 92)
			makeSo(t, ours, vipAddress(vip4, "eth0", ""), Sysctl{SysctlIPForward, "1"}, Sysctl{SysctlSloppyTCP, c.sloppy})
			if c.vip {
				makeSo(t, theirs, vipAddress(vip4, "eth0", ""))
			}
			fill := func(h *Host, s Service, servers []RealServer) {
				must(t, h.Client().Do(ctx, AddService(s)))
				for _, r := range servers {
					must(t, h.Client().Do(ctx, AddRealServer(s.ID, r)))
				}
			}
			fill(ours, Service{ID: web, Scheduler: MH}, servers)
			fill(theirs, c.theirs, c.servers)
			report, err := ours.Check(ctx, CheckOptions{Peers: []HostState{resourcesOfHost(t, theirs, "other")}})
			if err != nil || !slices.Equal(codes(report.Findings), c.want) {
				t.Errorf("%v: %v, want %q", err, report.Findings, c.want)
			}
		})
	}
}

// From the connections it is known that NAT clients are in the server's network, or that the
// server answers them another way.
func TestCheckPeersClients(t *testing.T) {
	ctx := context.Background()
	web := UDP(netip.MustParseAddrPort("192.168.0.11:53"))
	for _, c := range []struct{ client, code string }{
		{"192.168.0.201:1000", ""}, {"10.168.0.201:1000", "same-subnet"}, {"203.0.113.1:1000", "return-route"},
	} {
		t.Run(c.client, func(t *testing.T) {
			s, director := peerHost(t, 90, SimInterface{Name: "eth1", Addresses: []netip.Prefix{netip.MustParsePrefix("192.168.0.11/24")}})
			_, rs := peerHost(t, 94)
			makeSo(t, director, Sysctl{SysctlIPForward, "1"}, Sysctl{SysctlExpireNoDestConn, "1"})
			makeSo(t, rs, Route{To: netip.MustParsePrefix("192.168.0.0/24"), Via: router4})
			must(t, director.Client().Do(ctx, AddService(Service{ID: web, Scheduler: RR}),
				AddRealServer(web, NewRealServer(netip.MustParseAddrPort("10.168.0.94:53"), NAT()))))
			_, err := s.Deliver(SimPacket{Protocol: ProtocolUDP, Source: netip.MustParseAddrPort(c.client), Destination: web.AddrPort()})
			must(t, err)
			checkPeers(t, director, c.code, "rs", resourcesOfHost(t, rs, "rs"))
		})
	}
}

// With full NAT a real server needs no route through the director.
func TestCheckPeersFullNAT(t *testing.T) {
	ctx := context.Background()
	web := TCP(netip.AddrPortFrom(vip4, 80))
	_, director := peerHost(t, 90)
	_, rs := peerHost(t, 94)
	setup, err := NATDirector{VIP: vip4, Interface: "eth0", Network: inner4, FullNAT: true}.Setup()
	setUp(t, director, setup, err)
	must(t, director.Client().Do(ctx, AddService(Service{ID: web, Scheduler: RR}), AddRealServer(web, NewRealServer(netip.MustParseAddrPort("10.168.0.94:80"), NAT()))))
	state := resourcesOfHost(t, rs, "rs")
	for _, c := range []struct {
		setup     Setup
		unchecked bool
	}{{setup, false}, {nil, false}} { // the rule shows in the firewall
		report, err := director.Check(ctx, CheckOptions{Setup: c.setup, Peers: []HostState{state}})
		if err != nil || len(report.Findings) != 0 || slices.Contains(codes(report.Unchecked), "return-route") != c.unchecked {
			t.Errorf("%v: %v, unchecked %q", err, report.Findings, codes(report.Unchecked))
		}
	}
}

// A tunnel with a small MTU is healthy with an MSS that fits.
func TestCheckPeersSegments(t *testing.T) {
	ctx := context.Background()
	web := TCP(netip.AddrPortFrom(vip4, 80))
	for mss, code := range map[int]string{0: "path-mtu", 1460: "path-mtu", 1440: ""} {
		_, director := peerHost(t, 90)
		_, rs := peerHost(t, 94)
		setup, err := DRDirector{VIP: vip4, Interface: "eth0"}.Setup()
		setUp(t, director, setup, err)
		setup, err = TunnelRealServer{VIP: vip4, Mode: IPIP(), Local: local4, MSS: mss, Gateway: router4, Interface: "eth0"}.Setup()
		setUp(t, rs, setup, err)
		must(t, director.Client().Do(ctx, AddService(Service{ID: web, Scheduler: RR}), AddRealServer(web, NewRealServer(netip.MustParseAddrPort("10.168.0.94:80"), IPIP()))))
		checkPeers(t, director, code, "rs", resourcesOfHost(t, rs, "rs"))
	}
}
