package lvs

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golvs/lvs/internal/genl"
	"github.com/google/go-cmp/cmp"
)

// This file is the suite's upper layer: the client, on the grounds of the lower
// one.

// Services and servers that the tests of the client use.
var (
	webID   = TCP(netip.MustParseAddrPort("10.1.0.1:80"))
	web6ID  = TCP(netip.MustParseAddrPort("[fd00:1::1]:80"))
	dnsID   = UDP(netip.MustParseAddrPort("10.1.0.1:53"))
	sctpID  = SCTP(netip.MustParseAddrPort("10.1.0.1:5060"))
	webRIP  = netip.MustParseAddrPort("10.2.0.2:80")
	webRIP2 = netip.MustParseAddrPort("10.2.0.3:80")
	webRIP6 = netip.MustParseAddrPort("[fd00:1::2]:80")
)

// exactly compares services and servers as they are: their own Equal takes
// values for equal that mean the same to the kernel.
var exactly = cmp.Options{
	cmp.Comparer(func(a, b Service) bool { return a == b }),
	cmp.Comparer(func(a, b RealServer) bool { return a == b }),
}

// kinds are all kinds of error.
var kinds = []error{
	ErrNotFound, ErrExists, ErrPermission, ErrUnavailable, ErrScheduler, ErrUnstable, ErrInvalid, ErrClosed, ErrStuck, ErrBusy,
	errors.ErrUnsupported,
}

// ofKind complains unless an error is of one kind, and of no other.
func ofKind(t testing.TB, what string, err, want error) {
	t.Helper()
	for _, kind := range kinds {
		if errors.Is(err, kind) != (kind == want) {
			t.Errorf("%s: %v: it being %q is %t; the kind should be %q", what, err, kind, errors.Is(err, kind), want)
		}
	}
	var e *Error
	if !errors.As(err, &e) || e.Op == "" {
		t.Errorf("%s: %v (%T) is no *Error that says what was attempted", what, err, err)
	}
}

// must ends the test when something fails that cannot.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// clientMethods are the methods of Client that talk to the kernel, each called
// so that it succeeds on a table with webID and its server webRIP.
var clientMethods = map[string]func(context.Context, *Client) error{
	"Services": func(ctx context.Context, c *Client) error { _, err := c.Services(ctx); return err },
	"Service":  func(ctx context.Context, c *Client) error { _, err := c.Service(ctx, webID); return err },
	"Servers":  func(ctx context.Context, c *Client) error { _, err := c.Servers(ctx, webID); return err },
	"Server":   func(ctx context.Context, c *Client) error { _, err := c.Server(ctx, webID, webRIP); return err },
	"Snapshot": func(ctx context.Context, c *Client) error { _, err := c.Snapshot(ctx); return err },
	"Info":     func(ctx context.Context, c *Client) error { _, err := c.Info(ctx); return err },
	"Timeouts": func(ctx context.Context, c *Client) error { _, err := c.Timeouts(ctx); return err },
	"Daemons":  func(ctx context.Context, c *Client) error { _, err := c.Daemons(ctx); return err },
	"Do": func(ctx context.Context, c *Client) error {
		return only(c.Do(ctx, AddService(Service{ID: FWMark(1)})))
	},
	"AddService": func(ctx context.Context, c *Client) error { return c.AddService(ctx, Service{ID: dnsID}) },
	"UpdateService": func(ctx context.Context, c *Client) error {
		return c.UpdateService(ctx, Service{ID: webID, Scheduler: RR})
	},
	"EditService": func(ctx context.Context, c *Client) error {
		_, err := c.EditService(ctx, webID, func(s *Service) { s.Scheduler = LC })
		return err
	},
	"RemoveService": func(ctx context.Context, c *Client) error { return c.RemoveService(ctx, webID) },
	"AddServer": func(ctx context.Context, c *Client) error {
		return c.AddServer(ctx, webID, NewRealServer(webRIP2, DR))
	},
	"UpdateServer": func(ctx context.Context, c *Client) error {
		return c.UpdateServer(ctx, webID, NewRealServer(webRIP, NAT))
	},
	"EditServer": func(ctx context.Context, c *Client) error {
		_, err := c.EditServer(ctx, webID, webRIP, func(s *RealServer) { s.Weight = 7 })
		return err
	},
	"SetWeight":    func(ctx context.Context, c *Client) error { _, err := c.SetWeight(ctx, webID, webRIP, 5); return err },
	"RemoveServer": func(ctx context.Context, c *Client) error { return c.RemoveServer(ctx, webID, webRIP) },
	"Zero":         func(ctx context.Context, c *Client) error { return c.Zero(ctx, webID) },
	"ZeroAll":      func(ctx context.Context, c *Client) error { return c.ZeroAll(ctx) },
	"Flush":        func(ctx context.Context, c *Client) error { return c.Flush(ctx) },
	"SetTimeouts": func(ctx context.Context, c *Client) error {
		return c.SetTimeouts(ctx, Timeouts{UDP: time.Second})
	},
	"StartDaemon": func(ctx context.Context, c *Client) error {
		return c.StartDaemon(ctx, Daemon{Role: Master, Interface: groundDevice})
	},
	"StopDaemon": func(ctx context.Context, c *Client) error { return c.StopDaemon(ctx, Master) },
}

