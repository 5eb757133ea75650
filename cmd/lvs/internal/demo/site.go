package demo

import (
	"context"
	"net/netip"
	"time"

	"github.com/golvs/lvs"
)

// The services of the site.
var (
	web      = lvs.MustParseServiceID("tcp://10.168.0.91:80")
	secure   = lvs.MustParseServiceID("tcp://10.168.0.91:443")
	database = lvs.MustParseServiceID("tcp://10.168.0.92:5432")
	names    = lvs.MustParseServiceID("udp://10.168.0.92:53")
	files    = lvs.MustParseServiceID("tcp://10.168.0.93:8080")
	web6     = lvs.MustParseServiceID("tcp://[2001:db8:a8::91]:80")
	marked   = lvs.MustParseServiceID("fwmark://7")
	signals  = lvs.MustParseServiceID("sctp://10.168.0.93:2905")
	mail     = lvs.MustParseServiceID("tcp://10.168.0.99:25") // the director does not have its VIP
)

// markedVIP is where clients of the service with a firewall mark connect to.
var markedVIP = netip.MustParseAddr("10.168.0.98")

// leaving is the real server that is being drained.
var leaving = netip.MustParseAddrPort("10.168.0.97:80")

// interfaces are those of the director: to the clients, who are behind a router, and to
// the real servers of NAT.
func interfaces() []lvs.SimInterface {
	prefixes := func(all ...string) (p []netip.Prefix) {
		for _, s := range all {
			p = append(p, netip.MustParsePrefix(s))
		}
		return p
	}
	return []lvs.SimInterface{
		{Name: "eth0", Addresses: prefixes("10.168.0.90/24", "2001:db8:a8::90/64")},
		{Name: "eth1", Addresses: prefixes("172.16.0.1/24")},
	}
}

// setUp makes the director of the site.
func setUp(ctx context.Context, sim *lvs.Simulator, host *lvs.Host) error {
	setup, err := directorSetup()
	if err != nil {
		return err
	}
	for _, name := range []string{"ip_vs", "ip_vs_wrr", "ip_vs_wlc", "ip_vs_lc", "ip_vs_sh", "ip_vs_mh", "ip_vs_rr", "ipip"} {
		sim.LoadModule(name)
	}
	plan, err := host.Plan(ctx, setup)
	if err != nil {
		return err
	}
	if err := host.Apply(ctx, plan); err != nil {
		return err
	}
	client := host.Client()
	if err := client.SetTimeouts(ctx, lvs.Timeouts{TCP: 15 * time.Minute, TCPFin: 30 * time.Second, UDP: 2 * time.Minute}); err != nil {
		return err
	}
	tables, err := client.PlanTable(ctx, table(), lvs.TableOptions{})
	if err != nil {
		return err
	}
	_, err = client.ApplyTable(ctx, tables, lvs.ApplyOptions{})
	return err
}

// directorSetup returns what the director needs, but for the VIP of the mail service.
func directorSetup() (lvs.Setup, error) {
	gateway := netip.MustParseAddr("10.168.0.1")
	all := lvs.Setup{
		{Want: lvs.Route{To: netip.MustParsePrefix("0.0.0.0/0"), Via: gateway}, Why: "clients are behind the router"},
		{Want: lvs.Route{To: netip.MustParsePrefix("::/0"), Via: netip.MustParseAddr("2001:db8:a8::1")}, Why: "clients are behind the router"},
	}
	for _, part := range []interface{ Setup() (lvs.Setup, error) }{
		lvs.DRDirector{VIP: web.AddrPort().Addr(), Interface: "eth0"},
		lvs.NATDirector{VIP: database.AddrPort().Addr(), Interface: "eth0", Inside: "eth1"},
		lvs.TunnelDirector{VIP: files.AddrPort().Addr(), Interface: "eth0", Servers: []netip.Addr{
			netip.MustParseAddr("10.20.0.11"), netip.MustParseAddr("10.20.0.12")}, Via: gateway},
		lvs.DRDirector{VIP: web6.AddrPort().Addr(), Interface: "eth0"},
		lvs.DRDirector{VIP: markedVIP, Interface: "eth0", Label: "eth0:mark", Marks: []lvs.PacketMark{{Mark: marked.FWMark()}}},
	} {
		setup, err := part.Setup()
		if err != nil {
			return nil, err
		}
		all = append(all, setup...)
	}
	return all, nil
}
