package conformance

import (
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/golvs/lvs"

	"github.com/google/go-cmp/cmp"
)

// Every field of a service is read as it was written.
func TestConformanceServiceRoundTrip(t *testing.T) {
	services := []lvs.Service{
		{ID: webID, Scheduler: lvs.WLC},
		{ID: web6ID, Scheduler: lvs.RR},
		{ID: dnsID, Scheduler: lvs.RR, OnePacket: true},
		{ID: sctpID, Scheduler: lvs.LC},
		{ID: lvs.FWMark(7), Scheduler: lvs.RR},
		{ID: lvs.FWMark6(7), Scheduler: lvs.RR},
		{ID: lvs.FWMark(math.MaxUint32), Scheduler: lvs.RR, OnePacket: true},
		{ID: lvs.FWMark6(1 << 31), Scheduler: lvs.RR, Persistence: lvs.Persistence{Timeout: time.Second, Mask: lvs.PrefixMask(64)}},
		{ID: lvs.TCP(netip.MustParseAddrPort("10.1.0.1:65535")), Scheduler: lvs.NoScheduler},
		{ID: lvs.TCP(netip.MustParseAddrPort("10.1.0.1:0")), Scheduler: lvs.SH, Persistence: lvs.Persistence{Timeout: time.Minute}},
		{ID: lvs.TCP(netip.MustParseAddrPort("[fd00:1::1]:0")), Scheduler: lvs.SH, Persistence: lvs.Persistence{Timeout: time.Minute}},
		{ID: webID, Scheduler: lvs.SH, SchedulerFlags: lvs.HashFallback},
		{ID: webID, Scheduler: lvs.MH, SchedulerFlags: lvs.HashPort},
		{ID: webID, Scheduler: lvs.MH, SchedulerFlags: lvs.HashFallback | lvs.HashPort | flag3},
		{ID: webID, Scheduler: lvs.RR, SchedulerFlags: 0xdeadbec0},
		{ID: webID, Scheduler: lvs.RR, Persistence: lvs.Persistence{Timeout: lvs.MaxPersistence}},
		{ID: webID, Scheduler: lvs.RR, Persistence: lvs.Persistence{Timeout: 5 * time.Minute, Mask: lvs.PrefixMask(24)}},
		{ID: webID, Scheduler: lvs.RR, Persistence: lvs.Persistence{Timeout: 5 * time.Minute, Mask: lvs.PrefixMask(0)}},
		{ID: webID, Scheduler: lvs.RR, Persistence: lvs.Persistence{Timeout: 5 * time.Minute, Mask: lvs.DottedMask([4]byte{255, 0, 255, 1})}},
		{ID: web6ID, Scheduler: lvs.RR, Persistence: lvs.Persistence{Timeout: 5 * time.Minute, Mask: lvs.PrefixMask(1)}},
		{ID: web6ID, Scheduler: lvs.RR, Persistence: lvs.Persistence{Timeout: 5 * time.Minute, Mask: lvs.PrefixMask(127)}},
		{ID: dnsID, Scheduler: lvs.RR, Persistence: lvs.Persistence{Timeout: time.Hour, Mask: lvs.PrefixMask(8), Engine: "sip"}, OnePacket: true},
	}
	for _, name := range []lvs.Scheduler{lvs.RR, lvs.WRR, lvs.LC, lvs.WLC, lvs.SED, lvs.NQ, lvs.FO, lvs.OVF, lvs.LBLC, lvs.LBLCR, lvs.DH, lvs.SH, lvs.MH, lvs.NoScheduler} {
		services = append(services, lvs.Service{ID: webID, Scheduler: name})
	}
	conformOne(t, func(t *testing.T, g ground) {
		c, ctx := groundClient(t, g), groundContext(t)
		for _, s := range services {
			must(t, c.AddService(ctx, s))
			got, err := c.Service(ctx, s.ID)
			must(t, err)
			if diff := cmp.Diff(lvs.ServiceStatus{Service: s}, got, exactly); diff != "" {
				t.Errorf("%s is added (-want +got)\n%s", s, diff)
			}
			// The same by an update, from a service that has everything else.
			other := lvs.Service{ID: s.ID, Scheduler: s.Scheduler, SchedulerFlags: flag3, Persistence: lvs.Persistence{Timeout: time.Minute, Mask: lvs.PrefixMask(9)}}
			must(t, c.UpdateService(ctx, other))
			must(t, c.UpdateService(ctx, s))
			all, err := c.Services(ctx)
			must(t, err)
			if diff := cmp.Diff([]lvs.ServiceStatus{{Service: s}}, all, exactly); diff != "" {
				t.Errorf("%s is updated (-want +got)\n%s", s, diff)
			}
			must(t, c.RemoveService(ctx, s.ID))
		}
	})
}

