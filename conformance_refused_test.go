package lvs

import (
	"errors"
	"math"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golvs/lvs/internal/genl"
)

// The kinds of error that the kernel's answers are made into.
func TestConformanceErrorKinds(t *testing.T) {
	absent := netip.MustParseAddrPort("10.2.0.9:80")
	at := func(s string, m Mode) RealServer { return NewRealServer(netip.MustParseAddrPort(s), m) }
	conformOne(t, func(t *testing.T, g ground) {
		c, ctx := groundClient(t, g), groundContext(t)
		conn := dialRaw(t, g.Dial)
		must(t, c.Do(ctx, AddService(Service{ID: webID}), AddRealServer(webID, NewRealServer(webRIP, DR)), AddService(Service{ID: web6ID}),
			StartSyncDaemon(SyncDaemon{Role: SyncBackup, Interface: groundDevice})))
		t.Cleanup(conn.stopDaemons)
		before := conn.table()
		for _, tc := range []struct {
			name  string
			do    Change
			kind  error
			errno Errno
			field string
		}{
			{"add a service that is there", AddService(Service{ID: webID}), ErrExists, EEXIST, ""},
			{"update a service that is not", UpdateService(Service{ID: dnsID, Scheduler: RR}), ErrNotFound, ESRCH, ""},
			{"remove a service that is not", RemoveService(dnsID), ErrNotFound, ESRCH, ""},
			{"remove a mark that is not", RemoveService(FWMark6(7)), ErrNotFound, ESRCH, ""},
			{"zero a service that is not", ZeroCounters(dnsID), ErrNotFound, ESRCH, ""},
			{"unknown scheduler", AddService(Service{ID: dnsID, Scheduler: "nosuch"}), ErrScheduler, ENOENT, ""},
			{"update to an unknown scheduler", UpdateService(Service{ID: webID, Scheduler: "nosuch"}), ErrScheduler, ENOENT, ""},
			{
				"unknown engine", AddService(Service{ID: dnsID, Persistence: Persistence{Timeout: time.Second, Engine: "nosuch"}}),
				ErrScheduler, ENOENT, "",
			},
			{"add a server that is there", AddRealServer(webID, NewRealServer(webRIP, NAT)), ErrExists, EEXIST, ""},
			{"add a server to a service that is not", AddRealServer(dnsID, at("10.2.0.2:53", DR)), ErrNotFound, ESRCH, ""},
			{"update a server that is not", UpdateRealServer(webID, NewRealServer(absent, DR)), ErrNotFound, ENOENT, ""},
			{"update a server of a service that is not", UpdateRealServer(dnsID, at("10.2.0.2:53", DR)), ErrNotFound, ESRCH, ""},
			{"remove a server that is not", RemoveRealServer(webID, absent), ErrNotFound, ENOENT, ""},
			{"remove a server of a service that is not", RemoveRealServer(dnsID, absent), ErrNotFound, ESRCH, ""},
			{"a broadcast address", AddRealServer(webID, at("10.2.255.255:80", DR)), ErrInvalid, EINVAL, ""},
			{"the broadcast address", AddRealServer(webID, at("255.255.255.255:80", DR)), ErrInvalid, EINVAL, ""},
			{"a link-local address", AddRealServer(web6ID, at("[fe80::1]:80", DR)), ErrInvalid, EINVAL, ""},
			{"another family while a daemon runs", AddRealServer(webID, at("[fd00:1::2]:80", IPIP)), ErrInvalid, EINVAL, ""},
			{"timeouts too long", SetTimeouts(Timeouts{TCP: math.MaxInt32 * time.Second}), ErrInvalid, EINVAL, ""},
			{"start a daemon that runs", StartSyncDaemon(SyncDaemon{Role: SyncBackup, Interface: groundDevice}), ErrExists, EEXIST, ""},
			{"start a daemon on no interface", StartSyncDaemon(SyncDaemon{Role: SyncMaster, Interface: "nosuch"}), ErrInvalid, ENODEV, "Interface"},
			{
				"a daemon on lo with an IPv6 group",
				StartSyncDaemon(SyncDaemon{Role: SyncMaster, Interface: "lo", Group: netip.MustParseAddr("ff02::81")}), ErrInvalid, ENETUNREACH, "Interface",
			},
			{"stop a daemon that does not run", StopSyncDaemon(SyncMaster), ErrNotFound, ESRCH, ""},
		} {
			t.Run(tc.name, func(t *testing.T) {
				err := only(c.Do(ctx, tc.do))
				ofKind(t, tc.name, err, tc.kind)
				var e *Error
				if errors.As(err, &e) && (e.Errno != tc.errno || e.Field != tc.field || !errors.Is(err, tc.errno) || e.Unknown) {
					t.Errorf("%v: errno %v, field %q, unknown %t; want %v, %q, false", err, e.Errno, e.Field, e.Unknown, tc.errno, tc.field)
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
		must(t, c.AddService(ctx, Service{ID: webID}))
		service := func(s *Service) { s.Scheduler = RR }
		server := func(s *RealServer) { s.Weight = 3 }
		for name, call := range map[string]func() error{
			"service":                      func() error { _, err := c.Service(ctx, dnsID); return err },
			"servers":                      func() error { _, err := c.RealServers(ctx, dnsID); return err },
			"server":                       func() error { _, err := c.RealServer(ctx, webID, webRIP); return err },
			"server of no service":         func() error { _, err := c.RealServer(ctx, dnsID, webRIP); return err },
			"edit service":                 func() error { _, err := c.ModifyService(ctx, dnsID, service); return err },
			"edit server":                  func() error { _, err := c.ModifyRealServer(ctx, webID, webRIP, server); return err },
			"edit server of no service":    func() error { _, err := c.ModifyRealServer(ctx, dnsID, webRIP, server); return err },
			"set weight":                   func() error { _, err := c.SetWeight(ctx, webID, webRIP, 3); return err },
			"set weight of another family": func() error { _, err := c.SetWeight(ctx, webID, webRIP6, 3); return err },
		} {
			ofKind(t, name, call(), ErrNotFound)
		}
		if got, err := c.RealServers(ctx, webID); err != nil || len(got) != 0 {
			t.Errorf("a service without servers lists %v, %v", got, err)
		}
	})
}

// refused are the values that the client refuses, and the field that it names.
func refused() []struct {
	name  string
	do    Change
	field string
} {
	type row = struct {
		name  string
		do    Change
		field string
	}
	service := func(name, field string, change func(*Service)) row {
		s := Service{ID: webID, Scheduler: RR}
		change(&s)
		return row{"service: " + name, AddService(s), field}
	}
	persistent := func(name, field string, id ServiceID, p Persistence) row {
		return service(name, field, func(s *Service) { s.ID, s.Persistence = id, p })
	}
	server := func(name, field string, change func(*RealServer)) row {
		s := NewRealServer(webRIP, DR)
		change(&s)
		return row{"server: " + name, AddRealServer(webID, s), field}
	}
	mode := func(name string, m Mode) row {
		return server(name, "Mode", func(s *RealServer) { s.Mode = m })
	}
	addr := func(name, a string) row {
		return server(name, "Addr", func(s *RealServer) { s.Addr = netip.MustParseAddrPort(a) })
	}
	daemon := func(name, field string, change func(*SyncDaemon)) row {
		d := SyncDaemon{Role: SyncMaster, Interface: groundDevice}
		change(&d)
		return row{"daemon: " + name, StartSyncDaemon(d), field}
	}
	id := func(s string) ServiceID {
		id, err := ParseServiceID(s)
		if err != nil {
			panic(err)
		}
		return id
	}
	const sec = time.Second
	return []row{
		{"the zero change", Change{}, ""},
		service("no identity", "ID", func(s *Service) { s.ID = ServiceID{} }),
		service("mark 0", "ID", func(s *Service) { s.ID = FWMark(0) }),
		service("no VIP", "ID", func(s *Service) { s.ID = TCP(netip.AddrPort{}) }),
		service("VIP 0.0.0.0", "ID", func(s *Service) { s.ID = id("tcp://0.0.0.0:80") }),
		service("VIP ::", "ID", func(s *Service) { s.ID = id("tcp://[::]:80") }),
		service("a VIP with a zone", "ID", func(s *Service) { s.ID = id("tcp://[fe80::1%eth0]:80") }),
		service("protocol 99", "ID", func(s *Service) { s.ID = id("protocol-99://10.1.0.1:80") }),
		service("a scheduler of 16 characters", "Scheduler", func(s *Service) { s.Scheduler = "abcdefghijklmnop" }),
		service("a scheduler with capitals", "Scheduler", func(s *Service) { s.Scheduler = "RR" }),
		service("a scheduler that is a path", "Scheduler", func(s *Service) { s.Scheduler = "../rr" }),
		service("a scheduler with NUL", "Scheduler", func(s *Service) { s.Scheduler = "rr\x00" }),
		service("the persistent flag", "Flags", func(s *Service) { s.SchedulerFlags = 1 }),
		service("the hashed flag", "Flags", func(s *Service) { s.SchedulerFlags = 2 }),
		service("the one-packet flag", "Flags", func(s *Service) { s.SchedulerFlags = 4 }),
		service("one packet of TCP", "OnePacket", func(s *Service) { s.OnePacket = true }),
		service("one packet of SCTP", "OnePacket", func(s *Service) { s.ID, s.OnePacket = sctpID, true }),
		service("port 0 without persistence", "Persistence", func(s *Service) { s.ID = id("tcp://10.1.0.1:0") }),
		persistent("a negative timeout", "Persistence.Timeout", webID, Persistence{Timeout: -sec}),
		persistent("a timeout that overflows", "Persistence.Timeout", webID, Persistence{Timeout: MaxPersistence + sec}),
		persistent("half a second", "Persistence.Timeout", webID, Persistence{Timeout: sec / 2}),
		persistent("an engine without a timeout", "Persistence.Engine", webID, Persistence{Engine: "sip"}),
		persistent("an engine of 17 characters", "Persistence.Engine", webID, Persistence{Timeout: sec, Engine: "abcdefghijklmnopq"}),
		persistent("an engine with a space", "Persistence.Engine", webID, Persistence{Timeout: sec, Engine: "si p"}),
		persistent("an IPv4 mask for IPv6", "Persistence.Mask", web6ID, Persistence{Timeout: sec, Mask: DottedMask([4]byte{255, 0, 255})}),
		persistent("33 bits of IPv4", "Persistence.Mask", webID, Persistence{Timeout: sec, Mask: PrefixMask(33)}),
		persistent("no bits of IPv6", "Persistence.Mask", web6ID, Persistence{Timeout: sec, Mask: PrefixMask(0)}),
		persistent("129 bits of IPv6", "Persistence.Mask", web6ID, Persistence{Timeout: sec, Mask: PrefixMask(129)}),
		persistent("-1 bits", "Persistence.Mask", webID, Persistence{Timeout: sec, Mask: PrefixMask(-1)}),
		persistent("a mask that is none", "Persistence.Mask", webID, Persistence{Timeout: sec, Mask: 24}),
		{"service: an update without a scheduler", UpdateService(Service{ID: webID}), "Scheduler"},
		{"service: removal without identity", RemoveService(ServiceID{}), "ID"},
		{"service: zeroing without identity", ZeroCounters(ServiceID{}), "ID"},

		server("no address", "Addr", func(s *RealServer) { s.Addr = netip.AddrPort{} }),
		addr("an address with a zone", "[fe80::1%eth0]:80"),
		addr("address 0.0.0.0", "0.0.0.0:80"),
		addr("a multicast address", "224.0.0.1:80"),
		addr("another port than the service's", "10.2.0.2:81"),
		server("another port by tunnel", "Addr", func(s *RealServer) { s.Mode, s.Addr = IPIP, netip.MustParseAddrPort("10.2.0.2:81") }),
		server("another family than the service's", "Mode", func(s *RealServer) { s.Addr = webRIP6 }),
		server("another family by NAT", "Mode", func(s *RealServer) { s.Addr, s.Mode = webRIP6, NAT }),
		mode("method 5", newMode(5, 0, 0, 0)),
		mode("method 7", newMode(7, 0, 0, 0)),
		mode("direct, with a tunnel", newMode(direct, tunGRE, 0, 0)),
		mode("NAT, with a tunnel's port", newMode(masquerade, 0, 5, 0)),
		mode("tunnel type 9", newMode(tunnel, 9, 0, 0)),
		mode("GUE to port 0", GUE(0)),
		mode("GUE with both checksums", GUE(5, TunnelChecksum, TunnelRemoteChecksum)),
		mode("GUE with flags that are none", GUE(5, 4)),
		mode("GRE that leaves the checksum", GRE(TunnelRemoteChecksum)),
		mode("GRE with a port", newMode(tunnel, tunGRE, 5, 0)),
		mode("IPIP with a checksum", newMode(tunnel, tunIPIP, 0, 1)),
		server("weight -1", "Weight", func(s *RealServer) { s.Weight = -1 }),
		server("weight 2^31", "Weight", func(s *RealServer) {
			over := uint32(1 << 31) // negative where an int has 32 bits
			s.Weight = int(over)
		}),
		server("upper threshold 2^31", "UpperThreshold", func(s *RealServer) { s.UpperThreshold = 1 << 31 }),
		server("lower threshold above upper", "LowerThreshold", func(s *RealServer) { s.UpperThreshold, s.LowerThreshold = 5, 6 }),
		server("lower threshold without upper", "LowerThreshold", func(s *RealServer) { s.LowerThreshold = 1 }),
		{"server: of no service", AddRealServer(ServiceID{}, NewRealServer(webRIP, DR)), "ID"},
		{"server: of a mark, with a port", AddRealServer(FWMark(7), NewRealServer(webRIP, DR)), "Addr"},
		{"server: an update", UpdateRealServer(webID, NewRealServer(webRIP, GUE(0))), "Mode"},
		{"server: removal without address", RemoveRealServer(webID, netip.AddrPort{}), "Addr"},
		{"server: removal from no service", RemoveRealServer(ServiceID{}, webRIP), "ID"},

		{"timeouts: negative", SetTimeouts(Timeouts{TCP: -sec}), "TCP"},
		{"timeouts: a fraction", SetTimeouts(Timeouts{TCPFin: sec / 2}), "TCPFin"},
		{"timeouts: too long for any kernel", SetTimeouts(Timeouts{UDP: (math.MaxInt32 + 1) * sec}), "UDP"},

		daemon("no role", "Role", func(d *SyncDaemon) { d.Role = 0 }),
		daemon("role 3", "Role", func(d *SyncDaemon) { d.Role = 3 }),
		daemon("no interface", "Interface", func(d *SyncDaemon) { d.Interface = "" }),
		daemon("an interface of 16 characters", "Interface", func(d *SyncDaemon) { d.Interface = "abcdefghijklmnop" }),
		daemon("an interface with a slash", "Interface", func(d *SyncDaemon) { d.Interface = "a/b" }),
		daemon("sync id 256", "SyncID", func(d *SyncDaemon) { d.SyncID = 256 }),
		daemon("a group that is not multicast", "Group", func(d *SyncDaemon) { d.Group = netip.MustParseAddr("10.0.0.1") }),
		daemon("a group with a zone", "Group", func(d *SyncDaemon) { d.Group = netip.MustParseAddr("ff02::1%eth0") }),
		{"daemon: stopping no role", StopSyncDaemon(0), "Role"},
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
func countingClient(t *testing.T, g ground) (*Client, *atomic.Int64) {
	t.Helper()
	sent := new(atomic.Int64)
	return clientOf(t, func() (genl.Socket, error) {
		s, err := g.Dial()
		return countingSocket{s, sent}, err
	}), sent
}

// What can never work is refused before the kernel sees it, and all that was to
// be done with it.
func TestConformanceRefusedValues(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		c, sent := countingClient(t, g)
		ctx := groundContext(t)
		must(t, c.Do(ctx, AddService(Service{ID: webID}), AddRealServer(webID, NewRealServer(webRIP, DR)), AddService(Service{ID: FWMark(7)})))
		sent.Store(0)
		for _, tc := range refused() {
			t.Run(tc.name, func(t *testing.T) {
				err := c.Do(ctx, AddService(Service{ID: dnsID}), tc.do)
				var all *BatchError
				if !errors.As(err, &all) || len(all.Failures) != 1 || all.Failures[0].Index != 1 || all.Total != 2 {
					t.Fatalf("%v, want a *DoError of the second of two changes", err)
				}
				e := all.Failures[0].Err
				ofKind(t, tc.name, e, ErrInvalid)
				if e.Field != tc.field || e.Errno != 0 || e.Unknown {
					t.Errorf("%v: field %q, errno %v, unknown %t; want field %q and no answer of the kernel", e, e.Field, e.Errno, e.Unknown, tc.field)
				}
			})
		}
		if n := sent.Load(); n != 0 {
			t.Errorf("%d datagrams were sent", n)
		}
	})
}

// Calls that read refuse what names nothing.
func TestConformanceRefusedReads(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		c, ctx := groundClient(t, g), groundContext(t)
		for name, call := range map[string]func() error{
			"service":      func() error { _, err := c.Service(ctx, ServiceID{}); return err },
			"servers":      func() error { _, err := c.RealServers(ctx, ServiceID{}); return err },
			"server":       func() error { _, err := c.RealServer(ctx, ServiceID{}, webRIP); return err },
			"edit service": func() error { _, err := c.ModifyService(ctx, ServiceID{}, func(*Service) {}); return err },
		} {
			err := call()
			ofKind(t, name, err, ErrInvalid)
			var e *Error
			if errors.As(err, &e) && e.Field != "ID" {
				t.Errorf("%s: the field is %q, want ID", name, e.Field)
			}
		}
	})
}

// An edit of something refuses what is new and wrong, and then changes nothing.
func TestConformanceRefusedEdits(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		c, ctx := groundClient(t, g), groundContext(t)
		must(t, c.Do(ctx, AddService(Service{ID: webID, Scheduler: RR}), AddRealServer(webID, NewRealServer(webRIP, DR))))
		conn := dialRaw(t, g.Dial)
		before := conn.table()
		service := func(edit func(*Service)) error { _, err := c.ModifyService(ctx, webID, edit); return err }
		server := func(edit func(*RealServer)) error { _, err := c.ModifyRealServer(ctx, webID, webRIP, edit); return err }
		for _, tc := range []struct {
			field string
			err   error
		}{
			{"ID", service(func(s *Service) { s.ID = dnsID })},
			{"Scheduler", service(func(s *Service) { s.Scheduler = "" })},
			{"Scheduler", service(func(s *Service) { s.Scheduler = "A" })},
			{"Flags", service(func(s *Service) { s.SchedulerFlags = 1 })},
			{"OnePacket", service(func(s *Service) { s.OnePacket = true })},
			{"Persistence.Timeout", service(func(s *Service) { s.Persistence.Timeout = 1 })},
			{"Persistence.Mask", service(func(s *Service) { s.Persistence.Mask = PrefixMask(33) })},
			{"Addr", server(func(s *RealServer) { s.Addr = webRIP2 })},
			{"Mode", server(func(s *RealServer) { s.Mode = GUE(0) })},
			{"Weight", server(func(s *RealServer) { s.Weight = -1 })},
			{"UpperThreshold", server(func(s *RealServer) { s.UpperThreshold = 1 << 31 })},
			{"LowerThreshold", server(func(s *RealServer) { s.LowerThreshold = 1 })},
		} {
			ofKind(t, tc.field, tc.err, ErrInvalid)
			var e *Error
			if errors.As(tc.err, &e) && e.Field != tc.field {
				t.Errorf("%v: the field is %q, want %q", e, e.Field, tc.field)
			}
		}
		if after := conn.table(); after != before {
			t.Errorf("the table changed from\n%s\nto\n%s", before, after)
		}
	})
}