// TestConformanceMethods calls every method there is, as one who may, as one who
// may not, after the context's end, and after Close.
func TestConformanceMethods(t *testing.T) {
	all := reflect.TypeFor[*Client]()
	for i := range all.NumMethod() {
		if name := all.Method(i).Name; clientMethods[name] == nil && name != "Close" {
			t.Errorf("the method %s is not in the table", name)
		}
	}
	conformOne(t, func(t *testing.T, g ground) {
		ctx, c, conn := groundContext(t), groundClient(t, g), dialRaw(t, g.Dial)
		nobody, closed := clientOf(t, g.DialUnprivileged), groundClient(t, g)
		must(t, closed.Close())
		over, cancel := context.WithCancel(ctx)
		cancel()
		for name, method := range clientMethods {
			t.Run(name, func(t *testing.T) {
				t.Cleanup(conn.stopDaemons)
				must(t, c.Do(ctx, Flush(), AddService(Service{ID: webID}), AddServer(webID, NewRealServer(webRIP, DR))))
				if name == "StopDaemon" {
					must(t, clientMethods["StartDaemon"](ctx, c))
				}
				before := conn.table()
				if err := method(over, c); !errors.Is(err, context.Canceled) {
					t.Errorf("after the context's end: %v", err)
				}
				ofKind(t, "without the capability", method(ctx, nobody), ErrPermission)
				for _, ctx := range []context.Context{ctx, over} {
					err := method(ctx, closed)
					ofKind(t, "after Close", err, ErrClosed)
					if said := fmt.Sprint(err); !strings.Contains(said, "closed") || strings.Contains(said, "unknown") {
						t.Errorf("after Close: %s", said)
					}
				}
				if after := conn.table(); after != before {
					t.Errorf("failed, and yet the table changed from\n%s\nto\n%s", before, after)
				}
				if err := method(ctx, c); err != nil {
					t.Errorf("it fails: %v", err)
				}
			})
		}
	})
}

func TestConformanceCloseTwice(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		c := groundClient(t, g)
		must(t, c.Close())
		ofKind(t, "closing again", c.Close(), ErrClosed)
	})
}

// Every field of a service comes back as it was given.
func TestConformanceServiceRoundTrip(t *testing.T) {
	services := []Service{
		{ID: webID, Scheduler: WLC},
		{ID: web6ID, Scheduler: RR},
		{ID: dnsID, Scheduler: RR, OnePacket: true},
		{ID: sctpID, Scheduler: LC},
		{ID: FWMark(7), Scheduler: RR},
		{ID: FWMark6(7), Scheduler: RR},
		{ID: FWMark(math.MaxUint32), Scheduler: RR, OnePacket: true},
		{ID: FWMark6(1 << 31), Scheduler: RR, Persistence: Persistence{Timeout: time.Second, Mask: PrefixMask(64)}},
		{ID: TCP(netip.MustParseAddrPort("10.1.0.1:65535")), Scheduler: NoScheduler},
		{ID: TCP(netip.MustParseAddrPort("10.1.0.1:0")), Scheduler: SH, Persistence: Persistence{Timeout: time.Minute}},
		{ID: TCP(netip.MustParseAddrPort("[fd00:1::1]:0")), Scheduler: SH, Persistence: Persistence{Timeout: time.Minute}},
		{ID: webID, Scheduler: SH, Flags: Fallback},
		{ID: webID, Scheduler: MH, Flags: SourcePort},
		{ID: webID, Scheduler: MH, Flags: Fallback | SourcePort | flag3},
		{ID: webID, Scheduler: RR, Flags: 0xdeadbec0},
		{ID: webID, Scheduler: RR, Persistence: Persistence{Timeout: MaxPersistence}},
		{ID: webID, Scheduler: RR, Persistence: Persistence{Timeout: 5 * time.Minute, Mask: PrefixMask(24)}},
		{ID: webID, Scheduler: RR, Persistence: Persistence{Timeout: 5 * time.Minute, Mask: PrefixMask(0)}},
		{ID: webID, Scheduler: RR, Persistence: Persistence{Timeout: 5 * time.Minute, Mask: DottedMask([4]byte{255, 0, 255, 1})}},
		{ID: web6ID, Scheduler: RR, Persistence: Persistence{Timeout: 5 * time.Minute, Mask: PrefixMask(1)}},
		{ID: web6ID, Scheduler: RR, Persistence: Persistence{Timeout: 5 * time.Minute, Mask: PrefixMask(127)}},
		{ID: dnsID, Scheduler: RR, Persistence: Persistence{Timeout: time.Hour, Mask: PrefixMask(8), Engine: "sip"}, OnePacket: true},
	}
	for _, name := range []Scheduler{RR, WRR, LC, WLC, SED, NQ, FO, OVF, LBLC, LBLCR, DH, SH, MH, NoScheduler} {
		services = append(services, Service{ID: webID, Scheduler: name})
	}
	conformOne(t, func(t *testing.T, g ground) {
		c, ctx := groundClient(t, g), groundContext(t)
		for _, s := range services {
			must(t, c.AddService(ctx, s))
			got, err := c.Service(ctx, s.ID)
			must(t, err)
			if diff := cmp.Diff(ServiceStatus{Service: s}, got, exactly); diff != "" {
				t.Errorf("%s is added (-want +got)\n%s", s, diff)
			}
			// The same by an update, from a service that has everything else.
			other := Service{ID: s.ID, Scheduler: s.Scheduler, Flags: flag3, Persistence: Persistence{Timeout: time.Minute, Mask: PrefixMask(9)}}
			must(t, c.UpdateService(ctx, other))
			must(t, c.UpdateService(ctx, s))
			all, err := c.Services(ctx)
			must(t, err)
			if diff := cmp.Diff([]ServiceStatus{{Service: s}}, all, exactly); diff != "" {
				t.Errorf("%s is updated (-want +got)\n%s", s, diff)
			}
			must(t, c.RemoveService(ctx, s.ID))
		}
	})
}