// Values that mean the same are written the same.
func TestConformanceServiceNormalForms(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		c, ctx := groundClient(t, g), groundContext(t)
		minute := lvs.Persistence{Timeout: time.Minute}
		for _, s := range []struct{ given, want lvs.Service }{
			{lvs.Service{ID: webID}, lvs.Service{ID: webID, Scheduler: lvs.WLC}},
			{
				lvs.Service{ID: lvs.TCP(netip.MustParseAddrPort("[::ffff:10.1.0.1]:80")), Scheduler: lvs.RR},
				lvs.Service{ID: webID, Scheduler: lvs.RR},
			},
			{
				lvs.Service{ID: webID, Scheduler: lvs.RR, Persistence: lvs.Persistence{Timeout: time.Minute, Mask: lvs.PrefixMask(32)}},
				lvs.Service{ID: webID, Scheduler: lvs.RR, Persistence: minute},
			},
			{
				lvs.Service{ID: webID, Scheduler: lvs.RR, Persistence: lvs.Persistence{Timeout: time.Minute, Mask: lvs.DottedMask([4]byte{255, 255, 255, 255})}},
				lvs.Service{ID: webID, Scheduler: lvs.RR, Persistence: minute},
			},
			{
				lvs.Service{ID: web6ID, Scheduler: lvs.RR, Persistence: lvs.Persistence{Timeout: time.Minute, Mask: lvs.PrefixMask(128)}},
				lvs.Service{ID: web6ID, Scheduler: lvs.RR, Persistence: minute},
			},
		} {
			must(t, c.AddService(ctx, s.given))
			all, err := c.Services(ctx)
			must(t, err)
			if diff := cmp.Diff([]lvs.ServiceStatus{{Service: s.want}}, all, exactly); diff != "" {
				t.Errorf("%s (-want +got)\n%s", s.given, diff)
			}
			must(t, c.RemoveService(ctx, s.want.ID))
		}
	})
}

