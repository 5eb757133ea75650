package conformance

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/internal/release"
)

// Other tools make services and servers that the client would refuse to make. The
// client lists them, edits only what it was asked to edit, and removes them.

// foreignService is a service that only raw messages make.
type foreignService struct {
	name   string
	put    attributes
	listed lvs.Service
	loses  []uint16 // attributes without effect, which an edit may reset
}

// mappedVIP is an IPv4 address that the kernel keeps as an IPv6 one.
var mappedVIP = netip.MustParseAddrPort("[::ffff:10.1.0.1]:80")

func foreignServices() []foreignService {
	s, s6 := serviceOf(web), serviceOf(web6)
	id := func(text string) lvs.ServiceID {
		id, err := lvs.ParseServiceID(text)
		if err != nil {
			panic(err)
		}
		return id
	}
	persistent := func(a attributes, timeout uint32) attributes {
		return a.set(sFlags, flagged(1, 1)).set(sTimeout, u32(timeout))
	}
	return []foreignService{
		{name: "protocol 99", put: s.set(sProtocol, u16(99)), listed: lvs.Service{ID: id("protocol-99://10.1.0.1:80"), Scheduler: lvs.RR}},
		{name: "protocol 65535", put: s.set(sProtocol, u16(65535)), listed: lvs.Service{ID: id("protocol-65535://10.1.0.1:80"), Scheduler: lvs.RR}},
		{name: "mark 0", put: serviceOf(mark).set(sFWMark, u32(0)), listed: lvs.Service{ID: id("tcp://0.0.0.0:0"), Scheduler: lvs.RR}},
		{name: "mark 0 of IPv6", put: serviceOf(mark6).set(sFWMark, u32(0)), listed: lvs.Service{ID: id("tcp://[::]:0"), Scheduler: lvs.RR}},
		{name: "port 0 without persistence", put: s.set(sPort, be16(0)), listed: lvs.Service{ID: id("tcp://10.1.0.1:0"), Scheduler: lvs.RR}},
		{name: "a multicast VIP", put: s.set(sAddr, address16("224.0.0.1")), listed: lvs.Service{ID: id("tcp://224.0.0.1:80"), Scheduler: lvs.RR}},
		{name: "a link-local VIP", put: s6.set(sAddr, address16("fe80::1")), listed: lvs.Service{ID: id("tcp://[fe80::1]:80"), Scheduler: lvs.RR}},
		{name: "an IPv4 VIP in IPv6", put: s6.set(sAddr, address16(mappedVIP.Addr().String())), listed: lvs.Service{Scheduler: lvs.RR}}, // no constructor returns the ID
		{name: "no scheduler", put: s.set(sScheduler, text("none")), listed: lvs.Service{ID: webID, Scheduler: lvs.NoScheduler}},
		{name: "unknown flags", put: s.set(sFlags, flagged(0xdeadbee0, ^uint32(0))), listed: lvs.Service{ID: webID, Scheduler: lvs.RR, SchedulerFlags: 0xdeadbee0}},
		{name: "one packet of TCP", put: s.set(sFlags, flagged(4, 4)), listed: lvs.Service{ID: webID, Scheduler: lvs.RR, OnePacket: true}},
		{
			name: "an engine without persistence", put: s.plus(sEngine, text("sip")),
			listed: lvs.Service{ID: webID, Scheduler: lvs.RR, Persistence: lvs.Persistence{Engine: "sip"}},
		},
		{
			name: "persistent for no time", put: persistent(s, 0),
			listed: lvs.Service{ID: webID, Scheduler: lvs.RR, SchedulerFlags: 1},
		},
		{
			name: "persistent for no time, with a mask", put: persistent(s, 0).set(sNetmask, []byte{255, 0, 0, 0}),
			listed: lvs.Service{ID: webID, Scheduler: lvs.RR, SchedulerFlags: 1, Persistence: lvs.Persistence{Mask: lvs.PrefixMask(8)}},
		},
		{
			name: "a mask with holes", put: persistent(s, 60).set(sNetmask, []byte{255, 0, 255, 1}),
			listed: lvs.Service{ID: webID, Scheduler: lvs.RR, Persistence: lvs.Persistence{Timeout: time.Minute, Mask: lvs.DottedMask([4]byte{255, 0, 255, 1})}},
		},
		{
			name: "mask 0", put: persistent(s, 60).set(sNetmask, u32(0)),
			listed: lvs.Service{ID: webID, Scheduler: lvs.RR, Persistence: lvs.Persistence{Timeout: time.Minute, Mask: lvs.PrefixMask(0)}},
		},
		{
			name: "everything", put: persistent(s6, 60).set(sFlags, flagged(^uint32(0), ^uint32(0))).set(sNetmask, u32(1)).plus(sEngine, text("sip")),
			listed: lvs.Service{
				ID: web6ID, Scheduler: lvs.RR, SchedulerFlags: ^lvs.SchedulerFlags(7), OnePacket: true,
				Persistence: lvs.Persistence{Timeout: time.Minute, Mask: lvs.PrefixMask(1), Engine: "sip"},
			},
		},
		{
			name: "a timeout and a mask without persistence", put: s.set(sTimeout, u32(300)).set(sNetmask, []byte{255, 255, 0, 0}),
			listed: lvs.Service{ID: webID, Scheduler: lvs.RR}, loses: []uint16{sTimeout, sNetmask},
		},
	}
}