// What means the same is written the same.
func TestConformanceServiceNormalForms(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		c, ctx := groundClient(t, g), groundContext(t)
		minute := Persistence{Timeout: time.Minute}
		for _, s := range []struct{ given, want Service }{
			{Service{ID: webID}, Service{ID: webID, Scheduler: WLC}},
			{
				Service{ID: TCP(netip.MustParseAddrPort("[::ffff:10.1.0.1]:80")), Scheduler: RR},
				Service{ID: webID, Scheduler: RR},
			},
			{
				Service{ID: webID, Scheduler: RR, Persistence: Persistence{Timeout: time.Minute, Mask: PrefixMask(32)}},
				Service{ID: webID, Scheduler: RR, Persistence: minute},
			},
			{
				Service{ID: webID, Scheduler: RR, Persistence: Persistence{Timeout: time.Minute, Mask: DottedMask([4]byte{255, 255, 255, 255})}},
				Service{ID: webID, Scheduler: RR, Persistence: minute},
			},
			{
				Service{ID: web6ID, Scheduler: RR, Persistence: Persistence{Timeout: time.Minute, Mask: PrefixMask(128)}},
				Service{ID: web6ID, Scheduler: RR, Persistence: minute},
			},
		} {
			must(t, c.AddService(ctx, s.given))
			all, err := c.Services(ctx)
			must(t, err)
			if diff := cmp.Diff([]ServiceStatus{{Service: s.want}}, all, exactly); diff != "" {
				t.Errorf("%s (-want +got)\n%s", s.given, diff)
			}
			must(t, c.RemoveService(ctx, s.want.ID))
		}
	})
}

// Every field of a server comes back as it was given, and the servers in the
// order in which they were added.
func TestConformanceServerRoundTrip(t *testing.T) {
	addr := netip.MustParseAddrPort
	tables := map[ServiceID][]RealServer{
		webID: {
			{Addr: addr("10.2.0.9:80"), Weight: 1},
			{Addr: addr("10.2.0.8:80"), Mode: NAT, Weight: 0},
			{Addr: addr("10.2.0.8:8080"), Mode: NAT, Weight: math.MaxInt32},
			{Addr: addr("10.2.0.7:80"), Mode: IPIP, Weight: 65536},
			{Addr: addr("10.2.0.6:80"), Mode: GUE(6080), Weight: 1},
			{Addr: addr("10.2.0.5:80"), Mode: GUE(65535, TunnelChecksum), Weight: 1},
			{Addr: addr("10.2.0.4:80"), Mode: GUE(1, TunnelRemoteChecksum), Weight: 1},
			{Addr: addr("10.2.0.10:80"), Mode: GRE(), Weight: 1},
			{Addr: addr("10.2.0.3:80"), Mode: GRE(TunnelChecksum), Weight: 1},
			{Addr: addr("10.2.0.2:80"), Mode: LocalNode, Weight: 1},
			{Addr: addr("10.2.0.1:80"), Mode: Bypass, Weight: 1},
			{Addr: addr("10.2.0.20:80"), Weight: 1, UpperThreshold: math.MaxInt32, LowerThreshold: math.MaxInt32},
			{Addr: addr("10.2.0.21:80"), Weight: 1, UpperThreshold: 10},
			{Addr: addr("10.2.0.22:80"), Weight: 1, UpperThreshold: 10, LowerThreshold: 1},
			{Addr: addr("127.0.0.1:80"), Mode: NAT, Weight: 1},
			{Addr: addr("[fd00:1::2]:80"), Mode: IPIP, Weight: 1},
			{Addr: addr("[fd00:1::3]:80"), Mode: GUE(6080), Weight: 1},
			{Addr: addr("[fd00:1::4]:80"), Mode: GRE(), Weight: 1},
		},
		web6ID: {
			{Addr: addr("[fd00:1::9]:80"), Weight: 1},
			{Addr: addr("[fd00:1::8]:8080"), Mode: NAT, Weight: 1},
			{Addr: addr("[fd00:1::7]:80"), Mode: IPIP, Weight: 1},
			{Addr: addr("10.2.0.2:80"), Mode: IPIP, Weight: 1},
			{Addr: addr("10.2.0.3:80"), Mode: GUE(6080, TunnelChecksum), Weight: 1},
			{Addr: addr("[::1]:80"), Mode: NAT, Weight: 1},
		},
		FWMark(7):  {{Addr: addr("10.2.0.2:0"), Weight: 1}, {Addr: addr("10.2.0.3:8080"), Mode: NAT, Weight: 2}},
		FWMark6(7): {{Addr: addr("[fd00:1::2]:0"), Weight: 1}, {Addr: addr("10.2.0.2:0"), Mode: IPIP, Weight: 2}},
	}
	conformOne(t, func(t *testing.T, g ground) {
		c, ctx := groundClient(t, g), groundContext(t)
		for id, servers := range tables {
			changes := []Change{AddService(Service{ID: id})}
			var want []RealServerStatus
			for _, s := range servers {
				changes = append(changes, AddServer(id, s))
				want = append(want, RealServerStatus{RealServer: s})
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
				must(t, c.UpdateServer(ctx, id, next))
			}
			compareServers(t, c, id, want)

			for _, s := range servers {
				must(t, c.RemoveServer(ctx, id, s.Addr))
			}
			compareServers(t, c, id, nil)
		}
	})
}

