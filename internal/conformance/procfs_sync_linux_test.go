package conformance

import (
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/golvs/lvs"

	"github.com/golvs/lvs/internal/testbed"
	"github.com/vishvananda/netlink"
)

// wireGrounds are two namespaces that are joined by a wire.
func wireGrounds(t *testing.T) (a, b *kernelGround) {
	t.Helper()
	testbed.InKernel(t)
	const name = "wire0"
	a, b = openKernelGround(t).(*kernelGround), openKernelGround(t).(*kernelGround)
	must(t, a.ns.Do(func() error {
		return netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name}, PeerName: name, PeerNamespace: netlink.NsFd(b.ns.File.Fd())})
	}))
	for i, g := range []*kernelGround{a, b} {
		g.ns.Run("ip", "addr", "add", []string{"10.9.0.1/24", "10.9.0.2/24"}[i], "dev", name)
		g.ns.Run("ip", "link", "set", name, "up")
	}
	for i, g := range []*kernelGround{a, b} {
		role := []lvs.SyncRole{lvs.SyncMaster, lvs.SyncBackup}[i]
		must(t, groundClient(t, g).StartSyncDaemon(groundContext(t), lvs.SyncDaemon{Role: role, Interface: name, SyncID: 7}))
		t.Cleanup(dialRaw(t, g.Dial).stopDaemons)
	}
	return a, b
}

// A backup director lists what its sync daemon received, by origin, with templates and
// the data of engines.
func TestConnectionsSynced(t *testing.T) {
	master, backup := wireGrounds(t)
	hosts := []*lvs.Host{master.Host(t), backup.Host(t)}
	ctx := groundContext(t)
	vip, vip6 := netip.MustParseAddr("10.1.0.1"), netip.MustParseAddr("fd00:1::1")
	dns6, sip, web := lvs.UDP(netip.AddrPortFrom(vip6, 53)), lvs.UDP(netip.AddrPortFrom(vip, 5060)), lvs.UDP(netip.AddrPortFrom(vip, 443))
	persistence := lvs.Persistence{Timeout: time.Minute, Mask: lvs.PrefixMask(24)}
	for _, h := range hosts {
		must(t, h.Client().Do(ctx,
			lvs.AddService(lvs.Service{ID: dns6, Scheduler: lvs.RR}), lvs.AddRealServer(dns6, lvs.NewRealServer(addrAt("[fd00:1::2]:53"), lvs.DR())),
			lvs.AddService(lvs.Service{ID: web, Scheduler: lvs.RR, Persistence: persistence}), lvs.AddRealServer(web, lvs.NewRealServer(addrAt("10.2.0.2:443"), lvs.DR())),
			lvs.AddService(lvs.Service{ID: sip, Scheduler: lvs.RR, Persistence: lvs.Persistence{Timeout: time.Minute, Engine: "sip"}}),
			lvs.AddRealServer(sip, lvs.NewRealServer(addrAt("10.2.0.4:5060"), lvs.DR()))))
	}
	missing := map[string]func(lvs.Connection) bool{
		"a connection by IPv6": func(c lvs.Connection) bool {
			return c.VIP == dns6.AddrPort() && c.Server == addrAt("[fd00:1::2]:53") && !c.IsTemplate()
		},
		"a connection": func(c lvs.Connection) bool { return c.VIP == web.AddrPort() && c.State == lvs.StateUDP },
		"a template": func(c lvs.Connection) bool {
			return c.VIP == web.AddrPort() && c.IsTemplate() && c.Client == addrAt("10.1.0.0:0")
		},
		"a template of sip": func(c lvs.Connection) bool { return c.VIP == sip.AddrPort() && c.IsTemplate() },
	}
	// The daemon sends a connection at its third packet. What it sends before the wire
	// is up is lost, so there are new connections until all have come.
	for port := uint16(5000); len(missing) > 0 && ctx.Err() == nil; port++ {
		for _, to := range []lvs.ServiceID{dns6, web, sip} {
			must(t, datagrams(master, 3, netip.AddrPortFrom(to.AddrPort().Addr(), port), to.AddrPort()))
		}
		time.Sleep(200 * time.Millisecond)
		for c, err := range hosts[1].Connections(ctx, lvs.ConnectionFilter{Origin: lvs.OriginSync}) {
			must(t, err)
			for what, is := range missing {
				if is(c) {
					delete(missing, what)
				}
			}
		}
	}
	for what := range missing {
		t.Errorf("%s is missing", what)
	}
	capture(t, backup, "ip_vs_conn", "ip_vs_conn_sync")
	count := func(h *lvs.Host, f lvs.ConnectionFilter) int {
		t.Helper()
		all, err := lvs.CollectConnections(h.Connections(ctx, f))
		must(t, err)
		return len(all)
	}
	if n := count(hosts[1], lvs.ConnectionFilter{Origin: lvs.OriginLocal}); n != 0 {
		t.Errorf("%d connections of the backup are its own", n)
	}
	if n := count(hosts[0], lvs.ConnectionFilter{Origin: lvs.OriginSync}); n != 0 {
		t.Errorf("%d connections of the master are from others", n)
	}
	if n := count(hosts[1], lvs.ConnectionFilter{Service: web, Client: netip.MustParsePrefix("10.1.0.77/32")}); n != 1 {
		t.Errorf("%d entries of another client in the template's network, want the template", n)
	}
	withData, err := lvs.CollectConnections(hosts[1].Connections(ctx, lvs.ConnectionFilter{Service: sip}))
	must(t, err)
	if !slices.ContainsFunc(withData, func(c lvs.Connection) bool { return c.Engine == "sip" && c.Data == syncedCall }) {
		t.Errorf("the data of the engine is missing in %+v", withData)
	}
}

const syncedCall = "4711-b@example.com"

// datagrams sends some from one socket, each of which also begins a call of SIP.
func datagrams(g *kernelGround, n int, from, to netip.AddrPort) error {
	return g.ns.Do(func() error {
		conn, err := net.DialUDP("udp", net.UDPAddrFromAddrPort(from), net.UDPAddrFromAddrPort(to))
		if err != nil {
			return err
		}
		defer conn.Close()
		for range n {
			if _, err := conn.Write([]byte("INVITE sip:a@b SIP/2.0\r\nCall-ID: " + syncedCall + "\r\nContent-Length: 0\r\n\r\n")); err != nil {
				return err
			}
		}
		return nil
	})
}
