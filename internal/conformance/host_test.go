package conformance

import (
	"context"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs"
)

// This file tests what IPVS shows in files, and accepts by them.

func TestConformanceSysctl(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		h, ctx := g.Host(t), groundContext(t)
		const vs = "net.ipv4.vs."
		for key, want := range map[string]string{
			"am_droprate": "10", "amemthresh": "1024", "backup_only": "0", "cache_bypass": "0", "conn_reuse_mode": "1",
			"conntrack": "0", "drop_entry": "0", "drop_packet": "0", "expire_nodest_conn": "0", "expire_quiescent_template": "0",
			"ignore_tunneled": "0", "nat_icmp_send": "0", "pmtu_disc": "1", "run_estimation": "1", "schedule_icmp": "0",
			"secure_tcp": "0", "sloppy_sctp": "0", "sloppy_tcp": "0", "snat_reroute": "1", "sync_persist_mode": "0",
			"sync_ports": "1", "sync_refresh_period": "0", "sync_retries": "0", "sync_sock_size": "0",
			"sync_threshold": "3\t50", "sync_version": "1",
		} {
			got, err := h.Sysctl(ctx, vs+lvs.SysctlKey(key))
			if err != nil || got != want {
				t.Errorf("%s is %q, %v; want %q", key, got, err, want)
			}
		}
		for _, c := range []struct {
			key, value, then string
			kind             error
		}{
			{"expire_nodest_conn", "1", "1", nil},
			{"expire_nodest_conn", "-7", "-7", nil},
			{"expire_nodest_conn", "0x10", "16", nil},
			{"expire_nodest_conn", "many", "16", lvs.ErrInvalid},
			{"expire_nodest_conn", "99999999999", "16", lvs.ErrInvalid},
			{"expire_nodest_conn", "4294967297", "16", lvs.ErrInvalid}, // 1 in 32 bits
			{"drop_packet", "4", "0", lvs.ErrInvalid},
			{"drop_packet", "4294967297", "0", lvs.ErrInvalid},
			{"secure_tcp", "-1", "0", lvs.ErrInvalid},
			{"sync_ports", "4", "4", nil},
			{"sync_ports", "3", "4", lvs.ErrInvalid},
			{"sync_ports", "0", "4", lvs.ErrInvalid},
			{"sync_version", "2", "1", lvs.ErrInvalid},
			{"sync_retries", "4", "0", lvs.ErrInvalid},
			{"sync_threshold", "2 40", "2\t40", nil},
			{"sync_threshold", "50 40", "2\t40", lvs.ErrInvalid},
			{"sync_threshold", "4294967297 4294967299", "2\t40", lvs.ErrInvalid},
			{"sync_threshold", "50 0", "50\t0", nil},
		} {
			err := h.SetSysctl(ctx, vs+lvs.SysctlKey(c.key), c.value)
			if c.kind == nil {
				must(t, err)
			} else {
				ofKind(t, c.key+"="+c.value, err, c.kind)
			}
			if got, err := h.Sysctl(ctx, vs+lvs.SysctlKey(c.key)); err != nil || got != c.then {
				t.Errorf("after %s=%s it is %q, %v; want %q", c.key, c.value, got, err, c.then)
			}
		}
		const flag = "net.ipv4.conf.lo.send_redirects"
		was, err := h.Sysctl(ctx, flag)
		must(t, err)
		ofKind(t, "a flag of more than 32 bits", h.SetSysctl(ctx, flag, "4294967296"), lvs.ErrInvalid)
		if got, err := h.Sysctl(ctx, flag); err != nil || got != was {
			t.Errorf("%s is %q, %v; want %q", flag, got, err, was)
		}
		_, err = h.Sysctl(ctx, vs+"nosuch")
		ofKind(t, "an unknown key", err, lvs.ErrNotFound)
		ofKind(t, "writing an unknown key", h.SetSysctl(ctx, vs+"nosuch", "1"), lvs.ErrNotFound)
		for _, key := range []lvs.SysctlKey{"", "net..ipv4", "net.ipv4.vs.", "net/../../x", "a/b"} {
			_, err := h.Sysctl(ctx, key)
			ofKind(t, fmt.Sprintf("the key %q", key), err, lvs.ErrInvalid)
		}
		for key, has := range map[string]bool{
			"est_nice": g.Release().AtLeast(6, 2), "conn_lfactor": g.Release().OwnTables(), "conn_max": g.Release().AtLeast(7, 2),
		} {
			if _, err := h.Sysctl(ctx, vs+lvs.SysctlKey(key)); (err == nil) != has {
				t.Errorf("%s of Linux %s: %v", key, g.Release(), err)
			}
		}
	})
}