// Every field of a server is read as it was written, and the servers in the order in
// which they were added.
func TestConformanceServerRoundTrip(t *testing.T) {
	addr := netip.MustParseAddrPort
	tables := map[lvs.ServiceID][]lvs.RealServer{
		webID: {
			{Addr: addr("10.2.0.9:80"), Weight: 1},
			{Addr: addr("10.2.0.8:80"), Mode: lvs.NAT(), Weight: 0},
			{Addr: addr("10.2.0.8:8080"), Mode: lvs.NAT(), Weight: math.MaxInt32},
			{Addr: addr("10.2.0.7:80"), Mode: lvs.IPIP(), Weight: 65536},
			{Addr: addr("10.2.0.6:80"), Mode: lvs.GUE(6080), Weight: 1},
			{Addr: addr("10.2.0.5:80"), Mode: lvs.GUE(65535, lvs.TunnelChecksum), Weight: 1},
			{Addr: addr("10.2.0.4:80"), Mode: lvs.GUE(1, lvs.TunnelRemoteChecksum), Weight: 1},
			{Addr: addr("10.2.0.10:80"), Mode: lvs.GRE(), Weight: 1},
			{Addr: addr("10.2.0.3:80"), Mode: lvs.GRE(lvs.TunnelChecksum), Weight: 1},
			{Addr: addr("10.2.0.20:80"), Weight: 1, UpperThreshold: math.MaxInt32, LowerThreshold: math.MaxInt32},
			{Addr: addr("10.2.0.21:80"), Weight: 1, UpperThreshold: 10},
			{Addr: addr("10.2.0.22:80"), Weight: 1, UpperThreshold: 10, LowerThreshold: 1},
			{Addr: addr("127.0.0.1:80"), Mode: lvs.NAT(), Weight: 1},
			{Addr: addr("[fd00:1::2]:80"), Mode: lvs.IPIP(), Weight: 1},
			{Addr: addr("[fd00:1::3]:80"), Mode: lvs.GUE(6080), Weight: 1},
			{Addr: addr("[fd00:1::4]:80"), Mode: lvs.GRE(), Weight: 1},
		},
		web6ID: {
			{Addr: addr("[fd00:1::9]:80"), Weight: 1},
			{Addr: addr("[fd00:1::8]:8080"), Mode: lvs.NAT(), Weight: 1},
			{Addr: addr("[fd00:1::7]:80"), Mode: lvs.IPIP(), Weight: 1},
			{Addr: addr("10.2.0.2:80"), Mode: lvs.IPIP(), Weight: 1},
			{Addr: addr("10.2.0.3:80"), Mode: lvs.GUE(6080, lvs.TunnelChecksum), Weight: 1},
			{Addr: addr("[::1]:80"), Mode: lvs.NAT(), Weight: 1},
		},
		lvs.FWMark(7):  {{Addr: addr("10.2.0.2:0"), Weight: 1}, {Addr: addr("10.2.0.3:8080"), Mode: lvs.NAT(), Weight: 2}},
		lvs.FWMark6(7): {{Addr: addr("[fd00:1::2]:0"), Weight: 1}, {Addr: addr("10.2.0.2:0"), Mode: lvs.IPIP(), Weight: 2}},
	}
	conformOne(t, func(t *testing.T, g ground) {
		c, ctx := groundClient(t, g), groundContext(t)
		for id, servers := range tables {
			changes := []lvs.Change{lvs.AddService(lvs.Service{ID: id})}
			var want []lvs.RealServerStatus
			for _, s := range servers {
				changes = append(changes, lvs.AddRealServer(id, s))
				want = append(want, lvs.RealServerStatus{RealServer: s})
			}
			must(t, c.Do(ctx, changes...))
			compareServers(t, c, id, want)

			// Every server is replaced by what the next one is, in its place.
			for i := range want {
				next := servers[(i+1)%len(servers)]
				if next.Addr.Addr().Is4() != want[i].Addr.Addr().Is4() || next.Addr.Port() != want[i].Addr.Port() {
					continue
				}
				next.Addr = want[i].Addr
				want[i].RealServer = next
				must(t, c.UpdateRealServer(ctx, id, next))
			}
			compareServers(t, c, id, want)

			for _, s := range servers {
				must(t, c.RemoveRealServer(ctx, id, s.Addr))
			}
			compareServers(t, c, id, nil)
		}
	})
}

func compareServers(t *testing.T, c *lvs.Client, id lvs.ServiceID, want []lvs.RealServerStatus) {
	t.Helper()
	got, err := c.RealServers(groundContext(t), id)
	must(t, err)
	if len(got) == 0 && len(want) == 0 {
		return
	}
	if diff := cmp.Diff(want, got, exactly); diff != "" {
		t.Errorf("the servers of %s (-want +got)\n%s", id, diff)
	}
	for _, s := range want {
		got, err := c.RealServer(groundContext(t), id, s.Addr)
		must(t, err)
		if diff := cmp.Diff(s, got, exactly); diff != "" {
			t.Errorf("the server %s (-want +got)\n%s", s.Addr, diff)
		}
	}
}

// A server that is removed and added again is the last; an IPv4 address that is
// mapped into IPv6 is an IPv4 one.
func TestConformanceServersInOrder(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		c, ctx := groundClient(t, g), groundContext(t)
		must(t, c.AddService(ctx, lvs.Service{ID: webID}))
		var want []lvs.RealServerStatus
		for i := range 500 {
			s := lvs.NewRealServer(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, byte(1 + i/200), byte(1 + i%200)}), 80), lvs.DR())
			want = append(want, lvs.RealServerStatus{RealServer: s})
			must(t, c.AddRealServer(ctx, webID, s))
		}
		again := want[7]
		mapped := netip.AddrPortFrom(netip.AddrFrom16(again.Addr.Addr().As16()), 80)
		must(t, c.Do(ctx, lvs.RemoveRealServer(webID, mapped), lvs.AddRealServer(webID, lvs.NewRealServer(mapped, lvs.DR()))))
		want = append(append(want[:7:7], want[8:]...), again)
		got, err := c.RealServers(ctx, webID)
		must(t, err)
		if diff := cmp.Diff(want, got, exactly); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}

