package health

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/golvs/lvs"
)

// checkTCP lets a Monitor check servers by connecting, until all have been asked twice or
// more, and returns what it found.
func checkTCP(t *testing.T, o Options, servers ...netip.AddrPort) []CheckStatus {
	t.Helper()
	m := monitorTCP(t, o, time.Second, servers...)
	stop := background(t, m)
	defer stop()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		all, asked := make([]CheckStatus, len(servers)), true
		for i, s := range m.Status().Services[0].Servers {
			all[i] = s.Checks[0]
			asked = asked && all[i].State != Unknown
		}
		if asked {
			return all
		}
		if time.Now().After(end) {
			t.Fatalf("not all servers have been judged: %+v", all)
		}
	}
}

// monitorTCP returns a Monitor that checks servers ten times a second by connecting.
func monitorTCP(t *testing.T, o Options, timeout time.Duration, servers ...netip.AddrPort) *Monitor {
	t.Helper()
	table := tableAt(servers)
	m, err := New(o)
	if err == nil {
		err = m.Set(table, map[lvs.ServiceID]Policy{table.Services[0].ID: {Checks: []Check{{Probe: TCP{}, Interval: 100 * time.Millisecond, Timeout: timeout}}}})
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// tableAt returns a service with servers at addresses of one family.
func tableAt(servers []netip.AddrPort) lvs.Table {
	t := tableOf(lvs.WLC, make([]int, len(servers))...)
	if servers[0].Addr().Is6() {
		t.Services[0].ID = lvs.TCP(netip.MustParseAddrPort("[fd00::91]:80"))
	}
	for i, addr := range servers {
		t.Services[0].RealServers[i] = lvs.RealServer{Addr: addr, Mode: lvs.NAT(), Weight: 1}
	}
	return t
}

// background runs a Monitor until the function that it returns is called.
func background(t *testing.T, m *Monitor) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
}

// A server is judged in the same way, and with the same words, as by a net.Dialer.
func TestConnectAsDialer(t *testing.T) {
	hangs := full(t)
	for _, servers := range [][]netip.AddrPort{
		{on(t, func(net.Conn) {}).Addr, netip.MustParseAddrPort("127.0.0.1:1"), hangs, netip.MustParseAddrPort("240.0.0.1:80")},
		onIPv6(t),
	} {
		if len(servers) == 0 {
			t.Log("this host has no IPv6")
			continue
		}
		goroutines, descriptors := settled(t, 0, 0, time.Second)
		ours, dialed := checkTCP(t, Options{}, servers...), checkTCP(t, Options{Network: &net.Dialer{}}, servers...)
		for i, addr := range servers {
			a, b := ours[i], dialed[i]
			if a.State != b.State || a.Error != b.Error {
				t.Errorf("%s: %s %q, and by a Dialer %s %q", addr, a.State, a.Error, b.State, b.Error)
			}
			if want := "no answer in 1s: dial tcp " + addr.String() + ": i/o timeout"; addr == hangs && a.Error != want {
				t.Errorf("%q, want %q", a.Error, want)
			}
		}
		if ours[0].State != Up || ours[1].State != Down {
			t.Errorf("%+v", ours)
		}
		if g, d := settled(t, goroutines, descriptors, 10*time.Second); g > goroutines || d > descriptors {
			t.Errorf("%d goroutines and %d descriptors have become %d and %d", goroutines, descriptors, g, d)
		}
	}
}

// onIPv6 returns a server that works and one that refuses, if this host has IPv6.
func onIPv6(t *testing.T) []netip.AddrPort {
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		return nil
	}
	t.Cleanup(func() { l.Close() })
	return []netip.AddrPort{netip.MustParseAddrPort(l.Addr().String()), netip.MustParseAddrPort("[::1]:1")}
}

// full returns a server that does not answer, because its queue of connections is full.
func full(t *testing.T) netip.AddrPort {
	t.Helper()
	addr, _ := queueOf(t)
	return addr
}

// queueOf returns such a server, and the function that makes room for a connection.
func queueOf(t *testing.T) (netip.AddrPort, func()) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	own, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), portOf(own))
	conn, err := net.Dial("tcp", addr.String()) // the only one that has room
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return addr, func() {
		if one, _, err := unix.Accept(fd); err == nil {
			unix.Close(one)
		}
	}
}

