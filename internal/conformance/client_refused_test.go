package conformance

import (
	"errors"
	"math"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golvs/lvs"

	"github.com/golvs/lvs/internal/genl"
)

// Each reply of the kernel becomes an error of one kind.
func TestConformanceErrorKinds(t *testing.T) {
	absent := netip.MustParseAddrPort("10.2.0.9:80")
	at := func(s string, m lvs.Mode) lvs.RealServer { return lvs.NewRealServer(netip.MustParseAddrPort(s), m) }
	conformOne(t, func(t *testing.T, g ground) {
		c, ctx := groundClient(t, g), groundContext(t)
		conn := dialRaw(t, g.Dial)
		must(t, c.Do(ctx, lvs.AddService(lvs.Service{ID: webID}), lvs.AddRealServer(webID, lvs.NewRealServer(webRIP, lvs.DR())), lvs.AddService(lvs.Service{ID: web6ID}),
			lvs.StartSyncDaemon(lvs.SyncDaemon{Role: lvs.SyncBackup, Interface: groundDevice})))
		t.Cleanup(conn.stopDaemons)
		before := conn.table()
		for _, tc := range []struct {
			name  string
			do    lvs.Change
			kind  error
			errno lvs.Errno
			field string
		}{
			{"add a service that is there", lvs.AddService(lvs.Service{ID: webID}), lvs.ErrExists, lvs.EEXIST, ""},
			{"update a service that is not", lvs.UpdateService(lvs.Service{ID: dnsID, Scheduler: lvs.RR}), lvs.ErrNoService, lvs.ESRCH, ""},
			{"remove a service that is not", lvs.RemoveService(dnsID), lvs.ErrNoService, lvs.ESRCH, ""},
			{"remove a mark that is not", lvs.RemoveService(lvs.FWMark6(7)), lvs.ErrNoService, lvs.ESRCH, ""},
			{"zero a service that is not", lvs.ZeroCounters(dnsID), lvs.ErrNoService, lvs.ESRCH, ""},
			{"unknown scheduler", lvs.AddService(lvs.Service{ID: dnsID, Scheduler: "nosuch"}), lvs.ErrScheduler, lvs.ENOENT, ""},
			{"update to an unknown scheduler", lvs.UpdateService(lvs.Service{ID: webID, Scheduler: "nosuch"}), lvs.ErrScheduler, lvs.ENOENT, ""},
			{
				"unknown engine", lvs.AddService(lvs.Service{ID: dnsID, Scheduler: lvs.NoScheduler, Persistence: lvs.Persistence{Timeout: time.Second, Engine: "nosuch"}}),
				lvs.ErrEngine, lvs.ENOENT, "",
			},
			{
				"unknown scheduler or engine", lvs.AddService(lvs.Service{ID: dnsID, Persistence: lvs.Persistence{Timeout: time.Second, Engine: "nosuch"}}),
				errors.Join(lvs.ErrScheduler, lvs.ErrEngine), lvs.ENOENT, "",
			},
			{"put a service with an unknown scheduler", lvs.PutService(lvs.Service{ID: dnsID, Scheduler: "nosuch"}), lvs.ErrScheduler, lvs.ENOENT, ""},
			{"put a service that is there with an unknown scheduler", lvs.PutService(lvs.Service{ID: webID, Scheduler: "nosuch"}), lvs.ErrScheduler, lvs.ENOENT, ""},
			{"put a server of a service that is not", lvs.PutRealServer(dnsID, at("10.2.0.2:53", lvs.DR())), lvs.ErrNoService, lvs.ESRCH, ""},
			{"put a server at a broadcast address", lvs.PutRealServer(webID, at("10.2.255.255:80", lvs.DR())), lvs.ErrInvalid, lvs.EINVAL, ""},
			{"add a server that is there", lvs.AddRealServer(webID, lvs.NewRealServer(webRIP, lvs.NAT())), lvs.ErrExists, lvs.EEXIST, ""},
			{"add a server to a service that is not", lvs.AddRealServer(dnsID, at("10.2.0.2:53", lvs.DR())), lvs.ErrNoService, lvs.ESRCH, ""},
			{"update a server that is not", lvs.UpdateRealServer(webID, lvs.NewRealServer(absent, lvs.DR())), lvs.ErrNoRealServer, lvs.ENOENT, ""},
			{"update a server of a service that is not", lvs.UpdateRealServer(dnsID, at("10.2.0.2:53", lvs.DR())), lvs.ErrNoService, lvs.ESRCH, ""},
			{"remove a server that is not", lvs.RemoveRealServer(webID, absent), lvs.ErrNoRealServer, lvs.ENOENT, ""},
			{"remove a server of a service that is not", lvs.RemoveRealServer(dnsID, absent), lvs.ErrNoService, lvs.ESRCH, ""},
			{"a broadcast address", lvs.AddRealServer(webID, at("10.2.255.255:80", lvs.DR())), lvs.ErrInvalid, lvs.EINVAL, ""},
			{"a link-local address", lvs.AddRealServer(web6ID, at("[fe80::1]:80", lvs.DR())), lvs.ErrInvalid, lvs.EINVAL, ""},
			{"another family while a daemon runs", lvs.AddRealServer(webID, at("[fd00:1::2]:80", lvs.IPIP())), lvs.ErrInvalid, lvs.EINVAL, ""},
			{"timeouts too long", lvs.SetTimeouts(lvs.Timeouts{TCP: math.MaxInt32 * time.Second}), lvs.ErrInvalid, lvs.EINVAL, ""},
			{"start a daemon that runs", lvs.StartSyncDaemon(lvs.SyncDaemon{Role: lvs.SyncBackup, Interface: groundDevice}), lvs.ErrExists, lvs.EEXIST, ""},
			{"start a daemon on no interface", lvs.StartSyncDaemon(lvs.SyncDaemon{Role: lvs.SyncMaster, Interface: "nosuch"}), lvs.ErrInvalid, lvs.ENODEV, "Interface"},
			{
				"a daemon on lo with an IPv6 group",
				lvs.StartSyncDaemon(lvs.SyncDaemon{Role: lvs.SyncMaster, Interface: "lo", Group: netip.MustParseAddr("ff02::81")}), lvs.ErrInvalid, lvs.ENETUNREACH, "Interface",
			},
			{"stop a daemon that does not run", lvs.StopSyncDaemon(lvs.SyncMaster), lvs.ErrNotFound, lvs.ESRCH, ""},
		} {
			t.Run(tc.name, func(t *testing.T) {
				err := c.Do(ctx, tc.do)
				ofKind(t, tc.name, err, tc.kind)
				var e *lvs.Error
				if errors.As(err, &e) && (e.Errno != tc.errno || e.Field != tc.field || !errors.Is(err, tc.errno) || e.Outcome != lvs.OutcomeRefused) {
					t.Errorf("%v: errno %v, field %q, outcome %v; want %v, %q, refused", err, e.Errno, e.Field, e.Outcome, tc.errno, tc.field)
				}
			})
		}
		if after := conn.table(); after != before {
			t.Errorf("all failed, and yet the table changed from\n%s\nto\n%s", before, after)
		}
	})
}

