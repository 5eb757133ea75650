package lvs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/golvs/lvs/internal/genl"
	"github.com/golvs/lvs/internal/testbed"
)

// These tests use a client where things go wrong. They need a kernel.

func openIn(t *testing.T, ns *testbed.Namespace) *Client {
	t.Helper()
	c, err := Open(t.Context(), InNamespaceFile(ns.File))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func count(t *testing.T) held {
	t.Helper()
	entries := func(dir string) int {
		list, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	return held{runtime.NumGoroutine(), entries("/proc/self/task"), entries("/proc/self/fd")}
}

// withoutLeak runs work some times, and once before that: a first use makes
// threads that the runtime keeps.
func withoutLeak(t *testing.T, work func()) {
	t.Helper()
	work()
	before := count(t)
	for range 3 {
		work()
	}
	var after held
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if after = count(t); after.isWithin(before) {
			return
		}
	}
	t.Errorf("before %+v, after %+v", before, after)
}

func TestSoakKernel(t *testing.T) {
	testbed.InKernel(t)
	newSoak(t, openIn(t, testbed.New(t))).run(func() held { return count(t) })
}

func addServices(t *testing.T, c *Client, n int) {
	t.Helper()
	changes := make([]Change, n)
	for i := range changes {
		vip := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 50, byte(i >> 8), byte(i)}), 80)
		changes[i] = AddService(Service{ID: TCP(vip), Scheduler: RR})
	}
	if err := c.Do(t.Context(), changes...); err != nil {
		t.Fatal(err)
	}
}

func TestContextEndsDuringALargeDump(t *testing.T) {
	testbed.InKernel(t)
	c := openIn(t, testbed.New(t))
	addServices(t, c, 10_000)
	start := time.Now()
	if all, err := c.Services(t.Context()); err != nil || len(all) != 10_000 {
		t.Fatalf("%d services, %v", len(all), err)
	}
	whole := time.Since(start)
	var ended int
	withoutLeak(t, func() {
		for _, percent := range []int{0, 10, 30, 60} {
			limit := whole * time.Duration(percent) / 100
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			start := time.Now()
			_, err := c.Services(ctx)
			late := time.Since(start) - limit
			cancel()
			switch {
			case errors.Is(err, context.DeadlineExceeded):
				ended++
				t.Logf("ended after %v of %v: returned %v late", limit, whole, late)
			case err != nil:
				t.Errorf("after %v: %v", limit, err)
			}
			// That nothing else keeps it, internal/genl tests in fake time. A
			// kernel with one processor on a busy machine may let no thread
			// of ours run for long.
			if late > 2*time.Second {
				t.Errorf("returned %v after the context's end", late)
			}
		}
	})
	if ended == 0 {
		t.Error("no call was ended by its context")
	}
	defer c.Flush(t.Context())
	if all, err := c.Services(t.Context()); err != nil || len(all) != 10_000 {
		t.Errorf("afterwards: %d services, %v", len(all), err)
	}
}

// A dump's datagrams are as large as the kernel makes them, from the first on:
// small ones would cost a system call for every ten services.
func TestDumpsComeInLargeDatagrams(t *testing.T) {
	testbed.InKernel(t)
	dial := dialerIn(testbed.New(t).Namespace)
	var received []int
	c, err := newClient(t.Context(), func() (genl.Socket, error) {
		s, err := dial()
		return &measuringSocket{s, &received}, err
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	addServices(t, c, 1000)
	received = nil
	if _, err := c.Services(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(received) > 30 || received[0] < 16<<10 { // a table that has just grown is listed twice
		t.Errorf("datagrams of %v bytes", received)
	}
}

type measuringSocket struct {
	genl.Socket
	received *[]int
}

func (s *measuringSocket) Receive(b []byte) (int, error) {
	n, err := s.Socket.Receive(b)
	*s.received = append(*s.received, n)
	return n, err
}

func TestCancelledBeforehand(t *testing.T) {
	testbed.InKernel(t)
	c := openIn(t, testbed.New(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := c.AddService(ctx, Service{ID: tcp(t, "10.50.0.1:80")})
	var e *Error
	if !errors.Is(err, context.Canceled) || !errors.As(err, &e) || e.Outcome == OutcomeUnknown {
		t.Errorf("adding: %v", err)
	}
	if _, err := c.Services(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("listing: %v", err)
	}
	if _, err := Open(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("opening: %v", err)
	}
	if all, err := c.Services(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("the table has %v, %v", all, err)
	}
}

func TestManyGoroutines(t *testing.T) {
	testbed.InKernel(t)
	c := openIn(t, testbed.New(t))
	withoutLeak(t, func() {
		var wg sync.WaitGroup
		for g := range 50 {
			wg.Go(func() { useOneService(t, c, g) })
		}
		wg.Wait()
	})
	if all, err := c.Snapshot(t.Context()); err != nil || len(all.Services) != 0 {
		t.Errorf("left behind: %v, %v", all, err)
	}
}

// useOneService adds, changes, lists and removes a service of its own.
func useOneService(t *testing.T, c *Client, g int) {
	ctx := t.Context()
	id := TCP(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 50, 1, byte(g)}), 80))
	addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 1, byte(g)}), 80)
	if err := c.Do(ctx, AddService(Service{ID: id, Scheduler: RR}), AddRealServer(id, NewRealServer(addr, DR()))); err != nil {
		t.Error(err)
		return
	}
	for weight := range 5 {
		if err := c.SetWeight(ctx, id, addr, weight); err != nil {
			t.Error(err)
		}
		s, err := c.RealServer(ctx, id, addr)
		if err != nil || s.Weight != weight {
			t.Errorf("weight %d, want %d: %v", s.Weight, weight, err)
		}
	}
	if _, err := c.Services(ctx); err != nil {
		t.Error(err)
	}
	if err := c.RemoveService(ctx, id); err != nil {
		t.Error(err)
	}
}

