package conformance

import (
	"cmp"
	"flag"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/internal/testbed"
	"golang.org/x/sys/unix"
)

var connectionsReal = flag.Int("connections.real", 0, "make so many connections in a kernel, and time how they are read")

// longCall is as long as the data of an engine can be.
var longCall = strings.Repeat("0123456789abcdef", 255/16) + "0123456@example"[:255%16]

// connectionsGround has connections of each form that the kernel lists.
func connectionsGround(t *testing.T) (*kernelGround, *lvs.Host) {
	t.Helper()
	testbed.InKernel(t)
	g := openKernelGround(t).(*kernelGround)
	h, ctx := g.Host(t), groundContext(t)
	vip4, vip6 := netip.MustParseAddr("10.1.0.1"), netip.MustParseAddr("fd00:1::1")
	persistence4 := lvs.Persistence{Timeout: time.Minute, Mask: lvs.PrefixMask(24)}
	persistence6 := lvs.Persistence{Timeout: time.Minute, Mask: lvs.PrefixMask(64)}
	sip := lvs.UDP(netip.AddrPortFrom(vip4, 5060))
	for _, c := range []struct {
		service lvs.Service
		server  lvs.RealServer
	}{
		{lvs.Service{ID: lvs.TCP(netip.AddrPortFrom(vip4, 80)), Persistence: persistence4}, lvs.NewRealServer(netip.MustParseAddrPort("10.2.0.2:80"), lvs.DR())},
		{lvs.Service{ID: lvs.TCP(netip.AddrPortFrom(vip6, 80))}, lvs.NewRealServer(netip.MustParseAddrPort("10.2.0.2:80"), lvs.IPIP())},
		{lvs.Service{ID: lvs.FWMark(9), Persistence: persistence4}, lvs.NewRealServer(netip.MustParseAddrPort("10.2.0.3:0"), lvs.DR())},
		{lvs.Service{ID: lvs.FWMark6(9), Persistence: persistence6}, lvs.NewRealServer(netip.MustParseAddrPort("[fd00:1::3]:0"), lvs.DR())},
		{lvs.Service{ID: sip, Persistence: lvs.Persistence{Timeout: time.Minute, Mask: lvs.PrefixMask(32), Engine: "sip"}}, lvs.NewRealServer(netip.MustParseAddrPort("10.2.0.4:5060"), lvs.DR())},
	} {
		c.service.Scheduler = lvs.RR
		must(t, h.Client().Do(ctx, lvs.AddService(c.service), lvs.AddRealServer(c.service.ID, c.server)))
	}
	sendConnections(t, g, "tcp", 0, netip.AddrPortFrom(vip4, 80), "")
	sendConnections(t, g, "tcp", 0, netip.AddrPortFrom(vip6, 80), "")
	sendConnections(t, g, "udp", 9, netip.AddrPortFrom(vip4, 7000), "x")
	sendConnections(t, g, "udp", 9, netip.AddrPortFrom(vip6, 7000), "x")
	for _, call := range []string{"4711-a@example.com", longCall} {
		sendConnections(t, g, "udp", 0, sip.AddrPort(), "INVITE sip:a@b SIP/2.0\r\nCall-ID: "+call+"\r\nContent-Length: 0\r\n\r\n")
	}
	return g, h
}

// sendConnections opens a socket with a mark, and sends a packet. TCP sends a SYN, which
// nothing answers.
func sendConnections(t *testing.T, g *kernelGround, network string, mark int, to netip.AddrPort, data string) {
	t.Helper()
	dialer := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		cerr := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK, mark) })
		return cmp.Or(cerr, err)
	}}
	must(t, g.ns.Do(func() error {
		if network == "tcp" {
			return synOnly(to)
		}
		conn, err := dialer.Dial(network, to.String())
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = conn.Write([]byte(data))
		return err
	}))
}

// synOnly begins a TCP connection without waiting for an answer.
func synOnly(to netip.AddrPort) error {
	family, addr := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()})
	if to.Addr().Is4() {
		family, addr = unix.AF_INET, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, addr); err != unix.EINPROGRESS {
		return err
	}
	return nil
}