func TestConformanceConnections(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		h, ctx := g.Host(t), groundContext(t)
		dns := lvs.UDP(netip.MustParseAddrPort("10.1.0.1:53"))
		client := netip.MustParseAddrPort("10.1.0.1:5353")
		server := netip.MustParseAddrPort("10.2.0.2:53")
		must(t, h.Client().Do(ctx, lvs.SetTimeouts(lvs.Timeouts{UDP: 77 * time.Second}),
			lvs.AddService(lvs.Service{ID: dns, Scheduler: lvs.RR, Persistence: lvs.Persistence{Timeout: 99 * time.Second, Mask: lvs.PrefixMask(24)}}),
			lvs.AddRealServer(dns, lvs.NewRealServer(server, lvs.DR()))))
		compareConnections(t, h, nil)
		must(t, g.Datagram(client, dns.AddrPort()))
		compareConnections(t, h, []lvs.Connection{
			{Protocol: lvs.ProtocolUDP, Client: netip.MustParseAddrPort("10.1.0.0:0"), VIP: dns.AddrPort(), Server: server, State: lvs.StateNone, Expires: 99 * time.Second},
			{Protocol: lvs.ProtocolUDP, Client: client, VIP: dns.AddrPort(), Server: server, State: lvs.StateUDP, Expires: 77 * time.Second},
		})
	})
}

// slack is how far apart two readings of one expiry may be: a kernel on a busy
// machine takes seconds for them.
const slack = 20 * time.Second

// compareConnections compares the table, with some slack.
func compareConnections(t *testing.T, h *lvs.Host, want []lvs.Connection) {
	t.Helper()
	got, err := lvs.CollectConnections(h.Connections(groundContext(t), lvs.ConnectionFilter{}))
	must(t, err)
	slices.SortFunc(got, func(a, b lvs.Connection) int { return a.Client.Compare(b.Client) })
	for i := range min(len(got), len(want)) {
		if late := want[i].Expires - got[i].Expires; late.Abs() <= slack {
			got[i].Expires = want[i].Expires
		}
	}
	compare(t, "connections", want, got)
}

// /proc/net/ip_vs writes persistence timeouts in ticks, and how many there are a
// second is the kernel's choice.
var persistentTicks = regexp.MustCompile(`persistent \d+00 `)

func TestConformanceProcServices(t *testing.T) {
	persistence := lvs.Persistence{Timeout: 100 * time.Second, Mask: lvs.PrefixMask(24)}
	persistence6 := lvs.Persistence{Timeout: 100 * time.Second, Mask: lvs.PrefixMask(64)}
	server := lvs.NewRealServer(netip.MustParseAddrPort("10.2.0.8:80"), lvs.NAT())
	server6 := lvs.NewRealServer(netip.MustParseAddrPort("[fd00:1::2]:80"), lvs.IPIP())
	server6.Weight = 7
	for _, c := range []struct {
		service lvs.Service
		server  lvs.RealServer
		want    string
	}{
		{lvs.Service{ID: webID, Scheduler: lvs.WRR}, server, "TCP  0A010001:0050 wrr  \n  -> 0A020008:0050      Masq    1      0          0         \n"},
		{lvs.Service{ID: webID, Scheduler: lvs.WRR, Persistence: persistence}, lvs.NewRealServer(server.Addr, lvs.DR()),
			"TCP  0A010001:0050 wrr  persistent N FFFFFF00\n  -> 0A020008:0050      Route   1      0          0         \n"},
		{lvs.Service{ID: lvs.UDP(webID.AddrPort()), Scheduler: lvs.RR, OnePacket: true}, server, "UDP  0A010001:0050 rr ops  \n  -> 0A020008:0050      Masq    1      0          0         \n"},
		{lvs.Service{ID: web6ID, Scheduler: lvs.RR, Persistence: persistence6}, server6,
			"TCP  [fd00:0001:0000:0000:0000:0000:0000:0001]:0050 rr persistent N 40000000\n  -> [fd00:0001:0000:0000:0000:0000:0000:0002]:0050      Tunnel  7      0          0         \n"},
		{lvs.Service{ID: lvs.FWMark(7), Scheduler: lvs.RR, Persistence: persistence}, lvs.RealServer{Addr: netip.MustParseAddrPort("10.2.0.8:0")},
			"FWM  00000007 rr persistent N FFFFFF00\n  -> 0A020008:0000      Route   0      0          0         \n"},
	} {
		t.Run(c.service.String(), func(t *testing.T) {
			conformOne(t, func(t *testing.T, g ground) {
				h, ctx := g.Host(t), groundContext(t)
				must(t, h.Client().Do(ctx, lvs.AddService(c.service), lvs.AddRealServer(c.service.ID, c.server)))
				lines := strings.SplitAfterN(g.Table(t), "\n", 4)
				head := strings.Join(lines[1:3], "")
				compare(t, "head", "Prot LocalAddress:Port Scheduler Flags\n  -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n", head)
				compare(t, "table", c.want, persistentTicks.ReplaceAllString(lines[3], "persistent N "))
			})
		})
	}
}