// The same for calls that read, or read first.
func TestConformanceReadErrors(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		c, ctx := groundClient(t, g), groundContext(t)
		must(t, c.AddService(ctx, lvs.Service{ID: webID}))
		service := func(s *lvs.Service) { s.Scheduler = lvs.RR }
		server := func(s *lvs.RealServer) { s.Weight = 3 }
		for name, call := range map[string]struct {
			do   func() error
			kind error
		}{
			"service":                       {func() error { _, err := c.Service(ctx, dnsID); return err }, lvs.ErrNoService},
			"servers":                       {func() error { _, err := c.RealServers(ctx, dnsID); return err }, lvs.ErrNoService},
			"server":                        {func() error { _, err := c.RealServer(ctx, webID, webRIP); return err }, lvs.ErrNoRealServer},
			"server of no service":          {func() error { _, err := c.RealServer(ctx, dnsID, webRIP); return err }, lvs.ErrNoService},
			"modify a service":              {func() error { _, err := c.ModifyService(ctx, dnsID, service); return err }, lvs.ErrNoService},
			"modify a server":               {func() error { _, err := c.ModifyRealServer(ctx, webID, webRIP, server); return err }, lvs.ErrNoRealServer},
			"modify a server of no service": {func() error { _, err := c.ModifyRealServer(ctx, dnsID, webRIP, server); return err }, lvs.ErrNoService},
			"set weight":                    {func() error { return c.SetWeight(ctx, webID, webRIP, 3) }, lvs.ErrNoRealServer},
			"set weight of another family":  {func() error { return c.SetWeight(ctx, webID, webRIP6, 3) }, lvs.ErrNoRealServer},
		} {
			ofKind(t, name, call.do(), call.kind)
		}
		if got, err := c.RealServers(ctx, webID); err != nil || len(got) != 0 {
			t.Errorf("a service without servers lists %v, %v", got, err)
		}
	})
}