func compareServers(t *testing.T, c *Client, id ServiceID, want []RealServerStatus) {
	t.Helper()
	got, err := c.Servers(groundContext(t), id)
	must(t, err)
	if len(got) == 0 && len(want) == 0 {
		return
	}
	if diff := cmp.Diff(want, got, exactly); diff != "" {
		t.Errorf("the servers of %s (-want +got)\n%s", id, diff)
	}
	for _, s := range want {
		got, err := c.Server(groundContext(t), id, s.Addr)
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
		must(t, c.AddService(ctx, Service{ID: webID}))
		var want []RealServerStatus
		for i := range 500 {
			s := NewRealServer(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, byte(1 + i/200), byte(1 + i%200)}), 80), DR)
			want = append(want, RealServerStatus{RealServer: s})
			must(t, c.AddServer(ctx, webID, s))
		}
		again := want[7]
		mapped := netip.AddrPortFrom(netip.AddrFrom16(again.Addr.Addr().As16()), 80)
		must(t, c.Do(ctx, RemoveServer(webID, mapped), AddServer(webID, NewRealServer(mapped, DR))))
		want = append(append(want[:7:7], want[8:]...), again)
		got, err := c.Servers(ctx, webID)
		must(t, err)
		if diff := cmp.Diff(want, got, exactly); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}

// Each kind of change, and what it leaves behind.
func TestConformanceChanges(t *testing.T) {
	web := Service{ID: webID, Scheduler: RR}
	rip := NewRealServer(webRIP, DR)
	table := func(s Service, servers ...RealServer) string {
		text := s.String()
		for _, r := range servers {
			text += "\n\t" + r.String()
		}
		return text
	}
	daemon := Daemon{Role: Master, Interface: groundDevice, SyncID: 9}
	running := Daemon{
		Role: Master, Interface: groundDevice, SyncID: 9, MaxLen: 1472, Group: netip.MustParseAddr("224.0.0.81"), Port: 8848, TTL: 1,
	}
	const usual = "tcp 15m0s tcpfin 2m0s udp 5m0s"
	cases := []struct {
		given []Change
		do    Change
		want  string
	}{
		{nil, AddService(web), table(web) + "\n" + usual},
		{[]Change{AddService(web)}, UpdateService(Service{ID: webID, Scheduler: SH, Flags: Fallback}), table(Service{ID: webID, Scheduler: SH, Flags: Fallback}) + "\n" + usual},
		{[]Change{AddService(web), AddService(Service{ID: dnsID, Scheduler: RR})}, RemoveService(dnsID), table(web) + "\n" + usual},
		{[]Change{AddService(web)}, AddServer(webID, rip), table(web, rip) + "\n" + usual},
		{[]Change{AddService(web), AddServer(webID, rip)}, UpdateServer(webID, NewRealServer(webRIP, NAT)), table(web, NewRealServer(webRIP, NAT)) + "\n" + usual},
		{[]Change{AddService(web), AddServer(webID, rip)}, RemoveServer(webID, webRIP), table(web) + "\n" + usual},
		{[]Change{AddService(web)}, Zero(webID), table(web) + "\n" + usual},
		{[]Change{AddService(web)}, ZeroAll(), table(web) + "\n" + usual},
		{[]Change{AddService(web)}, Flush(), usual},
		{nil, SetTimeouts(Timeouts{TCPFin: time.Second, UDP: time.Hour}), "tcp 15m0s tcpfin 1s udp 1h0m0s"},
		{nil, StartDaemon(daemon), running.String() + "\n" + usual},
		{[]Change{StartDaemon(daemon)}, StopDaemon(Master), usual},
	}
	covered := make(map[changeKind]bool)
	for _, c := range cases {
		covered[c.do.kind] = true
	}
	for kind := range changeKinds {
		if changeKind(kind) != noChange && !covered[changeKind(kind)] {
			t.Errorf("the kind %q is not in the table", changeKinds[kind].op)
		}
	}
	conform(t, func(t *testing.T, fresh func(testing.TB) ground) {
		for _, tc := range cases {
			t.Run(changeKinds[tc.do.kind].op, func(t *testing.T) {
				g := fresh(t)
				t.Cleanup(dialRaw(t, g.Dial).stopDaemons)
				c := groundClient(t, g)
				must(t, c.Do(groundContext(t), append(tc.given, tc.do)...))
				if diff := cmp.Diff(tc.want, describe(t, c)); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
			})
		}
	})
}

// describe reads all there is.
func describe(t *testing.T, c *Client) string {
	t.Helper()
	ctx := groundContext(t)
	var lines []string
	entries, err := c.Snapshot(ctx)
	must(t, err)
	for _, e := range entries {
		lines = append(lines, e.Service.String())
		for _, s := range e.Servers {
			lines = append(lines, "\t"+s.RealServer.String())
		}
	}
	daemons, err := c.Daemons(ctx)
	must(t, err)
	for _, d := range daemons {
		lines = append(lines, d.String())
	}
	timeouts, err := c.Timeouts(ctx)
	must(t, err)
	return strings.Join(append(lines, timeouts.String()), "\n")
}

