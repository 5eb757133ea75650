package conformance

import (
	"flag"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/golvs/lvs"
)

var procfsCapture = flag.Bool("procfs.capture", false, "print the kernel's files, for testdata/procfs")

// procfsTable has a service of each form that the kernel lists differently, and each kind
// of real server that a client adds.
func procfsTable() []lvs.TableService {
	server := func(addr string, mode lvs.Mode, weight int) lvs.RealServer {
		return lvs.RealServer{Addr: netip.MustParseAddrPort(addr), Mode: mode, Weight: weight}
	}
	persistent := func(id lvs.ServiceID, bits int) lvs.Service {
		return lvs.Service{ID: id, Scheduler: lvs.RR, Persistence: lvs.Persistence{Timeout: 100 * time.Second, Mask: lvs.PrefixMask(bits)}}
	}
	id := lvs.MustParseServiceID
	return []lvs.TableService{
		{Service: lvs.Service{ID: id("tcp://10.1.0.1:80"), Scheduler: lvs.WRR}, RealServers: []lvs.RealServer{
			server("10.2.0.2:80", lvs.DR(), 1), server("10.2.0.3:8080", lvs.NAT(), 0), server("10.2.0.4:80", lvs.IPIP(), 65535),
			server("10.2.0.5:80", lvs.GUE(6080), 7), server("10.2.0.6:80", lvs.GRE(), 2147483647), server("[fd00:1::7]:80", lvs.IPIP(), 3),
		}},
		{Service: lvs.Service{ID: id("tcp://[fd00:1::1]:80"), Scheduler: lvs.RR}, RealServers: []lvs.RealServer{
			server("[fd00:1::2]:80", lvs.DR(), 1), server("[fd00:1::3]:8080", lvs.NAT(), 2), server("10.2.0.4:80", lvs.IPIP(), 3),
		}},
		{Service: lvs.Service{ID: id("udp://10.1.0.1:53"), Scheduler: lvs.RR}, RealServers: []lvs.RealServer{server("10.2.0.2:53", lvs.DR(), 1), server("10.2.0.3:53", lvs.DR(), 1)}},
		{Service: lvs.Service{ID: id("udp://10.1.0.1:5060"), Scheduler: lvs.RR, OnePacket: true}},
		{Service: lvs.Service{ID: id("udp://[fd00:1::1]:5060"), Scheduler: lvs.RR, OnePacket: true}},
		{Service: lvs.Service{ID: id("sctp://10.1.0.1:9"), Scheduler: lvs.NoScheduler}, RealServers: []lvs.RealServer{server("10.2.0.2:9", lvs.NAT(), 1)}},
		{Service: persistent(id("tcp://10.1.0.1:0"), 24)},
		{Service: persistent(id("tcp://10.1.0.1:21"), 32)},
		{Service: persistent(id("tcp://[fd00:1::1]:443"), 64)},
		{Service: persistent(id("sctp://[fd00:1::1]:9"), 128)},
		{Service: lvs.Service{ID: id("fwmark://7"), Scheduler: lvs.RR}, RealServers: []lvs.RealServer{server("10.2.0.2:0", lvs.DR(), 1)}},
		{Service: lvs.Service{ID: id("fwmark6://7"), Scheduler: lvs.LC, OnePacket: true}, RealServers: []lvs.RealServer{server("10.2.0.2:0", lvs.IPIP(), 1), server("[fd00:1::2]:0", lvs.DR(), 1)}},
		{Service: lvs.Service{ID: id("fwmark://4294967295"), Scheduler: lvs.RR}},
		{Service: persistent(id("fwmark://8"), 24), RealServers: []lvs.RealServer{server("[fd00:1::2]:0", lvs.IPIP(), 1)}},
		{Service: persistent(id("fwmark6://9"), 64)},
	}
}