// refused are the values that the client refuses, and the field that it names.
func refused() []struct {
	name  string
	do    lvs.Change
	field string
} {
	type row = struct {
		name  string
		do    lvs.Change
		field string
	}
	service := func(name, field string, change func(*lvs.Service)) row {
		s := lvs.Service{ID: webID, Scheduler: lvs.RR}
		change(&s)
		return row{"service: " + name, lvs.AddService(s), field}
	}
	persistent := func(name, field string, id lvs.ServiceID, p lvs.Persistence) row {
		return service(name, field, func(s *lvs.Service) { s.ID, s.Persistence = id, p })
	}
	server := func(name, field string, change func(*lvs.RealServer)) row {
		s := lvs.NewRealServer(webRIP, lvs.DR())
		change(&s)
		return row{"server: " + name, lvs.AddRealServer(webID, s), field}
	}
	mode := func(name string, m lvs.Mode) row {
		return server(name, "Mode", func(s *lvs.RealServer) { s.Mode = m })
	}
	addr := func(name, a string) row {
		return server(name, "Addr", func(s *lvs.RealServer) { s.Addr = netip.MustParseAddrPort(a) })
	}
	daemon := func(name, field string, change func(*lvs.SyncDaemon)) row {
		d := lvs.SyncDaemon{Role: lvs.SyncMaster, Interface: groundDevice}
		change(&d)
		return row{"daemon: " + name, lvs.StartSyncDaemon(d), field}
	}
	id := func(s string) lvs.ServiceID {
		id, err := lvs.ParseServiceID(s)
		if err != nil {
			panic(err)
		}
		return id
	}
	const sec = time.Second
	return []row{
		{"the zero change", lvs.Change{}, ""},
		service("no identity", "ID", func(s *lvs.Service) { s.ID = lvs.ServiceID{} }),
		service("mark 0", "ID", func(s *lvs.Service) { s.ID = lvs.FWMark(0) }),
		service("no VIP", "ID", func(s *lvs.Service) { s.ID = lvs.TCP(netip.AddrPort{}) }),
		service("VIP 0.0.0.0", "ID", func(s *lvs.Service) { s.ID = id("tcp://0.0.0.0:80") }),
		service("VIP ::", "ID", func(s *lvs.Service) { s.ID = id("tcp://[::]:80") }),
		service("a VIP with a zone", "ID", func(s *lvs.Service) { s.ID = id("tcp://[fe80::1%eth0]:80") }),
		service("protocol 99", "ID", func(s *lvs.Service) { s.ID = id("protocol-99://10.1.0.1:80") }),
		service("a scheduler of 16 characters", "Scheduler", func(s *lvs.Service) { s.Scheduler = "abcdefghijklmnop" }),
		service("a scheduler with capitals", "Scheduler", func(s *lvs.Service) { s.Scheduler = "RR" }),
		service("a scheduler that is a path", "Scheduler", func(s *lvs.Service) { s.Scheduler = "../rr" }),
		service("a scheduler with NUL", "Scheduler", func(s *lvs.Service) { s.Scheduler = "rr\x00" }),
		service("the persistent flag", "SchedulerFlags", func(s *lvs.Service) { s.SchedulerFlags = 1 }),
		service("the hashed flag", "SchedulerFlags", func(s *lvs.Service) { s.SchedulerFlags = 2 }),
		service("the one-packet flag", "SchedulerFlags", func(s *lvs.Service) { s.SchedulerFlags = 4 }),
		service("one packet of TCP", "OnePacket", func(s *lvs.Service) { s.OnePacket = true }),
		service("one packet of SCTP", "OnePacket", func(s *lvs.Service) { s.ID, s.OnePacket = sctpID, true }),
		service("port 0 without persistence", "Persistence", func(s *lvs.Service) { s.ID = id("tcp://10.1.0.1:0") }),
		persistent("a negative timeout", "Persistence.Timeout", webID, lvs.Persistence{Timeout: -sec}),
		persistent("a timeout that overflows", "Persistence.Timeout", webID, lvs.Persistence{Timeout: lvs.MaxPersistence + sec}),
		persistent("half a second", "Persistence.Timeout", webID, lvs.Persistence{Timeout: sec / 2}),
		persistent("an engine without a timeout", "Persistence.Engine", webID, lvs.Persistence{Engine: "sip"}),
		persistent("an engine of 17 characters", "Persistence.Engine", webID, lvs.Persistence{Timeout: sec, Engine: "abcdefghijklmnopq"}),
		persistent("an engine with a space", "Persistence.Engine", webID, lvs.Persistence{Timeout: sec, Engine: "si p"}),
		persistent("an IPv4 mask for IPv6", "Persistence.Mask", web6ID, lvs.Persistence{Timeout: sec, Mask: lvs.DottedMask([4]byte{255, 0, 255})}),
		persistent("33 bits of IPv4", "Persistence.Mask", webID, lvs.Persistence{Timeout: sec, Mask: lvs.PrefixMask(33)}),
		persistent("no bits of IPv6", "Persistence.Mask", web6ID, lvs.Persistence{Timeout: sec, Mask: lvs.PrefixMask(0)}),
		persistent("129 bits of IPv6", "Persistence.Mask", web6ID, lvs.Persistence{Timeout: sec, Mask: lvs.PrefixMask(129)}),
		persistent("-1 bits", "Persistence.Mask", webID, lvs.Persistence{Timeout: sec, Mask: lvs.PrefixMask(-1)}),
		{"service: removal without identity", lvs.RemoveService(lvs.ServiceID{}), "ID"},
		{"service: zeroing without identity", lvs.ZeroCounters(lvs.ServiceID{}), "ID"},

		server("no address", "Addr", func(s *lvs.RealServer) { s.Addr = netip.AddrPort{} }),
		addr("an address with a zone", "[fe80::1%eth0]:80"),
		addr("address 0.0.0.0", "0.0.0.0:80"),
		addr("address 0.0.0.0 in IPv6", "[::ffff:0.0.0.0]:80"),
		addr("a multicast address", "224.0.0.1:80"),
		addr("the last multicast address", "239.255.255.255:80"),
		addr("the broadcast address", "255.255.255.255:80"),
		addr("the broadcast address in IPv6", "[::ffff:255.255.255.255]:80"),
		addr("address ::", "[::]:80"),
		addr("an IPv6 multicast address", "[ff05::1]:80"),
		addr("another port than the service's", "10.2.0.2:81"),
		server("another port by tunnel", "Addr", func(s *lvs.RealServer) { s.Mode, s.Addr = lvs.IPIP(), netip.MustParseAddrPort("10.2.0.2:81") }),
		server("another family than the service's", "Mode", func(s *lvs.RealServer) { s.Addr = webRIP6 }),
		server("another family by NAT", "Mode", func(s *lvs.RealServer) { s.Addr, s.Mode = webRIP6, lvs.NAT() }),
		mode("method 5", modeOf("method-5")),
		mode("method 7", modeOf("method-7")),
		mode("direct, with a tunnel", modeOf("dr/gre")),
		mode("NAT, with a tunnel's port", modeOf("nat/ipip:5")),
		mode("the mode of the local node", lvs.ModeLocalNode()),
		mode("bypass", lvs.ModeBypass()),
		mode("tunnel type 9", modeOf("tunnel-9")),
		mode("GUE to port 0", lvs.GUE(0)),
		mode("GUE with both checksums", lvs.GUE(5, lvs.TunnelChecksum, lvs.TunnelRemoteChecksum)),
		mode("GUE with flags that are none", lvs.GUE(5, 4)),
		mode("GRE that leaves the checksum", lvs.GRE(lvs.TunnelRemoteChecksum)),
		mode("GRE with a port", modeOf("gre:5")),
		mode("IPIP with a checksum", modeOf("ipip+csum")),
		server("weight -1", "Weight", func(s *lvs.RealServer) { s.Weight = -1 }),
		server("weight 2^31", "Weight", func(s *lvs.RealServer) {
			over := uint32(1 << 31) // negative where an int has 32 bits
			s.Weight = int(over)
		}),
		server("upper threshold -1", "UpperThreshold", func(s *lvs.RealServer) { s.UpperThreshold = -1 }),
		server("lower threshold above upper", "LowerThreshold", func(s *lvs.RealServer) { s.UpperThreshold, s.LowerThreshold = 5, 6 }),
		server("lower threshold without upper", "LowerThreshold", func(s *lvs.RealServer) { s.LowerThreshold = 1 }),
		{"server: of no service", lvs.AddRealServer(lvs.ServiceID{}, lvs.NewRealServer(webRIP, lvs.DR())), "ID"},
		{"server: of a mark, with a port", lvs.AddRealServer(lvs.FWMark(7), lvs.NewRealServer(webRIP, lvs.DR())), "Addr"},
		{"server: an update", lvs.UpdateRealServer(webID, lvs.NewRealServer(webRIP, lvs.GUE(0))), "Mode"},
		{"server: removal without address", lvs.RemoveRealServer(webID, netip.AddrPort{}), "Addr"},
		{"server: removal from no service", lvs.RemoveRealServer(lvs.ServiceID{}, webRIP), "ID"},

		{"timeouts: negative", lvs.SetTimeouts(lvs.Timeouts{TCP: -sec}), "TCP"},
		{"timeouts: a fraction", lvs.SetTimeouts(lvs.Timeouts{TCPFin: sec / 2}), "TCPFin"},
		{"timeouts: too long for any kernel", lvs.SetTimeouts(lvs.Timeouts{UDP: (math.MaxInt32 + 1) * sec}), "UDP"},

		daemon("no role", "Role", func(d *lvs.SyncDaemon) { d.Role = 0 }),
		daemon("role 3", "Role", func(d *lvs.SyncDaemon) { d.Role = 3 }),
		daemon("no interface", "Interface", func(d *lvs.SyncDaemon) { d.Interface = "" }),
		daemon("an interface of 16 characters", "Interface", func(d *lvs.SyncDaemon) { d.Interface = "abcdefghijklmnop" }),
		daemon("an interface with a slash", "Interface", func(d *lvs.SyncDaemon) { d.Interface = "a/b" }),
		daemon("sync id 256", "SyncID", func(d *lvs.SyncDaemon) { d.SyncID = 256 }),
		daemon("a group that is not multicast", "Group", func(d *lvs.SyncDaemon) { d.Group = netip.MustParseAddr("10.0.0.1") }),
		daemon("a group with a zone", "Group", func(d *lvs.SyncDaemon) { d.Group = netip.MustParseAddr("ff02::1%eth0") }),
		{"daemon: stopping no role", lvs.StopSyncDaemon(0), "Role"},
	}
}