// The kinds of error that the kernel's answers are made into.
func TestConformanceErrorKinds(t *testing.T) {
	absent := netip.MustParseAddrPort("10.2.0.9:80")
	at := func(s string, m Mode) RealServer { return NewRealServer(netip.MustParseAddrPort(s), m) }
	conformOne(t, func(t *testing.T, g ground) {
		c, ctx := groundClient(t, g), groundContext(t)
		conn := dialRaw(t, g.Dial)
		must(t, c.Do(ctx, AddService(Service{ID: webID}), AddServer(webID, NewRealServer(webRIP, DR)), AddService(Service{ID: web6ID}),
			StartDaemon(Daemon{Role: Backup, Interface: groundDevice})))
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
			{"zero a service that is not", Zero(dnsID), ErrNotFound, ESRCH, ""},
			{"unknown scheduler", AddService(Service{ID: dnsID, Scheduler: "nosuch"}), ErrScheduler, ENOENT, ""},
			{"update to an unknown scheduler", UpdateService(Service{ID: webID, Scheduler: "nosuch"}), ErrScheduler, ENOENT, ""},
			{
				"unknown engine", AddService(Service{ID: dnsID, Persistence: Persistence{Timeout: time.Second, Engine: "nosuch"}}),
				ErrScheduler, ENOENT, "",
			},
			{"add a server that is there", AddServer(webID, NewRealServer(webRIP, NAT)), ErrExists, EEXIST, ""},
			{"add a server to a service that is not", AddServer(dnsID, at("10.2.0.2:53", DR)), ErrNotFound, ESRCH, ""},
			{"update a server that is not", UpdateServer(webID, NewRealServer(absent, DR)), ErrNotFound, ENOENT, ""},
			{"update a server of a service that is not", UpdateServer(dnsID, at("10.2.0.2:53", DR)), ErrNotFound, ESRCH, ""},
			{"remove a server that is not", RemoveServer(webID, absent), ErrNotFound, ENOENT, ""},
			{"remove a server of a service that is not", RemoveServer(dnsID, absent), ErrNotFound, ESRCH, ""},
			{"a broadcast address", AddServer(webID, at("10.2.255.255:80", DR)), ErrInvalid, EINVAL, ""},
			{"the broadcast address", AddServer(webID, at("255.255.255.255:80", DR)), ErrInvalid, EINVAL, ""},
			{"a link-local address", AddServer(web6ID, at("[fe80::1]:80", DR)), ErrInvalid, EINVAL, ""},
			{"another family while a daemon runs", AddServer(webID, at("[fd00:1::2]:80", IPIP)), ErrInvalid, EINVAL, ""},
			{"timeouts too long", SetTimeouts(Timeouts{TCP: math.MaxInt32 * time.Second}), ErrInvalid, EINVAL, ""},
			{"start a daemon that runs", StartDaemon(Daemon{Role: Backup, Interface: groundDevice}), ErrExists, EEXIST, ""},
			{"start a daemon on no interface", StartDaemon(Daemon{Role: Master, Interface: "nosuch"}), ErrInvalid, ENODEV, "Interface"},
			{
				"a daemon on lo with an IPv6 group",
				StartDaemon(Daemon{Role: Master, Interface: "lo", Group: netip.MustParseAddr("ff02::81")}), ErrInvalid, ENETUNREACH, "Interface",
			},
			{"stop a daemon that does not run", StopDaemon(Master), ErrNotFound, ESRCH, ""},
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
			"servers":                      func() error { _, err := c.Servers(ctx, dnsID); return err },
			"server":                       func() error { _, err := c.Server(ctx, webID, webRIP); return err },
			"server of no service":         func() error { _, err := c.Server(ctx, dnsID, webRIP); return err },
			"edit service":                 func() error { _, err := c.EditService(ctx, dnsID, service); return err },
			"edit server":                  func() error { _, err := c.EditServer(ctx, webID, webRIP, server); return err },
			"edit server of no service":    func() error { _, err := c.EditServer(ctx, dnsID, webRIP, server); return err },
			"set weight":                   func() error { _, err := c.SetWeight(ctx, webID, webRIP, 3); return err },
			"set weight of another family": func() error { _, err := c.SetWeight(ctx, webID, webRIP6, 3); return err },
		} {
			ofKind(t, name, call(), ErrNotFound)
		}
		if got, err := c.Servers(ctx, webID); err != nil || len(got) != 0 {
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
		return row{"server: " + name, AddServer(webID, s), field}
	}
	mode := func(name string, m Mode) row {
		return server(name, "Mode", func(s *RealServer) { s.Mode = m })
	}
	addr := func(name, a string) row {
		return server(name, "Addr", func(s *RealServer) { s.Addr = netip.MustParseAddrPort(a) })
	}
	daemon := func(name, field string, change func(*Daemon)) row {
		d := Daemon{Role: Master, Interface: groundDevice}
		change(&d)
		return row{"daemon: " + name, StartDaemon(d), field}
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
		service("the persistent flag", "Flags", func(s *Service) { s.Flags = 1 }),
		service("the hashed flag", "Flags", func(s *Service) { s.Flags = 2 }),
		service("the one-packet flag", "Flags", func(s *Service) { s.Flags = 4 }),
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
		{"service: zeroing without identity", Zero(ServiceID{}), "ID"},

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
		{"server: of no service", AddServer(ServiceID{}, NewRealServer(webRIP, DR)), "ID"},
		{"server: of a mark, with a port", AddServer(FWMark(7), NewRealServer(webRIP, DR)), "Addr"},
		{"server: an update", UpdateServer(webID, NewRealServer(webRIP, GUE(0))), "Mode"},
		{"server: removal without address", RemoveServer(webID, netip.AddrPort{}), "Addr"},
		{"server: removal from no service", RemoveServer(ServiceID{}, webRIP), "ID"},

		{"timeouts: negative", SetTimeouts(Timeouts{TCP: -sec}), "TCP"},
		{"timeouts: a fraction", SetTimeouts(Timeouts{TCPFin: sec / 2}), "TCPFin"},
		{"timeouts: too long for any kernel", SetTimeouts(Timeouts{UDP: (math.MaxInt32 + 1) * sec}), "UDP"},

		daemon("no role", "Role", func(d *Daemon) { d.Role = 0 }),
		daemon("role 3", "Role", func(d *Daemon) { d.Role = 3 }),
		daemon("no interface", "Interface", func(d *Daemon) { d.Interface = "" }),
		daemon("an interface of 16 characters", "Interface", func(d *Daemon) { d.Interface = "abcdefghijklmnop" }),
		daemon("an interface with a slash", "Interface", func(d *Daemon) { d.Interface = "a/b" }),
		daemon("sync id 256", "SyncID", func(d *Daemon) { d.SyncID = 256 }),
		daemon("a group that is not multicast", "Group", func(d *Daemon) { d.Group = netip.MustParseAddr("10.0.0.1") }),
		daemon("a group with a zone", "Group", func(d *Daemon) { d.Group = netip.MustParseAddr("ff02::1%eth0") }),
		{"daemon: stopping no role", StopDaemon(0), "Role"},
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

// What can never work is refused before the kernel sees it, and all that was to
// be done with it.
func TestConformanceRefusedValues(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		var sent atomic.Int64
		c := clientOf(t, func() (genl.Socket, error) {
			s, err := g.Dial()
			return countingSocket{s, &sent}, err
		})
		ctx := groundContext(t)
		must(t, c.Do(ctx, AddService(Service{ID: webID}), AddServer(webID, NewRealServer(webRIP, DR)), AddService(Service{ID: FWMark(7)})))
		sent.Store(0)
		for _, tc := range refused() {
			t.Run(tc.name, func(t *testing.T) {
				err := c.Do(ctx, AddService(Service{ID: dnsID}), tc.do)
				var all *DoError
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
			"servers":      func() error { _, err := c.Servers(ctx, ServiceID{}); return err },
			"server":       func() error { _, err := c.Server(ctx, ServiceID{}, webRIP); return err },
			"edit service": func() error { _, err := c.EditService(ctx, ServiceID{}, func(*Service) {}); return err },
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
		must(t, c.Do(ctx, AddService(Service{ID: webID, Scheduler: RR}), AddServer(webID, NewRealServer(webRIP, DR))))
		conn := dialRaw(t, g.Dial)
		before := conn.table()
		service := func(edit func(*Service)) error { _, err := c.EditService(ctx, webID, edit); return err }
		server := func(edit func(*RealServer)) error { _, err := c.EditServer(ctx, webID, webRIP, edit); return err }
		for _, tc := range []struct {
			field string
			err   error
		}{
			{"ID", service(func(s *Service) { s.ID = dnsID })},
			{"Scheduler", service(func(s *Service) { s.Scheduler = "" })},
			{"Scheduler", service(func(s *Service) { s.Scheduler = "A" })},
			{"Flags", service(func(s *Service) { s.Flags = 1 })},
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

// An edit changes what it touches, keeps all else, and returns what was there.
func TestConformanceEdits(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		c, ctx := groundClient(t, g), groundContext(t)
		s := Service{
			ID: dnsID, Scheduler: SH, Flags: Fallback | flag3, OnePacket: true,
			Persistence: Persistence{Timeout: time.Minute, Mask: PrefixMask(24), Engine: "sip"},
		}
		r := RealServer{
			Addr: netip.MustParseAddrPort("10.2.0.2:53"), Mode: GUE(6080, TunnelChecksum), Weight: 3, UpperThreshold: 9, LowerThreshold: 8,
		}
		must(t, c.Do(ctx, AddService(s), AddServer(dnsID, r)))

		was, err := c.EditService(ctx, dnsID, func(s *Service) { s.Scheduler = MH })
		must(t, err)
		compare(t, "the service before", s, was)
		s.Scheduler = MH
		now, err := c.Service(ctx, dnsID)
		must(t, err)
		compare(t, "the service", s, now.Service)

		wasR, err := c.EditServer(ctx, dnsID, r.Addr, func(s *RealServer) { s.UpperThreshold = 99 })
		must(t, err)
		compare(t, "the server before", r, wasR)
		r.UpperThreshold = 99
		weight, err := c.SetWeight(ctx, dnsID, r.Addr, 0)
		must(t, err)
		compare(t, "the weight before", 3, weight)
		r.Weight = 0
		nowR, err := c.Server(ctx, dnsID, r.Addr)
		must(t, err)
		compare(t, "the server", r, nowR.RealServer)
	})
}

func compare[T any](t testing.TB, what string, want, got T) {
	t.Helper()
	if diff := cmp.Diff(want, got, exactly); diff != "" {
		t.Errorf("%s (-want +got)\n%s", what, diff)
	}
}

// An edit that changes nothing sends nothing but its question.
func TestConformanceEditOfNothing(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		var sent atomic.Int64
		c := clientOf(t, func() (genl.Socket, error) {
			s, err := g.Dial()
			return countingSocket{s, &sent}, err
		})
		ctx := groundContext(t)
		must(t, c.Do(ctx, AddService(Service{ID: webID}), AddServer(webID, NewRealServer(webRIP, DR))))
		sent.Store(0)
		_, err := c.EditService(ctx, webID, func(*Service) {})
		must(t, err)
		_, err = c.SetWeight(ctx, webID, webRIP, 1)
		must(t, err)
		if n := sent.Load(); n != 2 {
			t.Errorf("%d datagrams were sent, want the 2 that ask", n)
		}
	})
}

// The client tells which changes failed, and makes the others.
func TestConformanceFailuresInTheMiddle(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		c, ctx := groundClient(t, g), groundContext(t)
		err := c.Do(ctx,
			AddService(Service{ID: webID, Scheduler: RR}),
			AddService(Service{ID: webID, Scheduler: LC}),
			AddServer(dnsID, NewRealServer(netip.MustParseAddrPort("10.2.0.2:53"), DR)),
			AddServer(webID, NewRealServer(webRIP, DR)),
			UpdateServer(webID, NewRealServer(webRIP2, DR)),
			AddService(Service{ID: dnsID, Scheduler: "nosuch"}),
			AddServer(webID, NewRealServer(netip.MustParseAddrPort("10.2.255.255:80"), DR)),
			AddServer(webID, NewRealServer(webRIP2, DR)),
		)
		var all *DoError
		if !errors.As(err, &all) {
			t.Fatalf("%v is no *DoError", err)
		}
		var got []string
		for _, f := range all.Failures {
			got = append(got, fmt.Sprintf("%d %v %s", f.Index, f.Err.Errno, f.Change))
		}
		compare(t, "failures", []string{
			"1 EEXIST + tcp://10.1.0.1:80 lc",
			"2 ESRCH + udp://10.1.0.1:53 -> 10.2.0.2:53 dr weight 1",
			"4 ENOENT ~ tcp://10.1.0.1:80 -> 10.2.0.3:80 dr weight 1",
			"5 ENOENT + udp://10.1.0.1:53 nosuch",
			"6 EINVAL + tcp://10.1.0.1:80 -> 10.2.255.255:80 dr weight 1",
		}, got)
		for i, want := range []error{ErrExists, ErrNotFound, ErrNotFound, ErrScheduler, ErrInvalid} {
			if i < len(all.Failures) {
				ofKind(t, got[i], all.Failures[i].Err, want)
			}
		}
		for _, kind := range kinds {
			if errors.Is(err, kind) {
				t.Errorf("failures of several kinds are %q as a whole", kind)
			}
		}
		compare(t, "what was made", "tcp://10.1.0.1:80 rr\n\t10.2.0.2:80 dr weight 1\n\t10.2.0.3:80 dr weight 1\ntcp 15m0s tcpfin 2m0s udp 5m0s",
			describe(t, c))
	})
}

// Thousands of failures are told one by one, in order.
func TestConformanceThousandsOfFailures(t *testing.T) {
	const n = 6000
	conformOne(t, func(t *testing.T, g ground) {
		c, ctx := groundClient(t, g), groundContext(t)
		changes := make([]Change, n)
		for i := range changes {
			changes[i] = RemoveService(FWMark(uint32(i + 1)))
			if i%1000 == 999 {
				changes[i] = AddService(Service{ID: FWMark(uint32(i + 1)), Scheduler: RR})
			}
		}
		err := c.Do(ctx, changes...)
		var all *DoError
		if !errors.As(err, &all) || !errors.Is(err, ErrNotFound) {
			t.Fatalf("%v, want a *DoError of ErrNotFound", err)
		}
		failed := 0
		for i := range changes {
			if i%1000 == 999 {
				continue
			}
			if f := all.Failures[failed]; f.Index != i || !f.Change.Equal(changes[i]) || f.Err.Errno != ESRCH || f.Err.Unknown {
				t.Fatalf("failure %d is of change %d: %v; want change %d", failed, f.Index, f.Err, i)
			}
			failed++
		}
		if len(all.Failures) != failed || all.Total != n {
			t.Errorf("%d failures of %d, want %d of %d", len(all.Failures), all.Total, failed, n)
		}
		services, err := c.Services(ctx)
		must(t, err)
		if len(services) != n/1000 {
			t.Errorf("there are %d services, want %d", len(services), n/1000)
		}
	})
}

// Thousands of changes are made, and listed, in the documented order, at once.
func TestConformanceThousandsOfServices(t *testing.T) {
	const n = 5000
	conformOne(t, func(t *testing.T, g ground) {
		c, ctx := groundClient(t, g), groundContext(t)
		var changes []Change
		var want []ServiceStatus
		for i := range n {
			s := Service{ID: TCP(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 80)), Scheduler: RR}
			changes = append(changes, AddService(s))
			want = append(want, ServiceStatus{Service: s})
		}
		must(t, c.Do(ctx, changes...))
		for range 3 {
			got, err := c.Services(ctx)
			must(t, err)
			if diff := cmp.Diff(want, got, exactly); diff != "" {
				t.Fatalf("%d services are listed, want %d (-want +got)\n%.2000s", len(got), n, diff)
			}
		}
	})
}

func TestConformanceTimeouts(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		c, ctx := groundClient(t, g), groundContext(t)
		want := Timeouts{TCP: 15 * time.Minute, TCPFin: 2 * time.Minute, UDP: 5 * time.Minute}
		check := func() {
			t.Helper()
			got, err := c.Timeouts(ctx)
			must(t, err)
			compare(t, "timeouts", want, got)
		}
		check()
		must(t, c.SetTimeouts(ctx, Timeouts{TCPFin: 7 * time.Second}))
		want.TCPFin = 7 * time.Second
		check()
		want = Timeouts{TCP: 31 * 24 * time.Hour / 2, TCPFin: time.Second, UDP: time.Hour}
		must(t, c.SetTimeouts(ctx, want))
		check()
	})
}