func TestOpenAndCloseLeakNothing(t *testing.T) {
	testbed.InKernel(t)
	ns := testbed.New(t)
	withoutLeak(t, func() {
		for range 20 {
			for _, opts := range [][]Option{nil, {InNamespaceFile(ns.File)}} {
				c, err := Open(t.Context(), opts...)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := c.Info(t.Context()); err != nil {
					t.Error(err)
				}
				if err := c.Close(); err != nil {
					t.Error(err)
				}
				if _, err := c.Info(t.Context()); !errors.Is(err, ErrClosed) || !errors.Is(err, os.ErrClosed) {
					t.Errorf("after Close: %v", err)
				}
			}
		}
	})
}

// A master's socket cannot send where there is no way to its group. That has
// nothing to do with privileges.
func TestDaemonWithoutAWay(t *testing.T) {
	testbed.InKernel(t)
	group := netip.MustParseAddr("ff02::81")
	for _, tt := range []struct {
		name    string
		daemon  SyncDaemon
		prepare []string
		errno   Errno
	}{
		{"down", SyncDaemon{Interface: "d0"}, []string{"ip", "link", "set", "d0", "down"}, ENETUNREACH},
		{"down, IPv6", SyncDaemon{Interface: "d0", Group: group}, []string{"ip", "link", "set", "d0", "down"}, ENETUNREACH},
		{"lo, IPv6", SyncDaemon{Interface: "lo", Group: group}, nil, ENETUNREACH},
		{"IPv6 off", SyncDaemon{Interface: "d0", Group: group}, []string{"sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1"}, EADDRNOTAVAIL},
		{"IPv6 off there", SyncDaemon{Interface: "d0", Group: group}, []string{"sysctl", "-qw", "net.ipv6.conf.d0.disable_ipv6=1"}, ENETUNREACH},
		{"prohibited", SyncDaemon{Interface: "lo", Group: group}, []string{"ip", "-6", "route", "add", "prohibit", "ff00::/8"}, EACCES},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ns := testbed.New(t)
			ns.Dummy("d0", "10.9.0.1/24")
			if tt.prepare != nil {
				ns.Run(tt.prepare[0], tt.prepare[1:]...)
			}
			c := openIn(t, ns)
			tt.daemon.Role = SyncMaster
			err := c.StartSyncDaemon(t.Context(), tt.daemon)
			ofKind(t, tt.name, err, ErrInvalid)
			var e *Error
			if !errors.As(err, &e) || e.Errno != tt.errno || e.Field != "Interface" || e.hint == "" || strings.Contains(e.hint, "CAP_") {
				t.Errorf("%v, want %v", err, tt.errno)
			}
			tt.daemon.Role = SyncBackup
			if err := c.StartSyncDaemon(t.Context(), tt.daemon); err != nil {
				t.Errorf("a backup: %v", err)
			}
			must(t, c.StopSyncDaemon(t.Context(), SyncBackup))
		})
	}
}

// Where IPv6 is switched off, root lacks no capability.
func TestAddressWithoutIPv6(t *testing.T) {
	testbed.InKernel(t)
	ns := testbed.New(t)
	ns.Dummy("d0")
	ns.Run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
	h, err := OpenHost(t.Context(), InNamespaceFile(ns.File))
	must(t, err)
	defer h.Close()
	err = h.put(Address{Interface: "d0", Prefix: netip.MustParsePrefix("fd00::1/128")})
	ofKind(t, "adding an address", err, errors.ErrUnsupported)
	if said := fmt.Sprint(err); strings.Contains(said, "CAP_") || !strings.Contains(said, "disable_ipv6") {
		t.Errorf("%s", said)
	}
}

