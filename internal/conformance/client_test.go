package conformance

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs"

	"github.com/google/go-cmp/cmp"
)

// This file is the suite's upper layer: the client, on the grounds of the lower
// one.

// Services and servers that the tests of the client use.
var (
	webID   = lvs.TCP(netip.MustParseAddrPort("10.1.0.1:80"))
	web6ID  = lvs.TCP(netip.MustParseAddrPort("[fd00:1::1]:80"))
	dnsID   = lvs.UDP(netip.MustParseAddrPort("10.1.0.1:53"))
	sctpID  = lvs.SCTP(netip.MustParseAddrPort("10.1.0.1:5060"))
	webRIP  = netip.MustParseAddrPort("10.2.0.2:80")
	webRIP2 = netip.MustParseAddrPort("10.2.0.3:80")
	webRIP6 = netip.MustParseAddrPort("[fd00:1::2]:80")
)

func addrAt(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// flag3 is the third flag of a scheduler, which none gives a meaning.
const flag3 lvs.SchedulerFlags = 0x20

// exactly compares services and servers as they are: their own Equal reports whether
// they mean the same to the kernel.
var exactly = cmp.Options{
	cmp.Comparer(func(a, b lvs.Service) bool { return a == b }),
	cmp.Comparer(func(a, b lvs.RealServer) bool { return a == b }),
}

// kinds are all kinds of error.
var kinds = []error{
	lvs.ErrNotFound, lvs.ErrNoService, lvs.ErrNoRealServer, lvs.ErrExists, lvs.ErrPermission, lvs.ErrUnavailable, lvs.ErrScheduler, lvs.ErrEngine, lvs.ErrUnstable, lvs.ErrStale,
	lvs.ErrInvalid, lvs.ErrSkipped, lvs.ErrStuck, lvs.ErrBusy, lvs.ErrClosed, errors.ErrUnsupported,
}

// ofKind reports an error that does not match one kind, the more general kinds that
// this one matches, and no other.
func ofKind(t testing.TB, what string, err, want error) {
	t.Helper()
	var e *lvs.Error
	if !errors.As(err, &e) || e.Op == "" {
		t.Errorf("%s: %v (%T) is not an *Error that says what was attempted", what, err, err)
		return
	}
	for _, kind := range kinds {
		if is := errors.Is(want, kind); errors.Is(err, kind) != is || errors.Is(e.Kind(), kind) != is {
			t.Errorf("%s: %v, of the kind %q: it matches %q: %t; want only %q", what, err, e.Kind(), kind, errors.Is(err, kind), want)
		}
	}
}

// must ends the test when something fails that cannot.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// dnsTable has a service that the tables of the tests do not have.
var dnsTable = lvs.Table{Services: []lvs.TableService{{Service: lvs.Service{ID: dnsID}}}}

// clientMethods are the methods of Client that talk to the kernel, each called
// so that it succeeds on a table with webID and its server webRIP.
var clientMethods = map[string]func(context.Context, *lvs.Client) error{
	"Services":    func(ctx context.Context, c *lvs.Client) error { _, err := c.Services(ctx); return err },
	"Service":     func(ctx context.Context, c *lvs.Client) error { _, err := c.Service(ctx, webID); return err },
	"RealServers": func(ctx context.Context, c *lvs.Client) error { _, err := c.RealServers(ctx, webID); return err },
	"RealServer":  func(ctx context.Context, c *lvs.Client) error { _, err := c.RealServer(ctx, webID, webRIP); return err },
	"Snapshot":    func(ctx context.Context, c *lvs.Client) error { _, err := c.Snapshot(ctx); return err },
	"Info":        func(ctx context.Context, c *lvs.Client) error { _, err := c.Info(ctx); return err },
	"Timeouts":    func(ctx context.Context, c *lvs.Client) error { _, err := c.Timeouts(ctx); return err },
	"SyncDaemons": func(ctx context.Context, c *lvs.Client) error { _, err := c.SyncDaemons(ctx); return err },
	"Do": func(ctx context.Context, c *lvs.Client) error {
		return c.Do(ctx, lvs.AddService(lvs.Service{ID: lvs.FWMark(1)}))
	},
	"AddService": func(ctx context.Context, c *lvs.Client) error { return c.AddService(ctx, lvs.Service{ID: dnsID}) },
	"UpdateService": func(ctx context.Context, c *lvs.Client) error {
		return c.UpdateService(ctx, lvs.Service{ID: webID, Scheduler: lvs.RR})
	},
	"PutService": func(ctx context.Context, c *lvs.Client) error {
		return c.PutService(ctx, lvs.Service{ID: webID, Scheduler: lvs.SH})
	},
	"ModifyService": func(ctx context.Context, c *lvs.Client) error {
		_, err := c.ModifyService(ctx, webID, func(s *lvs.Service) { s.Scheduler = lvs.LC })
		return err
	},
	"RemoveService": func(ctx context.Context, c *lvs.Client) error { return c.RemoveService(ctx, webID) },
	"AddRealServer": func(ctx context.Context, c *lvs.Client) error {
		return c.AddRealServer(ctx, webID, lvs.NewRealServer(webRIP2, lvs.DR()))
	},
	"UpdateRealServer": func(ctx context.Context, c *lvs.Client) error {
		return c.UpdateRealServer(ctx, webID, lvs.NewRealServer(webRIP, lvs.NAT()))
	},
	"PutRealServer": func(ctx context.Context, c *lvs.Client) error {
		return c.PutRealServer(ctx, webID, lvs.NewRealServer(webRIP, lvs.IPIP()))
	},
	"ModifyRealServer": func(ctx context.Context, c *lvs.Client) error {
		_, err := c.ModifyRealServer(ctx, webID, webRIP, func(s *lvs.RealServer) { s.Weight = 7 })
		return err
	},
	"SetWeight":        func(ctx context.Context, c *lvs.Client) error { return c.SetWeight(ctx, webID, webRIP, 5) },
	"RemoveRealServer": func(ctx context.Context, c *lvs.Client) error { return c.RemoveRealServer(ctx, webID, webRIP) },
	"ZeroCounters":     func(ctx context.Context, c *lvs.Client) error { return c.ZeroCounters(ctx, webID) },
	"ZeroAllCounters":  func(ctx context.Context, c *lvs.Client) error { return c.ZeroAllCounters(ctx) },
	"Flush":            func(ctx context.Context, c *lvs.Client) error { return c.Flush(ctx) },
	"SetTimeouts": func(ctx context.Context, c *lvs.Client) error {
		return c.SetTimeouts(ctx, lvs.Timeouts{UDP: time.Second})
	},
	"StartSyncDaemon": func(ctx context.Context, c *lvs.Client) error {
		return c.StartSyncDaemon(ctx, lvs.SyncDaemon{Role: lvs.SyncMaster, Interface: groundDevice})
	},
	"StopSyncDaemon": func(ctx context.Context, c *lvs.Client) error { return c.StopSyncDaemon(ctx, lvs.SyncMaster) },
	"Drain": func(ctx context.Context, c *lvs.Client) error {
		_, err := c.Drain(ctx, webID, webRIP, lvs.DrainOptions{Timeout: time.Hour})
		return err
	},
	"DrainService": func(ctx context.Context, c *lvs.Client) error {
		_, err := c.DrainService(ctx, webID, lvs.DrainOptions{Timeout: time.Hour})
		return err
	},
	"BeginDrain": func(ctx context.Context, c *lvs.Client) error {
		_, err := c.BeginDrain(ctx, webID, webRIP, lvs.DrainOptions{Timeout: time.Hour})
		return err
	},
	"BeginServiceDrain": func(ctx context.Context, c *lvs.Client) error {
		_, err := c.BeginServiceDrain(ctx, webID, lvs.DrainOptions{Timeout: time.Hour})
		return err
	},
	"ContinueDrains": func(ctx context.Context, c *lvs.Client) error {
		_, _, err := c.ContinueDrains(ctx, []lvs.Drain{webDrain})
		return err
	},
	"AwaitDrains": func(ctx context.Context, c *lvs.Client) error {
		_, _, err := c.AwaitDrains(ctx, []lvs.Drain{webDrain})
		return err
	},
	"PlanTable": func(ctx context.Context, c *lvs.Client) error {
		_, err := c.PlanTable(ctx, dnsTable, lvs.TableOptions{})
		return err
	},
	"ApplyTable": func(ctx context.Context, c *lvs.Client) error {
		plan, err := lvs.Diff(lvs.Table{}, dnsTable, lvs.TableOptions{})
		if err == nil {
			_, err = c.ApplyTable(ctx, plan, lvs.ApplyOptions{})
		}
		return err
	},
	"TakeBackDrain": func(ctx context.Context, c *lvs.Client) error { return c.TakeBackDrain(ctx, webDrain) },
}

// webDrain is a drain of webRIP.
var webDrain = lvs.Drain{Service: webID, RealServer: webRIP, Deadline: time.Now()}

// TestConformanceMethods calls every method with the privilege, without it, after the
// end of the context, and after Close.
func TestConformanceMethods(t *testing.T) {
	all := reflect.TypeFor[*lvs.Client]()
	for i := range all.NumMethod() {
		if name := all.Method(i).Name; clientMethods[name] == nil && name != "Close" {
			t.Errorf("the method %s is not in the table", name)
		}
	}
	conformOne(t, func(t *testing.T, g ground) {
		ctx, c, conn := groundContext(t), groundClient(t, g), dialRaw(t, g.Dial)
		powerless, closed := clientOf(t, g.DialUnprivileged), groundClient(t, g)
		must(t, closed.Close())
		over, cancel := context.WithCancel(ctx)
		cancel()
		for name, method := range clientMethods {
			t.Run(name, func(t *testing.T) {
				t.Cleanup(conn.stopDaemons)
				must(t, c.Do(ctx, lvs.Flush(), lvs.AddService(lvs.Service{ID: webID}), lvs.AddRealServer(webID, lvs.NewRealServer(webRIP, lvs.DR()))))
				if name == "StopSyncDaemon" {
					must(t, clientMethods["StartSyncDaemon"](ctx, c))
				}
				before := conn.table()
				if err := method(over, c); !errors.Is(err, context.Canceled) {
					t.Errorf("after the context's end: %v", err)
				}
				ofKind(t, "without the capability", method(ctx, powerless), lvs.ErrPermission)
				for _, ctx := range []context.Context{ctx, over} {
					err := method(ctx, closed)
					ofKind(t, "after Close", err, lvs.ErrClosed)
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
		ofKind(t, "closing again", c.Close(), lvs.ErrClosed)
	})
}

// Each kind of change, and what it leaves behind.
func TestConformanceChanges(t *testing.T) {
	web := lvs.Service{ID: webID, Scheduler: lvs.RR}
	rip := lvs.NewRealServer(webRIP, lvs.DR())
	table := func(s lvs.Service, servers ...lvs.RealServer) string {
		text := s.String()
		for _, r := range servers {
			text += "\n\t" + r.String()
		}
		return text
	}
	daemon := lvs.SyncDaemon{Role: lvs.SyncMaster, Interface: groundDevice, SyncID: 9}
	running := lvs.SyncDaemon{
		Role: lvs.SyncMaster, Interface: groundDevice, SyncID: 9, MaxLen: 1472, Group: netip.MustParseAddr("224.0.0.81"), Port: 8848, TTL: 1,
	}
	const usual = "tcp 15m0s tcpfin 2m0s udp 5m0s"
	type changeCase struct {
		name  string
		given []lvs.Change
		do    lvs.Change
		want  string
	}
	cases := []changeCase{
		{"AddService", nil, lvs.AddService(web), table(web) + "\n" + usual},
		{"UpdateService", []lvs.Change{lvs.AddService(web)}, lvs.UpdateService(lvs.Service{ID: webID, Scheduler: lvs.SH, SchedulerFlags: lvs.HashFallback}), table(lvs.Service{ID: webID, Scheduler: lvs.SH, SchedulerFlags: lvs.HashFallback}) + "\n" + usual},
		{"PutService", nil, lvs.PutService(web), table(web) + "\n" + usual},
		{"PutService", []lvs.Change{lvs.AddService(lvs.Service{ID: webID}), lvs.AddRealServer(webID, rip)}, lvs.PutService(web), table(web, rip) + "\n" + usual},
		{"RemoveService", []lvs.Change{lvs.AddService(web), lvs.AddService(lvs.Service{ID: dnsID, Scheduler: lvs.RR})}, lvs.RemoveService(dnsID), table(web) + "\n" + usual},
		{"AddRealServer", []lvs.Change{lvs.AddService(web)}, lvs.AddRealServer(webID, rip), table(web, rip) + "\n" + usual},
		{"UpdateRealServer", []lvs.Change{lvs.AddService(web), lvs.AddRealServer(webID, rip)}, lvs.UpdateRealServer(webID, lvs.NewRealServer(webRIP, lvs.NAT())), table(web, lvs.NewRealServer(webRIP, lvs.NAT())) + "\n" + usual},
		{"PutRealServer", []lvs.Change{lvs.AddService(web)}, lvs.PutRealServer(webID, rip), table(web, rip) + "\n" + usual},
		{"PutRealServer", []lvs.Change{lvs.AddService(web), lvs.AddRealServer(webID, lvs.NewRealServer(webRIP, lvs.NAT()))}, lvs.PutRealServer(webID, rip), table(web, rip) + "\n" + usual},
		{"RemoveRealServer", []lvs.Change{lvs.AddService(web), lvs.AddRealServer(webID, rip)}, lvs.RemoveRealServer(webID, webRIP), table(web) + "\n" + usual},
		{"ZeroCounters", []lvs.Change{lvs.AddService(web)}, lvs.ZeroCounters(webID), table(web) + "\n" + usual},
		{"ZeroAllCounters", []lvs.Change{lvs.AddService(web)}, lvs.ZeroAllCounters(), table(web) + "\n" + usual},
		{"Flush", []lvs.Change{lvs.AddService(web)}, lvs.Flush(), usual},
		{"SetTimeouts", nil, lvs.SetTimeouts(lvs.Timeouts{TCPFin: time.Second, UDP: time.Hour}), "tcp 15m0s tcpfin 1s udp 1h0m0s"},
		{"StartSyncDaemon", nil, lvs.StartSyncDaemon(daemon), running.String() + "\n" + usual},
		{"StopSyncDaemon", []lvs.Change{lvs.StartSyncDaemon(daemon)}, lvs.StopSyncDaemon(lvs.SyncMaster), usual},
	}
	for i := range reflect.TypeFor[*lvs.Client]().NumMethod() {
		method := reflect.TypeFor[*lvs.Client]().Method(i)
		onlyFails := method.Type.NumOut() == 1 && !slices.Contains([]string{"Do", "Close", "SetWeight", "TakeBackDrain"}, method.Name)
		if onlyFails && !slices.ContainsFunc(cases, func(c changeCase) bool { return c.name == method.Name }) {
			t.Errorf("%s is not in the table", method.Name)
		}
	}
	conform(t, func(t *testing.T, fresh func(testing.TB) ground) {
		for _, tc := range cases {
			t.Run(tc.name, func(t *testing.T) {
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

// describe returns the table, the daemons and the timeouts as text.
func describe(t *testing.T, c *lvs.Client) string {
	t.Helper()
	ctx := groundContext(t)
	var lines []string
	entries, err := c.Snapshot(ctx)
	must(t, err)
	for _, e := range entries.Services {
		lines = append(lines, e.Service.String())
		for _, s := range e.RealServers {
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