func TestConformanceTimeouts(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		c, ctx := groundClient(t, g), groundContext(t)
		want := lvs.Timeouts{TCP: 15 * time.Minute, TCPFin: 2 * time.Minute, UDP: 5 * time.Minute}
		check := func() {
			t.Helper()
			got, err := c.Timeouts(ctx)
			must(t, err)
			compare(t, "timeouts", want, got)
		}
		check()
		must(t, c.SetTimeouts(ctx, lvs.Timeouts{TCPFin: 7 * time.Second}))
		want.TCPFin = 7 * time.Second
		check()
		want = lvs.Timeouts{TCP: 31 * 24 * time.Hour / 2, TCPFin: time.Second, UDP: time.Hour}
		must(t, c.SetTimeouts(ctx, want))
		check()
	})
}

func TestConformanceInfo(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		c, ctx := groundClient(t, g), groundContext(t)
		want := lvs.Info{Version: "1.2.1", ConnTableSize: 4096}
		if g.Release().OwnTables() {
			want.ConnTableSize = 0
		}
		got, err := c.Info(ctx)
		must(t, err)
		compare(t, "info of an empty table", want, got)
		must(t, c.AddService(ctx, lvs.Service{ID: webID}))
		got, err = c.Info(ctx)
		must(t, err)
		if got.Version != "1.2.1" || got.ConnTableSize < 256 {
			t.Errorf("info is %+v", got)
		}
	})
}

func TestConformanceDaemons(t *testing.T) {
	master := lvs.SyncDaemon{Role: lvs.SyncMaster, Interface: groundDevice, SyncID: 255, MaxLen: 1200, Group: netip.MustParseAddr("239.1.2.3"), Port: 9999, TTL: 7}
	backup := lvs.SyncDaemon{Role: lvs.SyncBackup, Interface: groundDevice, Group: netip.MustParseAddr("ff02::81")}
	started := backup
	started.MaxLen, started.Port, started.TTL = 1452, 8848, 1
	conformOne(t, func(t *testing.T, g ground) {
		c, ctx := groundClient(t, g), groundContext(t)
		t.Cleanup(dialRaw(t, g.Dial).stopDaemons)
		check := func(want ...lvs.SyncDaemon) {
			t.Helper()
			got, err := c.SyncDaemons(ctx)
			must(t, err)
			if len(got)+len(want) > 0 {
				compare(t, "daemons", want, got)
			}
		}
		check()
		must(t, c.StartSyncDaemon(ctx, backup))
		check(started)
		must(t, c.StartSyncDaemon(ctx, master))
		check(master, started)
		must(t, c.StopSyncDaemon(ctx, lvs.SyncBackup))
		check(master)

		// The kernel sends no reply to a request that stops a daemon before it runs.
		must(t, c.StopSyncDaemon(ctx, lvs.SyncMaster))
		for range 5 {
			must(t, c.Do(ctx, lvs.StartSyncDaemon(master), lvs.StopSyncDaemon(lvs.SyncMaster)))
			must(t, c.Do(ctx, lvs.StartSyncDaemon(master), lvs.StartSyncDaemon(backup), lvs.StopSyncDaemon(lvs.SyncMaster), lvs.StopSyncDaemon(lvs.SyncBackup), lvs.ZeroAllCounters()))
			must(t, c.StartSyncDaemon(ctx, master))
			must(t, c.StopSyncDaemon(ctx, lvs.SyncMaster))
		}
		check()
	})
}