// countingSocket counts what is sent.
type countingSocket struct {
	genl.Socket
	sent *atomic.Int64
}

func (s countingSocket) Send(datagram []byte) error {
	s.sent.Add(1)
	return s.Socket.Send(datagram)
}

// countingClient returns a client of the ground, and how many datagrams it has sent.
func countingClient(t *testing.T, g ground) (*lvs.Client, *atomic.Int64) {
	t.Helper()
	sent := new(atomic.Int64)
	return clientOf(t, func() (genl.Socket, error) {
		s, err := g.Dial()
		return countingSocket{s, sent}, err
	}), sent
}

// What can never work is refused before anything is sent, with the whole batch.
func TestConformanceRefusedValues(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		c, sent := countingClient(t, g)
		ctx := groundContext(t)
		must(t, c.Do(ctx, lvs.AddService(lvs.Service{ID: webID}), lvs.AddRealServer(webID, lvs.NewRealServer(webRIP, lvs.DR())), lvs.AddService(lvs.Service{ID: lvs.FWMark(7)})))
		sent.Store(0)
		for _, tc := range refused() {
			t.Run(tc.name, func(t *testing.T) {
				err := c.Do(ctx, lvs.AddService(lvs.Service{ID: dnsID}), tc.do)
				var all *lvs.BatchError
				if !errors.As(err, &all) || len(all.Failures) != 2 || all.Total != 2 || all.Made(0) || all.Made(1) {
					t.Fatalf("%v, want a *BatchError of both changes", err)
				}
				ofKind(t, "the valid change", all.Failures[0].Err, lvs.ErrSkipped)
				if o := all.Failures[0].Err.Outcome; o != lvs.OutcomeNotSent {
					t.Errorf("the valid change's outcome is %v, want not sent", o)
				}
				e := all.Failures[1].Err
				ofKind(t, tc.name, e, lvs.ErrInvalid)
				if e.Field != tc.field || e.Errno != 0 || e.Outcome != lvs.OutcomeRefused {
					t.Errorf("%v: field %q, errno %v, outcome %v; want field %q and no answer of the kernel", e, e.Field, e.Errno, e.Outcome, tc.field)
				}
			})
		}
		if n := sent.Load(); n != 0 {
			t.Errorf("%d datagrams were sent", n)
		}
	})
}