func TestNamespaces(t *testing.T) {
	testbed.InKernel(t)
	ns := testbed.New(t)
	ns.Run("ip", "netns", "add", "lvs-test")
	named, err := Open(t.Context(), InNamespace("lvs-test"))
	if err != nil {
		t.Fatal(err)
	}
	defer named.Close()
	if err := named.AddService(t.Context(), Service{ID: tcp(t, "10.50.0.1:80"), Scheduler: RR}); err != nil {
		t.Fatal(err)
	}
	ns.Run("ip", "netns", "del", "lvs-test")
	if all, err := named.Services(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("after the name was removed: %v, %v", all, err)
	}
	if here, err := openIn(t, ns).Services(t.Context()); err != nil || len(here) != 0 {
		t.Errorf("another namespace has %v, %v", here, err)
	}
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	uts, err := os.Open("/proc/self/ns/uts")
	must(t, err)
	defer uts.Close()
	closed, err := os.Open("/proc/self/ns/net")
	must(t, err)
	must(t, closed.Close())
	withoutLeak(t, func() {
		for _, tt := range []struct {
			opt  Option
			want error
		}{
			{InNamespace("lvs-test"), os.ErrNotExist},
			{InNamespace("/proc/self/ns/uts"), ErrInvalid},
			{InNamespace(empty), ErrInvalid},
			{InNamespaceFile(nil), os.ErrInvalid},
			{InNamespaceFile(closed), os.ErrClosed},
			{InNamespaceFile(uts), ErrInvalid},
		} {
			_, err := Open(t.Context(), tt.opt)
			ofKind(t, "opening", err, ErrInvalid)
			if !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			}
			_, herr := OpenHost(t.Context(), tt.opt)
			ofKind(t, "opening the host", herr, ErrInvalid)
			var e *Error
			if !errors.As(err, &e) || e.Field != optionsOf([]Option{tt.opt}).given {
				t.Errorf("%v has the field %q", err, e.Field)
			}
		}
	})
}

// The sockets of a client stay in the namespace that it was opened in, whatever
// the threads do that use it later.
func TestSocketsStayInTheNamespace(t *testing.T) {
	testbed.InKernel(t)
	home, away := testbed.New(t), testbed.New(t)
	var c *Client
	if err := home.Do(func() (err error) { c, err = Open(t.Context()); return err }); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.AddService(t.Context(), Service{ID: tcp(t, "10.50.0.1:80"), Scheduler: RR}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 20 { // more than the sockets that are kept
		wg.Go(func() {
			err := away.Do(func() error {
				all, err := c.Services(t.Context())
				if err == nil && len(all) != 1 {
					err = fmt.Errorf("%d services", len(all))
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// helperEnv makes the test binary a process that tries what it may not.
const helperEnv = "LVS_TEST_UNPRIVILEGED"

func TestWithoutPrivilege(t *testing.T) {
	testbed.InKernel(t)
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}}
	for name, attr := range map[string]*syscall.SysProcAttr{
		"another user": {Credential: &syscall.Credential{Uid: 65534, Gid: 65534}},
		"root of a user namespace": {
			Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET, UidMappings: ids, GidMappings: ids,
		},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command("/proc/self/exe", "-test.run=^TestUnprivilegedHelper$", "-test.v")
			cmd.Env = append(os.Environ(), helperEnv+"=1")
			cmd.Dir = "/"
			cmd.SysProcAttr = attr
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "--- PASS: TestUnprivilegedHelper") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// TestUnprivilegedHelper is what [TestWithoutPrivilege] runs in a process of
// its own; alone it only shows that this process has the privilege.
func TestUnprivilegedHelper(t *testing.T) {
	testbed.InKernel(t)
	c, err := Open(t.Context())
	if err != nil {
		t.Fatalf("opening takes no privilege: %v", err)
	}
	defer c.Close()
	if os.Getenv(helperEnv) == "" {
		if _, err := c.Info(t.Context()); err != nil {
			t.Error(err)
		}
		return
	}
	id := tcp(t, "10.50.0.1:80")
	_, infoErr := c.Info(t.Context())
	_, listErr := c.Services(t.Context())
	for what, err := range map[string]error{
		"info": infoErr, "listing": listErr, "flushing": c.Flush(t.Context()),
		"adding": c.AddService(t.Context(), Service{ID: id}), "setting": c.SetTimeouts(t.Context(), Timeouts{TCP: time.Hour}),
	} {
		var e *Error
		if !errors.Is(err, ErrPermission) || !errors.Is(err, os.ErrPermission) || !errors.As(err, &e) || e.Errno != EPERM {
			t.Errorf("%s: %v", what, err)
		}
	}
}