func TestConformanceInfo(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		c, ctx := groundClient(t, g), groundContext(t)
		want := Info{Version: "1.2.1", ConnTableSize: 4096}
		if g.Release().ownTables() {
			want.ConnTableSize = 0
		}
		got, err := c.Info(ctx)
		must(t, err)
		compare(t, "info of an empty table", want, got)
		must(t, c.AddService(ctx, Service{ID: webID}))
		got, err = c.Info(ctx)
		must(t, err)
		if got.Version != "1.2.1" || got.ConnTableSize < 256 {
			t.Errorf("info is %+v", got)
		}
	})
}

func TestConformanceDaemons(t *testing.T) {
	master := Daemon{Role: Master, Interface: groundDevice, SyncID: 255, MaxLen: 1200, Group: netip.MustParseAddr("239.1.2.3"), Port: 9999, TTL: 7}
	backup := Daemon{Role: Backup, Interface: groundDevice, Group: netip.MustParseAddr("ff02::81")}
	started := backup
	started.MaxLen, started.Port, started.TTL = 1452, 8848, 1
	conformOne(t, func(t *testing.T, g ground) {
		c, ctx := groundClient(t, g), groundContext(t)
		t.Cleanup(dialRaw(t, g.Dial).stopDaemons)
		check := func(want ...Daemon) {
			t.Helper()
			got, err := c.Daemons(ctx)
			must(t, err)
			if len(got)+len(want) > 0 {
				compare(t, "daemons", want, got)
			}
		}
		check()
		must(t, c.StartDaemon(ctx, backup))
		check(started)
		must(t, c.StartDaemon(ctx, master))
		check(master, started)
		must(t, c.StopDaemon(ctx, Backup))
		check(master)

		// The kernel does not answer who stops a daemon that has not run yet.
		must(t, c.StopDaemon(ctx, Master))
		for range 5 {
			must(t, c.Do(ctx, StartDaemon(master), StopDaemon(Master)))
			must(t, c.Do(ctx, StartDaemon(master), StartDaemon(backup), StopDaemon(Master), StopDaemon(Backup), ZeroAll()))
			must(t, c.StartDaemon(ctx, master))
			must(t, c.StopDaemon(ctx, Master))
		}
		check()
	})
}