// A connection that takes its time succeeds when it is there, and is reset.
func TestConnectSlowly(t *testing.T) {
	slow, accept := queueOf(t)
	m := monitorTCP(t, Options{}, 5*time.Second, slow)
	defer background(t, m)()
	time.Sleep(200 * time.Millisecond)
	accept()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		c := m.Status().Services[0].Servers[0].Checks[0]
		if c.Error != "" || time.Now().After(end) {
			t.Fatalf("%+v", c)
		}
		if c.Last.IsZero() {
			continue
		}
		if c.Took < 200*time.Millisecond || c.Took > 5*time.Second {
			t.Errorf("took %s", c.Took)
		}
		return
	}
}

// A server that leaves the table while it is asked leaves nothing behind.
func TestConnectRemoved(t *testing.T) {
	slow := full(t)
	_, descriptors := settled(t, 0, 0, time.Second)
	m := monitorTCP(t, Options{}, 5*time.Second, slow)
	stop := background(t, m)
	waits := func() int {
		m.mu.Lock()
		defer m.mu.Unlock()
		return len(m.conns.waits)
	}
	for waits() == 0 {
		time.Sleep(time.Millisecond)
	}
	if err := m.Set(lvs.Table{}, nil); err != nil {
		t.Fatal(err)
	}
	if n := waits(); n != 0 {
		t.Errorf("%d connections still wait", n)
	}
	stop()
	if _, d := settled(t, 1<<20, descriptors, 10*time.Second); d > descriptors {
		t.Errorf("%d descriptors have become %d", descriptors, d)
	}
}

// A connection is reset, so that it leaves no port waiting.
func TestConnectResets(t *testing.T) {
	ends := make(chan error, 100)
	server := on(t, func(c net.Conn) {
		_, err := io.Copy(io.Discard, c)
		ends <- err
	})
	checkTCP(t, Options{}, server.Addr)
	if err := <-ends; !errors.Is(err, syscall.ECONNRESET) {
		t.Error(err)
	}
}

// A host without a free descriptor says so, and recovers.
func TestConnectWithoutDescriptors(t *testing.T) {
	server := on(t, func(net.Conn) {}).Addr
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	allow := func(n uint64) {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: n, Max: was.Max}); err != nil {
			t.Fatal(err)
		}
	}
	defer allow(was.Cur)
	m := monitorTCP(t, Options{}, time.Second, server)
	allow(0)
	defer background(t, m)()
	for _, want := range []string{"dial tcp " + server.String() + ": socket: too many open files", ""} {
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			c := m.Status().Services[0].Servers[0].Checks[0]
			if !c.Last.IsZero() && c.Error == want {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("%+v, want %q", c, want)
			}
		}
		allow(was.Cur)
	}
}

// Nothing listens where a connection is its own peer.
func TestConnectToItself(t *testing.T) {
	for _, at := range []unix.Sockaddr{&unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}, &unix.SockaddrInet6{Addr: netip.IPv6Loopback().As16()}} {
		family, to := unix.AF_INET, netip.AddrFrom4([4]byte{127, 0, 0, 1})
		if _, is6 := at.(*unix.SockaddrInet6); is6 {
			family, to = unix.AF_INET6, netip.IPv6Loopback()
		}
		fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err == nil {
			defer unix.Close(fd)
			err = unix.Bind(fd, at)
		}
		if err != nil && family == unix.AF_INET6 {
			t.Logf("this host has no IPv6: %v", err)
			continue
		}
		own, err2 := unix.Getsockname(fd)
		if err := errors.Join(err, err2, unix.Connect(fd, own)); err != nil {
			t.Fatal(err)
		}
		s := socket{fd: fd, to: netip.AddrPortFrom(to, portOf(own))}
		if err := s.outcome(unix.POLLOUT); !errors.Is(err, unix.ECONNREFUSED) {
			t.Errorf("%s: %v", s.to, err)
		}
	}
}

func portOf(own unix.Sockaddr) uint16 {
	if own, ok := own.(*unix.SockaddrInet4); ok {
		return uint16(own.Port)
	}
	return uint16(own.(*unix.SockaddrInet6).Port)
}