// Odd addresses that the kernel accepts are not refused: loopback in any mode, reserved
// ones, and any VIP.
func TestConformanceOddAddresses(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		c, ctx := groundClient(t, g), groundContext(t)
		must(t, c.Do(ctx, lvs.AddService(lvs.Service{ID: webID}), lvs.AddService(lvs.Service{ID: web6ID})))
		for id, addrs := range map[lvs.ServiceID][]string{
			webID:  {"127.0.0.0:80", "127.0.0.1:80", "0.1.2.3:80", "169.254.0.1:80", "240.0.0.1:80", "255.255.255.254:80"},
			web6ID: {"[::1]:80", "[::2]:80", "[::10.2.0.2]:80", "[fec0::1]:80"},
		} {
			for _, addr := range addrs {
				for _, mode := range []lvs.Mode{lvs.NAT(), lvs.DR(), lvs.IPIP()} {
					server := lvs.NewRealServer(netip.MustParseAddrPort(addr), mode)
					must(t, c.AddRealServer(ctx, id, server))
					must(t, c.RemoveRealServer(ctx, id, server.Addr))
				}
			}
		}
		for _, vip := range []string{"127.0.0.1:80", "255.255.255.255:80", "10.1.255.255:80", "224.0.0.1:80", "0.1.2.3:80", "[::1]:80", "[fe80::1]:80", "[ff02::1]:80"} {
			must(t, c.AddService(ctx, lvs.Service{ID: lvs.TCP(netip.MustParseAddrPort(vip))}))
		}
	})
}

