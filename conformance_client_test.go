package lvs

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

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
	"Services":    func(ctx context.Context, c *Client) error { _, err := c.Services(ctx); return err },
	"Service":     func(ctx context.Context, c *Client) error { _, err := c.Service(ctx, webID); return err },
	"RealServers": func(ctx context.Context, c *Client) error { _, err := c.RealServers(ctx, webID); return err },
	"RealServer":  func(ctx context.Context, c *Client) error { _, err := c.RealServer(ctx, webID, webRIP); return err },
	"Snapshot":    func(ctx context.Context, c *Client) error { _, err := c.Snapshot(ctx); return err },
	"Info":        func(ctx context.Context, c *Client) error { _, err := c.Info(ctx); return err },
	"Timeouts":    func(ctx context.Context, c *Client) error { _, err := c.Timeouts(ctx); return err },
	"SyncDaemons": func(ctx context.Context, c *Client) error { _, err := c.SyncDaemons(ctx); return err },
	"Do": func(ctx context.Context, c *Client) error {
		return only(c.Do(ctx, AddService(Service{ID: FWMark(1)})))
	},
	"AddService": func(ctx context.Context, c *Client) error { return c.AddService(ctx, Service{ID: dnsID}) },
	"UpdateService": func(ctx context.Context, c *Client) error {
		return c.UpdateService(ctx, Service{ID: webID, Scheduler: RR})
	},
	"ModifyService": func(ctx context.Context, c *Client) error {
		_, err := c.ModifyService(ctx, webID, func(s *Service) { s.Scheduler = LC })
		return err
	},
	"RemoveService": func(ctx context.Context, c *Client) error { return c.RemoveService(ctx, webID) },
	"AddRealServer": func(ctx context.Context, c *Client) error {
		return c.AddRealServer(ctx, webID, NewRealServer(webRIP2, DR))
	},
	"UpdateRealServer": func(ctx context.Context, c *Client) error {
		return c.UpdateRealServer(ctx, webID, NewRealServer(webRIP, NAT))
	},
	"ModifyRealServer": func(ctx context.Context, c *Client) error {
		_, err := c.ModifyRealServer(ctx, webID, webRIP, func(s *RealServer) { s.Weight = 7 })
		return err
	},
	"SetWeight":        func(ctx context.Context, c *Client) error { _, err := c.SetWeight(ctx, webID, webRIP, 5); return err },
	"RemoveRealServer": func(ctx context.Context, c *Client) error { return c.RemoveRealServer(ctx, webID, webRIP) },
	"ZeroCounters":     func(ctx context.Context, c *Client) error { return c.ZeroCounters(ctx, webID) },
	"ZeroAllCounters":  func(ctx context.Context, c *Client) error { return c.ZeroAllCounters(ctx) },
	"Flush":            func(ctx context.Context, c *Client) error { return c.Flush(ctx) },
	"SetTimeouts": func(ctx context.Context, c *Client) error {
		return c.SetTimeouts(ctx, Timeouts{UDP: time.Second})
	},
	"StartSyncDaemon": func(ctx context.Context, c *Client) error {
		return c.StartSyncDaemon(ctx, SyncDaemon{Role: SyncMaster, Interface: groundDevice})
	},
	"StopSyncDaemon": func(ctx context.Context, c *Client) error { return c.StopSyncDaemon(ctx, SyncMaster) },
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
				must(t, c.Do(ctx, Flush(), AddService(Service{ID: webID}), AddRealServer(webID, NewRealServer(webRIP, DR))))
				if name == "StopSyncDaemon" {
					must(t, clientMethods["StartSyncDaemon"](ctx, c))
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
	daemon := SyncDaemon{Role: SyncMaster, Interface: groundDevice, SyncID: 9}
	running := SyncDaemon{
		Role: SyncMaster, Interface: groundDevice, SyncID: 9, MaxLen: 1472, Group: netip.MustParseAddr("224.0.0.81"), Port: 8848, TTL: 1,
	}
	const usual = "tcp 15m0s tcpfin 2m0s udp 5m0s"
	cases := []struct {
		given []Change
		do    Change
		want  string
	}{
		{nil, AddService(web), table(web) + "\n" + usual},
		{[]Change{AddService(web)}, UpdateService(Service{ID: webID, Scheduler: SH, SchedulerFlags: HashFallback}), table(Service{ID: webID, Scheduler: SH, SchedulerFlags: HashFallback}) + "\n" + usual},
		{[]Change{AddService(web), AddService(Service{ID: dnsID, Scheduler: RR})}, RemoveService(dnsID), table(web) + "\n" + usual},
		{[]Change{AddService(web)}, AddRealServer(webID, rip), table(web, rip) + "\n" + usual},
		{[]Change{AddService(web), AddRealServer(webID, rip)}, UpdateRealServer(webID, NewRealServer(webRIP, NAT)), table(web, NewRealServer(webRIP, NAT)) + "\n" + usual},
		{[]Change{AddService(web), AddRealServer(webID, rip)}, RemoveRealServer(webID, webRIP), table(web) + "\n" + usual},
		{[]Change{AddService(web)}, ZeroCounters(webID), table(web) + "\n" + usual},
		{[]Change{AddService(web)}, ZeroAllCounters(), table(web) + "\n" + usual},
		{[]Change{AddService(web)}, Flush(), usual},
		{nil, SetTimeouts(Timeouts{TCPFin: time.Second, UDP: time.Hour}), "tcp 15m0s tcpfin 1s udp 1h0m0s"},
		{nil, StartSyncDaemon(daemon), running.String() + "\n" + usual},
		{[]Change{StartSyncDaemon(daemon)}, StopSyncDaemon(SyncMaster), usual},
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
	daemons, err := c.SyncDaemons(ctx)
	must(t, err)
	for _, d := range daemons {
		lines = append(lines, d.String())
	}
	timeouts, err := c.Timeouts(ctx)
	must(t, err)
	return strings.Join(append(lines, timeouts.String()), "\n")
}

func compare[T any](t testing.TB, what string, want, got T) {
	t.Helper()
	if diff := cmp.Diff(want, got, exactly); diff != "" {
		t.Errorf("%s (-want +got)\n%s", what, diff)
	}
}