// A copy of a ground lists the same, and schedules as the ground would.
func TestConformanceSimulatorFrom(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		h, ctx := g.Host(t), groundContext(t)
		dns := lvs.UDP(netip.MustParseAddrPort("10.1.0.1:53"))
		limited := lvs.NewRealServer(netip.MustParseAddrPort("10.2.0.3:53"), lvs.DR())
		limited.UpperThreshold, limited.LowerThreshold = 10, 5
		must(t, h.Client().Do(ctx, lvs.AddService(lvs.Service{ID: dns, Scheduler: lvs.WLC, Persistence: lvs.Persistence{Timeout: time.Minute}}),
			lvs.AddRealServer(dns, lvs.NewRealServer(netip.MustParseAddrPort("10.2.0.2:53"), lvs.DR())), lvs.AddRealServer(dns, limited),
			lvs.AddService(lvs.Service{ID: lvs.FWMark6(9), Scheduler: lvs.RR}), lvs.AddService(lvs.Service{ID: webID, Scheduler: lvs.SH, SchedulerFlags: lvs.HashFallback})))
		must(t, h.SetSysctl(ctx, "net.ipv4.vs.expire_quiescent_template", "1"))
		for port := range uint16(5) {
			must(t, g.Datagram(netip.AddrPortFrom(dns.AddrPort().Addr(), 5000+port), dns.AddrPort()))
		}
		copied, missed, err := lvs.SimulatorFrom(ctx, h, lvs.SimOptions{})
		must(t, err)
		compare(t, "what is missed", []string{
			"fwmark6://9: where in its round rr stands",
			"udp://10.1.0.1:53 -> 10.2.0.3:53: whether it is still closed since it reached its upper threshold",
		}, missed)
		compare(t, "release", g.Release().String(), kernelOf(copied).Release().String())
		want, err := h.Client().Snapshot(ctx)
		must(t, err)
		got, err := copied.Client().Snapshot(ctx)
		must(t, err)
		compare(t, "table", withoutStats(want.Services), withoutStats(got.Services))
		conns, err := lvs.CollectConnections(h.Connections(ctx, lvs.ConnectionFilter{}))
		must(t, err)
		slices.SortFunc(conns, func(a, b lvs.Connection) int { return a.Client.Compare(b.Client) })
		compareConnections(t, copied.Host(), conns)
		value, err := copied.Host().Sysctl(context.Background(), "net.ipv4.vs.expire_quiescent_template")
		if err != nil || value != "1" {
			t.Errorf("expire_quiescent_template is %q, %v", value, err)
		}
		v, err := copied.Deliver(lvs.SimPacket{Protocol: lvs.ProtocolUDP, Source: netip.AddrPortFrom(dns.AddrPort().Addr(), 6000), Destination: dns.AddrPort()})
		must(t, err)
		if v.Reason != lvs.ReasonPersistence {
			t.Errorf("a client who was there before: %s", v)
		}
	})
}

func withoutStats(all []lvs.ServiceEntry) []lvs.ServiceEntry {
	for i := range all {
		all[i].Stats = lvs.Stats{}
		for j := range all[i].RealServers {
			all[i].RealServers[j].Stats = lvs.Stats{}
		}
	}
	return all
}

// The interfaces as they are now decide which addresses are the director's own, or
// broadcast addresses.
func TestConformanceAddresses(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		h, ctx := g.Host(t), groundContext(t)
		must(t, h.Client().AddService(ctx, lvs.Service{ID: webID, Scheduler: lvs.RR}))
		port := uint16(80)
		refused := func(when, addr string, want bool) {
			t.Helper()
			port++ // a server that was there comes back without questions
			server := lvs.NewRealServer(netip.AddrPortFrom(netip.MustParseAddr(addr), port), lvs.NAT())
			err := h.Client().AddRealServer(ctx, webID, server)
			if want {
				ofKind(t, addr+" "+when, err, lvs.ErrInvalid)
				return
			}
			if err != nil {
				t.Errorf("%s %s: %v", addr, when, err)
			}
			must(t, h.Client().RemoveRealServer(ctx, webID, server.Addr))
		}
		a := lvs.Address{Interface: "d0", Prefix: netip.MustParsePrefix("10.9.0.1/24"), Broadcast: netip.MustParseAddr("10.9.7.7"), Scope: "global"}
		link := lvs.Link{Name: "d0", Kind: "dummy", MTU: 1500}
		up := link
		up.Up = true
		const last, other = "10.9.0.255", "10.9.7.7"
		refused("before", last, false)
		added, raised := put(t, h, link), put(t, h, up)
		addressed := put(t, h, a)
		refused("with the network", last, true)
		refused("as a broadcast address", other, true)
		refused("itself", "10.9.0.1", false)
		undo(t, h, raised)
		refused("while it is down", last, false)
		raised = put(t, h, up)
		refused("when it is up again", last, true)
		undo(t, h, addressed)
		refused("without the address", last, false)
		refused("without the address", other, false)
		undo(t, h, raised)
		undo(t, h, added)
		refused("without the interface", last, false)
	})
}

// put applies a single resource.
func put(t *testing.T, h *lvs.Host, r lvs.Resource) lvs.SetupPlan {
	t.Helper()
	plan, err := h.Plan(groundContext(t), lvs.Setup{{Want: r}})
	must(t, err)
	must(t, h.Apply(groundContext(t), plan))
	return plan
}

func undo(t *testing.T, h *lvs.Host, plan lvs.SetupPlan) {
	t.Helper()
	left, err := h.Undo(groundContext(t), plan)
	if must(t, err); len(left) > 0 {
		t.Fatalf("%v is left", left)
	}
}
