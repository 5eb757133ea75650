package lvs

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/golvs/lvs/internal/testbed"
)

// outerEnd is the outer end of a director's interface, without ARP.
type outerEnd struct {
	socket  int
	index   int
	address net.HardwareAddr // the director's
}

// openOuterEnd gives the director an interface and opens its other end.
func openOuterEnd(t *testing.T, director, outside *testbed.Namespace, name string, addresses ...string) *outerEnd {
	t.Helper()
	director.Run("ip", "link", "add", name, "type", "veth", "peer", "name", "out"+name)
	director.Run("ip", "link", "set", name, "arp", "off", "up")
	w := new(outerEnd)
	must(t, director.Do(func() error {
		inner, err := net.InterfaceByName(name)
		if err == nil {
			w.address = inner.HardwareAddr
		}
		return err
	}))
	director.Run("ip", "link", "set", "out"+name, "netns", fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), outside.File.Fd()))
	outside.Run("ip", "link", "set", "out"+name, "arp", "off", "up")
	for _, a := range addresses {
		args := []string{"addr", "add", a, "dev", name}
		if strings.Contains(a, ":") {
			args = append(args, "nodad")
		}
		director.Run("ip", args...)
	}
	must(t, outside.Do(func() error {
		outer, err := net.InterfaceByName("out" + name)
		if err != nil {
			return err
		}
		const all = unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8
		w.index = outer.Index
		if w.socket, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, all); err != nil {
			return err
		}
		t.Cleanup(func() { _ = unix.Close(w.socket) })
		return unix.Bind(w.socket, &unix.SockaddrLinklayer{Protocol: all, Ifindex: w.index})
	}))
	return w
}

// send lets a packet come in.
func (w *outerEnd) send(b []byte) error {
	protocol := uint16(unix.ETH_P_IP)
	if b[0]>>4 == 6 {
		protocol = unix.ETH_P_IPV6
	} else {
		const header, checksum = 20, 10
		binary.BigEndian.PutUint16(b[checksum:], testbed.Checksum(b[:header]))
	}
	to := unix.SockaddrLinklayer{Protocol: protocol<<8 | protocol>>8, Ifindex: w.index, Halen: 6}
	copy(to.Addr[:], w.address)
	return unix.Sendto(w.socket, b, 0, &to)
}

// What is seen of a packet outside.
const (
	wayNothing     = "nothing"
	wayLeft        = "it left"
	wayUnreachable = "host unreachable"
	wayReset       = "reset"
)

// fate tells what left by a wire because of a tagged packet.
func (w *outerEnd) fate(tag uint32) string {
	buf := make([]byte, 1<<16)
	for {
		n, from, err := unix.Recvfrom(w.socket, buf, unix.MSG_DONTWAIT)
		if err != nil {
			return wayNothing
		}
		if link, ok := from.(*unix.SockaddrLinklayer); ok && link.Pkttype == unix.PACKET_OUTGOING {
			continue
		}
		b := buf[:n]
		if seenTag, _, ok := testbed.See(b); ok && seenTag == tag {
			return wayLeft
		}
		switch {
		case b[0]>>4 == 4 && b[9] == unix.IPPROTO_ICMP && b[20] == 3 && b[21] == 1,
			b[0]>>4 == 6 && b[6] == unix.IPPROTO_ICMPV6 && b[40] == 1 && (b[41] == 3 || b[41] == 0):
			return wayUnreachable
		case b[0]>>4 == 4 && b[9] == unix.IPPROTO_TCP && b[33]&byte(SimRST) != 0, b[0]>>4 == 6 && b[6] == unix.IPPROTO_TCP && b[53]&byte(SimRST) != 0:
			return wayReset
		}
	}
}

// Packets that come in by a wire get where the simulator says.
func TestFidelityWays(t *testing.T) {
	testbed.InKernel(t)
	for name, c := range wayCases {
		t.Run(name, func(t *testing.T) {
			c := c.whole()
			from := netip.MustParseAddrPort(c.from)
			if from.Addr().IsLoopback() || from.Addr() == netip.MustParseAddr("10.1.0.9") {
				t.Log("only packets from outside come by a wire")
				return
			}
			director, outside := testbed.New(t), testbed.New(t)
			eth0 := openOuterEnd(t, director, outside, "eth0", "10.1.0.1/24", "10.1.0.9/32", "fd00:1::1/64")
			eth1 := openOuterEnd(t, director, outside, "eth1", "10.2.0.254/24", "fd00:2::fe/64")
			for _, route := range []string{"10.9.0.0/16 via 10.1.0.254 dev eth0", "fd00:9::/64 via fd00:1::fe dev eth0", "10.3.0.0/24 via 10.2.0.1 dev eth1"} {
				director.Run("ip", append([]string{"route", "add"}, strings.Fields(route)...)...)
			}
			h, err := OpenHost(t.Context(), InNamespaceFile(director.File))
			must(t, err)
			defer h.Close()
			defer func() { _ = h.Client().Flush(t.Context()) }()
			for _, f := range c.state {
				must(t, h.put(f))
			}
			c.serve(t, h.Client())
			const tag = 7
			p := testbed.Packet{Protocol: unix.IPPROTO_TCP, TCP: uint8(SimSYN), From: from, To: c.service().AddrPort()}
			in := eth0
			if slices.Contains(c.state, Resource(Link{Name: "eth0"})) {
				in = eth1
			}
			must(t, in.send(p.Encode(tag)))
			time.Sleep(50 * time.Millisecond)
			want, at, server := wayNothing, eth1, netip.MustParseAddrPort(c.server).Addr()
			switch {
			case c.action == ActionForwarded && (server.IsLoopback() || server == netip.MustParseAddr("10.2.0.254")):
				want, at = wayReset, eth0
			case c.action == ActionForwarded, c.reason == ReasonNotOnLink: // the router's turn
				want = wayLeft
			case c.reason == ReasonNoRoute:
				want, at = wayUnreachable, eth0
			}
			if got := at.fate(tag); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
}