// Counters and connections come through, and are zeroed.
func TestConformanceCounters(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		c, ctx := groundClient(t, g), groundContext(t)
		rip := netip.MustParseAddrPort(dnsServer)
		must(t, c.Do(ctx,
			AddService(Service{ID: dnsID, Scheduler: RR, Persistence: Persistence{Timeout: time.Minute}}),
			AddServer(dnsID, NewRealServer(rip, DR))))
		send := func() { g.Datagram(t, dnsClient, dnsVIP) }
		counters := func() (Stats, RealServerStatus) {
			s, err := c.Service(ctx, dnsID)
			must(t, err)
			r, err := c.Server(ctx, dnsID, rip)
			must(t, err)
			s.Stats.Rates, r.Stats.Rates = Rates{}, Rates{} // depend on the moment
			return s.Stats, r
		}
		// "hello" behind the headers of IPv4 and UDP.
		expect := func(when string, want Stats) {
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
			compare(t, when+", the connections", [3]uint32{0, 1, 1}, [3]uint32{r.ActiveConns, r.InactiveConns, r.PersistentConns})
		}
		const size = 20 + 8 + 5
		send()
		expect("one packet", Stats{Conns: 1, InPackets: 1, InBytes: size})
		send()
		expect("two packets", Stats{Conns: 1, InPackets: 2, InBytes: 2 * size})
		must(t, c.Zero(ctx, dnsID))
		if s, r := counters(); s != (Stats{}) || r.Stats != (Stats{}) {
			t.Errorf("zeroed, there are %v and %v", s, r.Stats)
		}
		send()
		expect("one packet after that", Stats{InPackets: 1, InBytes: size})
		must(t, c.ZeroAll(ctx))
		if s, r := counters(); s != (Stats{}) || r.Stats != (Stats{}) {
			t.Errorf("all zeroed, there are %v and %v", s, r.Stats)
		}
	})
}