// Counters and connections are read, and counters are zeroed.
func TestConformanceCounters(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		c, ctx := groundClient(t, g), groundContext(t)
		rip := netip.MustParseAddrPort(dnsServer)
		must(t, c.Do(ctx,
			lvs.AddService(lvs.Service{ID: dnsID, Scheduler: lvs.RR, Persistence: lvs.Persistence{Timeout: time.Minute}}),
			lvs.AddRealServer(dnsID, lvs.NewRealServer(rip, lvs.DR()))))
		send := func() { must(t, g.Datagram(dnsClient, dnsVIP)) }
		counters := func() (lvs.Stats, lvs.RealServerStatus) {
			s, err := c.Service(ctx, dnsID)
			must(t, err)
			r, err := c.RealServer(ctx, dnsID, rip)
			must(t, err)
			s.Stats.Rates, r.Stats.Rates = lvs.Rates{}, lvs.Rates{} // depend on the moment
			return s.Stats, r
		}
		// "hello" behind the headers of IPv4 and UDP.
		expect := func(when string, want lvs.Stats) {
			t.Helper()
			for waited := time.Duration(0); waited < patience/2; waited += 100 * time.Millisecond {
				if s, r := counters(); s == want && r.Stats == want {
					break
				}
				g.Wait(100 * time.Millisecond)
			}
			s, r := counters()
			compare(t, when+", the service", want, s)
			compare(t, when+", the server", want, r.Stats)
			compare(t, when+", the connections", [3]int{0, 1, 1}, [3]int{r.ActiveConns, r.InactiveConns, r.PersistentConns})
		}
		const size = 20 + 8 + 5
		send()
		expect("one packet", lvs.Stats{Conns: 1, InPackets: 1, InBytes: size})
		send()
		expect("two packets", lvs.Stats{Conns: 1, InPackets: 2, InBytes: 2 * size})
		must(t, c.ZeroCounters(ctx, dnsID))
		if s, r := counters(); s != (lvs.Stats{}) || r.Stats != (lvs.Stats{}) {
			t.Errorf("zeroed, there are %v and %v", s, r.Stats)
		}
		send()
		expect("one packet after that", lvs.Stats{InPackets: 1, InBytes: size})
		must(t, c.ZeroAllCounters(ctx))
		if s, r := counters(); s != (lvs.Stats{}) || r.Stats != (lvs.Stats{}) {
			t.Errorf("all zeroed, there are %v and %v", s, r.Stats)
		}
	})
}

// A snapshot has all services, ordered, each with its servers in their order.
func TestConformanceSnapshot(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		c, ctx := groundClient(t, g), groundContext(t)
		var want []lvs.ServiceEntry
		var changes []lvs.Change
		for _, id := range []lvs.ServiceID{
			webID, web6ID, dnsID, lvs.UDP(netip.MustParseAddrPort("10.1.0.2:53")), sctpID, lvs.FWMark(7), lvs.FWMark6(7), lvs.FWMark(8),
		} {
			e := lvs.ServiceEntry{ServiceStatus: lvs.ServiceStatus{Service: lvs.Service{ID: id, Scheduler: lvs.RR}}, RealServers: []lvs.RealServerStatus{}}
			changes = append([]lvs.Change{lvs.AddService(e.Service)}, changes...) // backwards, but with the servers behind
			for i := range len(want) % 4 {
				addr := netip.MustParseAddr([]string{"10.2.0.9", "10.2.0.7", "10.2.0.8"}[i])
				s := lvs.NewRealServer(netip.AddrPortFrom(addr, id.AddrPort().Port()), lvs.IPIP())
				e.RealServers = append(e.RealServers, lvs.RealServerStatus{RealServer: s})
				changes = append(changes, lvs.AddRealServer(id, s))
			}
			want = append(want, e)
		}
		must(t, c.Do(ctx, changes...))
		got, err := c.Snapshot(ctx)
		must(t, err)
		for i := range got.Services {
			if got.Services[i].RealServers == nil {
				got.Services[i].RealServers = []lvs.RealServerStatus{}
			}
		}
		compare(t, "snapshot", want, got.Services)
		must(t, c.Flush(ctx))
		if got, err := c.Snapshot(ctx); err != nil || len(got.Services) != 0 {
			t.Errorf("after a flush: %v, %v", got, err)
		}
	})
}