func TestConformanceForeignServices(t *testing.T) {
	conform(t, func(t *testing.T, fresh func(testing.TB) ground) {
		for _, f := range foreignServices() {
			t.Run(f.name, func(t *testing.T) {
				g := fresh(t)
				c, ctx, conn := groundClient(t, g), groundContext(t), dialRaw(t, g.Dial)
				conn.must(newService(f.put))
				all, err := c.Services(ctx)
				must(t, err)
				if f.listed.ID == (lvs.ServiceID{}) && len(all) == 1 && all[0].ID.Is6() && all[0].ID.AddrPort() == mappedVIP {
					f.listed.ID = all[0].ID
				}
				id := f.listed.ID
				compare(t, "services", []lvs.ServiceStatus{{Service: f.listed}}, all)
				one, err := c.Service(ctx, id)
				must(t, err)
				compare(t, "service", f.listed, one.Service)

				before := conn.one(listServices())
				was, err := c.ModifyService(ctx, id, func(s *lvs.Service) { s.Scheduler = lvs.LC })
				must(t, err)
				compare(t, "service before the edit", f.listed, was)
				checkEdit(t, before, conn.one(listServices()), attribute{sScheduler, text("lc")}, append(f.loses, sStats, sStats64))

				server := lvs.NewRealServer(netip.AddrPortFrom(webRIP.Addr(), id.AddrPort().Port()), lvs.IPIP())
				must(t, c.Do(ctx, lvs.AddRealServer(id, server), lvs.ZeroCounters(id)))
				compareServers(t, c, id, []lvs.RealServerStatus{{RealServer: server}})
				must(t, c.Do(ctx, lvs.RemoveRealServer(id, server.Addr), lvs.RemoveService(id)))
				look{get: listServices()}.check(t, conn)
			})
		}
	})
}

// checkEdit reports an error unless an edit changed a single attribute, besides those
// that do not count.
func checkEdit(t *testing.T, before, after attributes, edited attribute, besides []uint16) {
	t.Helper()
	want := before.set(edited.number, edited.value).without(besides...)
	if got := after.without(besides...); got.String() != want.String() {
		t.Errorf("after the edit:\n got %s\nwant %s", got, want)
	}
}

// A timeout that overflowed is longer than the client would set, and an edit of
// something else keeps it.
func TestConformanceForeignTimeout(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		c, ctx, conn := groundClient(t, g), groundContext(t), dialRaw(t, g.Dial)
		conn.must(newService(serviceOf(web).set(sFlags, flagged(1, 1)).set(sTimeout, u32(^uint32(0)))))
		s, err := c.Service(ctx, webID)
		must(t, err)
		if s.Persistence.Timeout <= lvs.MaxPersistence {
			t.Errorf("the timeout is %s, want more than %s", s.Persistence.Timeout, lvs.MaxPersistence)
		}
		before := conn.one(listServices())
		_, err = c.ModifyService(ctx, webID, func(s *lvs.Service) { s.Scheduler = lvs.LC })
		must(t, err)
		checkEdit(t, before, conn.one(listServices()), attribute{sScheduler, text("lc")}, []uint16{sStats, sStats64})
		_, err = c.ModifyService(ctx, webID, func(s *lvs.Service) { s.Persistence.Mask = lvs.PrefixMask(24) })
		ofKind(t, "an edit of the persistence", err, lvs.ErrInvalid)
	})
}

// foreignServer is a server that only raw messages make.
type foreignServer struct {
	name   string
	put    attributes
	listed lvs.RealServer
}