// procfsGround has the table, real servers with methods that only other programs add, and
// five connections of one service.
func procfsGround(t *testing.T, g ground) *lvs.Host {
	t.Helper()
	h, ctx := g.Host(t), groundContext(t)
	for _, s := range procfsTable() {
		must(t, h.Client().AddService(ctx, s.Service))
		for _, server := range s.RealServers {
			must(t, h.Client().AddRealServer(ctx, s.ID, server))
		}
	}
	conn := dialRaw(t, g.Dial)
	conn.must(newDest(keyOf(web), destOf("10.1.0.1:80").set(dMethod, u32(localNode))),
		newDest(keyOf(web), destOf("10.2.0.8:80").set(dMethod, u32(bypass))), newDest(keyOf(web), destOf("10.2.0.9:80").set(dMethod, u32(7))))
	for port := range uint16(5) {
		must(t, g.Datagram(netip.AddrPortFrom(netip.MustParseAddr("10.1.0.1"), 5000+port), addrAt("10.1.0.1:53")))
	}
	return h
}

// A QuickTable has what a Snapshot has, as far as the file has it.
func TestConformanceQuickTable(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		h, ctx := procfsGround(t, g), groundContext(t)
		table, err := h.QuickTable(ctx)
		must(t, err)
		snapshot, err := h.Client().Snapshot(ctx)
		must(t, err)
		if len(table.Services) != len(procfsTable()) || len(snapshot.Services) != len(table.Services) {
			t.Fatalf("%d services, in a snapshot %d, want %d", len(table.Services), len(snapshot.Services), len(procfsTable()))
		}
		ticks := uint32(0) // of a second
		for i, s := range snapshot.Services {
			q := table.Services[i]
			if s.Persistence.Timeout > 0 && ticks == 0 {
				ticks = q.PersistenceTicks / uint32(s.Persistence.Timeout/time.Second)
			}
			if want := quickOf(s, ticks); !reflect.DeepEqual(want, q) {
				t.Errorf("got  %+v\nwant %+v", q, want)
			}
		}
		if !slices.Contains([]uint32{100, 250, 300, 1000}, ticks) {
			t.Errorf("a second has %d ticks", ticks)
		}
		if k, ok := g.(interface {
			file(testing.TB, string) string
		}); ok && *procfsCapture {
			for _, name := range []string{"ip_vs", "ip_vs_stats", "ip_vs_stats_percpu"} {
				t.Logf("%s:\n%s", name, k.file(t, name))
			}
		}
	})
}

// capture prints files of a kernel, if the flag says so.
func capture(t *testing.T, g ground, names ...string) {
	t.Helper()
	if k, ok := g.(interface {
		file(testing.TB, string) string
	}); ok && *procfsCapture {
		for _, name := range names {
			t.Logf("%s:\n%s", name, k.file(t, name))
		}
	}
}

// quickOf returns what a QuickTable has of a service.
func quickOf(s lvs.ServiceEntry, ticks uint32) lvs.QuickService {
	q := lvs.QuickService{ID: s.ID, Scheduler: s.Scheduler, OnePacket: lvs.QuickOff, PersistenceMask: s.Persistence.Mask}
	q.Persistent = s.Persistence.Timeout > 0
	q.PersistenceTicks = uint32(s.Persistence.Timeout/time.Second) * ticks
	switch {
	case s.ID.Is6() && s.ID.FWMark() == 0:
		q.OnePacket = lvs.QuickUnknown
	case s.OnePacket:
		q.OnePacket = lvs.QuickOn
	}
	// Of these two marks no real server shows the family.
	q.FamilyUnknown = s.ID == lvs.FWMark(4294967295) || s.ID == lvs.FWMark6(9)
	for _, server := range s.RealServers {
		method := lvs.MethodNAT // whatever has no word
		switch server.Mode.Name() {
		case "dr":
			method = lvs.MethodDR
		case "local":
			method = lvs.MethodLocal
		case "ipip", "gue", "gre":
			method = lvs.MethodTunnel
		}
		q.RealServers = append(q.RealServers, lvs.QuickServer{Addr: server.Addr, Method: method, Weight: server.Weight, Active: server.ActiveConns, Inactive: server.InactiveConns})
	}
	return q
}