// Calls that read refuse invalid identities.
func TestConformanceRefusedReads(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		c, ctx := groundClient(t, g), groundContext(t)
		for name, call := range map[string]func() error{
			"service":      func() error { _, err := c.Service(ctx, lvs.ServiceID{}); return err },
			"servers":      func() error { _, err := c.RealServers(ctx, lvs.ServiceID{}); return err },
			"server":       func() error { _, err := c.RealServer(ctx, lvs.ServiceID{}, webRIP); return err },
			"edit service": func() error { _, err := c.ModifyService(ctx, lvs.ServiceID{}, func(*lvs.Service) {}); return err },
		} {
			err := call()
			ofKind(t, name, err, lvs.ErrInvalid)
			var e *lvs.Error
			if errors.As(err, &e) && e.Field != "ID" {
				t.Errorf("%s: the field is %q, want ID", name, e.Field)
			}
		}
	})
}

// An edit that makes a value invalid is refused, and changes nothing.
func TestConformanceRefusedEdits(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		c, ctx := groundClient(t, g), groundContext(t)
		must(t, c.Do(ctx, lvs.AddService(lvs.Service{ID: webID, Scheduler: lvs.RR}), lvs.AddRealServer(webID, lvs.NewRealServer(webRIP, lvs.DR()))))
		conn := dialRaw(t, g.Dial)
		before := conn.table()
		service := func(edit func(*lvs.Service)) error { _, err := c.ModifyService(ctx, webID, edit); return err }
		server := func(edit func(*lvs.RealServer)) error {
			_, err := c.ModifyRealServer(ctx, webID, webRIP, edit)
			return err
		}
		for _, tc := range []struct {
			field string
			err   error
		}{
			{"ID", service(func(s *lvs.Service) { s.ID = dnsID })},
			{"Scheduler", service(func(s *lvs.Service) { s.Scheduler = "A" })},
			{"SchedulerFlags", service(func(s *lvs.Service) { s.SchedulerFlags = 1 })},
			{"OnePacket", service(func(s *lvs.Service) { s.OnePacket = true })},
			{"Persistence.Timeout", service(func(s *lvs.Service) { s.Persistence.Timeout = 1 })},
			{"Persistence.Mask", service(func(s *lvs.Service) { s.Persistence.Mask = lvs.PrefixMask(33) })},
			{"Addr", server(func(s *lvs.RealServer) { s.Addr = webRIP2 })},
			{"Mode", server(func(s *lvs.RealServer) { s.Mode = lvs.GUE(0) })},
			{"Weight", server(func(s *lvs.RealServer) { s.Weight = -1 })},
			{"UpperThreshold", server(func(s *lvs.RealServer) { s.UpperThreshold = -1 })},
			{"LowerThreshold", server(func(s *lvs.RealServer) { s.LowerThreshold = 1 })},
		} {
			ofKind(t, tc.field, tc.err, lvs.ErrInvalid)
			var e *lvs.Error
			if errors.As(tc.err, &e) && e.Field != tc.field {
				t.Errorf("%v: the field is %q, want %q", e, e.Field, tc.field)
			}
		}
		if after := conn.table(); after != before {
			t.Errorf("the table changed from\n%s\nto\n%s", before, after)
		}
	})
}