// Each form that a kernel lists is understood.
func TestConnectionsKernel(t *testing.T) {
	g, h := connectionsGround(t)
	capture(t, g, "ip_vs_conn", "ip_vs_conn_sync")
	ctx := groundContext(t)
	all, err := lvs.CollectConnections(h.Connections(ctx, lvs.ConnectionFilter{}))
	must(t, err)
	find := func(what string, is func(lvs.Connection) bool) {
		t.Helper()
		if !slices.ContainsFunc(all, is) {
			t.Errorf("%s is missing in %+v", what, all)
		}
	}
	mark4, mark6 := netip.MustParseAddr("0.0.0.9"), netip.MustParseAddr("0:9::")
	find("the template of a mark", func(c lvs.Connection) bool { return c.Protocol == 0 && c.VIP.Addr() == mark4 && c.IsTemplate() })
	find("the template of a mark for IPv6", func(c lvs.Connection) bool { return c.Protocol == 0 && c.VIP.Addr() == mark6 && c.IsTemplate() })
	find("a connection of mixed families", func(c lvs.Connection) bool { return c.Client.Addr().Is6() && c.Server.Addr().Is4() })
	find("the data of an engine", func(c lvs.Connection) bool { return c.Engine == "sip" && c.Data == "4711-a@example.com" })
	find("the longest data of an engine", func(c lvs.Connection) bool { return c.Data == longCall })
	for id, port := range map[lvs.ServiceID]uint16{lvs.FWMark(9): 0, lvs.FWMark6(9): 0, lvs.UDP(netip.MustParseAddrPort("10.1.0.1:7000")): 7000} {
		some, err := lvs.CollectConnections(h.Connections(ctx, lvs.ConnectionFilter{Service: id}))
		if err != nil || len(some) != 1 || some[0].VIP.Port() != port {
			t.Errorf("of %s: %+v, %v", id, some, err)
		}
	}
}

// file returns the text of a file in /proc/net.
func (g *kernelGround) file(t testing.TB, name string) string {
	t.Helper()
	var text []byte
	must(t, g.ns.Do(func() (err error) {
		text, err = os.ReadFile("/proc/thread-self/net/" + name)
		return err
	}))
	return string(text)
}

// A large table of a kernel, as large as the flag says.
func TestConnectionsReal(t *testing.T) {
	testbed.InKernel(t)
	if *connectionsReal == 0 {
		t.Log("no -connections.real: a small table")
		*connectionsReal = 1000
	}
	g := openKernelGround(t).(*kernelGround)
	h, ctx := g.Host(t), groundContext(t)
	dns := lvs.UDP(netip.MustParseAddrPort("10.1.0.1:53"))
	must(t, h.Client().Do(ctx, lvs.AddService(lvs.Service{ID: dns, Scheduler: lvs.RR}), lvs.AddRealServer(dns, lvs.NewRealServer(netip.MustParseAddrPort("10.2.0.2:53"), lvs.DR()))))
	must(t, g.ns.Do(func() error { return floodConnections(*connectionsReal, dns.AddrPort()) }))
	began := time.Now()
	raw := strings.Count(g.file(t, "ip_vs_conn"), "\n") - 1
	plain := time.Since(began)
	began = time.Now()
	n := 0
	for _, err := range h.Connections(ctx, lvs.ConnectionFilter{}) {
		must(t, err)
		n++
	}
	t.Logf("%d connections: %s; %d read alone: %s", n, time.Since(began), raw, plain)
	if n != *connectionsReal || raw != n {
		t.Errorf("%d connections are listed, and %d lines; want %d", n, raw, *connectionsReal)
	}
}

// floodConnections sends datagrams from as many clients, by a raw socket.
func floodConnections(n int, to netip.AddrPort) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for i := range n {
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(1 + i>>14), byte(1 + i>>8&0x3f)}), uint16(1024+i&0xff))
		p := testbed.Packet{Protocol: unix.IPPROTO_UDP, From: from, To: to}
		if err := unix.Sendto(fd, p.Encode(uint32(i)), 0, &unix.SockaddrInet4{Addr: to.Addr().As4()}); err != nil {
			return err
		}
	}
	return nil
}