func foreignServers(r release.Release) []foreignServer {
	d := destOf(server)
	at := func(a string, m lvs.Mode) lvs.RealServer { return lvs.NewRealServer(netip.MustParseAddrPort(a), m) }
	limited := at(server, lvs.DR())
	upper, lower := uint32(1<<32-1), uint32(1<<31) // negative where an int has 32 bits
	limited.UpperThreshold, limited.LowerThreshold = int(upper), int(lower)
	servers := []foreignServer{
		{"method 5", d.set(dMethod, u32(5)), at(server, modeOf("method-5"))},
		{"method 7", d.set(dMethod, u32(7)), at(server, modeOf("method-7"))},
		{"local node", d.set(dMethod, u32(localNode)), at(server, lvs.ModeLocalNode())},
		{"bypass", d.set(dMethod, u32(bypass)), at(server, lvs.ModeBypass())},
		{"tunnel type 9", d.set(dMethod, u32(tunnel)).plus(dTunType, u8(9)), at(server, modeOf("tunnel-9"))},
		{"tunnel type 255 with everything", d.set(dMethod, u32(tunnel)).plus(dTunType, u8(255)).plus(dTunPort, be16(0xfffe)).plus(dTunFlags, u16(0xfffd)), at(server, modeOf("tunnel-255:65534+csum+0xfffc"))},
		{"GRE with a port and all flags", d.set(dMethod, u32(tunnel)).plus(dTunType, u8(tunGRE)).plus(dTunPort, be16(5)).plus(dTunFlags, u16(3)), at(server, modeOf("gre:5+csum+remcsum"))},
		{"IPIP with a checksum", d.set(dMethod, u32(tunnel)).plus(dTunFlags, u16(1)), at(server, modeOf("ipip+csum"))},
		{"NAT with a tunnel", d.set(dMethod, u32(masquerade)).plus(dTunType, u8(tunGUE)).plus(dTunPort, be16(6080)), at(server, modeOf("nat/gue:6080"))},
		{"method 7 with a tunnel", d.set(dMethod, u32(7)).plus(dTunType, u8(9)).plus(dTunPort, be16(1)).plus(dTunFlags, u16(8)), at(server, modeOf("method-7/tunnel-9:1+0x8"))},
		{"direct to another port", destOf("10.2.0.2:8080"), at("10.2.0.2:8080", lvs.DR())},
		{"direct to port 0", destOf("10.2.0.2:0"), at("10.2.0.2:0", lvs.DR())},
		{"another family to another port", otherFamilyDest("[fd00:1::2]:1"), at("[fd00:1::2]:1", lvs.IPIP())},
	}
	if !r.CountsTotals() {
		servers = append(servers, foreignServer{
			"thresholds that fit no int", d.set(dUpper, u32(1<<32-1)).set(dLower, u32(1<<31)), limited,
		})
	}
	return servers
}

func TestConformanceForeignServers(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		c, ctx, conn := groundClient(t, g), groundContext(t), dialRaw(t, g.Dial)
		conn.must(newService(serviceOf(web)))
		list := listDests(keyOf(web))
		for _, f := range foreignServers(g.Release()) {
			t.Run(f.name, func(t *testing.T) {
				conn.must(newDest(keyOf(web), f.put))
				compareServers(t, c, webID, []lvs.RealServerStatus{{RealServer: f.listed}})

				before := conn.one(list)
				must(t, c.SetWeight(ctx, webID, f.listed.Addr, 77))
				checkEdit(t, before, conn.one(list), attribute{dWeight, u32(77)}, []uint16{dStats, dStats64})

				must(t, c.RemoveRealServer(ctx, webID, f.listed.Addr))
				look{get: list}.check(t, conn)
			})
		}
	})
}

// A table of all of them is one snapshot, from which they can be removed.
func TestConformanceForeignTable(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		c, ctx, conn := groundClient(t, g), groundContext(t), dialRaw(t, g.Dial)
		var ids []lvs.ServiceID
		for _, f := range foreignServices() {
			if slices.Contains(ids, f.listed.ID) {
				continue
			}
			ids = append(ids, f.listed.ID)
			conn.must(newService(f.put))
		}
		for _, f := range foreignServers(g.Release()) {
			if errno := conn.do(newDest(keyOf(web), f.put)); errno != 0 && errno != lvs.EEXIST { // they share addresses
				t.Errorf("%s: %v", f.name, errno)
			}
		}
		all, err := c.Snapshot(ctx)
		must(t, err)
		if len(all.Services) != len(ids) {
			t.Errorf("%d services are listed, want %d", len(all.Services), len(ids))
		}
		var undo []lvs.Change
		for _, e := range all.Services {
			for _, s := range e.RealServers {
				undo = append(undo, lvs.RemoveRealServer(e.ID, s.Addr))
			}
			undo = append(undo, lvs.RemoveService(e.ID))
		}
		must(t, c.Do(ctx, undo...))
		look{get: listServices()}.check(t, conn)
	})
}