// A snapshot has all services, ordered, each with its servers in their order.
func TestConformanceSnapshot(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		c, ctx := groundClient(t, g), groundContext(t)
		var want []ServiceEntry
		var changes []Change
		for _, id := range []ServiceID{
			webID, web6ID, dnsID, UDP(netip.MustParseAddrPort("10.1.0.2:53")), sctpID, FWMark(7), FWMark6(7), FWMark(8),
		} {
			e := ServiceEntry{ServiceStatus: ServiceStatus{Service: Service{ID: id, Scheduler: RR}}, Servers: []RealServerStatus{}}
			changes = append([]Change{AddService(e.Service)}, changes...) // backwards, but with the servers behind
			for i := range len(want) % 4 {
				addr := netip.MustParseAddr([]string{"10.2.0.9", "10.2.0.7", "10.2.0.8"}[i])
				s := NewRealServer(netip.AddrPortFrom(addr, id.VIP().Port()), IPIP)
				e.Servers = append(e.Servers, RealServerStatus{RealServer: s})
				changes = append(changes, AddServer(id, s))
			}
			want = append(want, e)
		}
		must(t, c.Do(ctx, changes...))
		got, err := c.Snapshot(ctx)
		must(t, err)
		for i := range got {
			if got[i].Servers == nil {
				got[i].Servers = []RealServerStatus{}
			}
		}
		compare(t, "snapshot", want, got)
		must(t, c.Flush(ctx))
		if got, err := c.Snapshot(ctx); err != nil || len(got) != 0 {
			t.Errorf("after a flush: %v, %v", got, err)
		}
	})
}
