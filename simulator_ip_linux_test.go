package lvs

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/golvs/lvs/internal/ippacket"
	"github.com/golvs/lvs/internal/testbed"
)

// ipSite is the network of wayLab, in the kernel and simulated. The same packets come in
// to both, and what leaves is compared.
type ipSite struct {
	t         *testing.T
	director  *testbed.Namespace
	wires     map[string]*outerEnd
	simulated *simLab
	hosts     []*Host // the kernel's first
	packets   int
	clients   uint16
}

func openIPSite(t *testing.T, mtu map[string]int) *ipSite {
	t.Helper()
	director, outside := testbed.New(t), testbed.New(t)
	s := &ipSite{t: t, director: director, wires: map[string]*outerEnd{
		"eth0": openOuterEnd(t, director, outside, "eth0", "10.1.0.1/24", "10.1.0.9/32", "fd00:1::1/64"),
		"eth1": openOuterEnd(t, director, outside, "eth1", "10.2.0.254/24", "fd00:2::fe/64"),
	}}
	for _, name := range []string{"eth0", "eth1"} {
		must(t, director.Do(func() error { return withoutOffload(name) }))
	}
	for _, route := range []string{"10.9.0.0/16 via 10.1.0.254 dev eth0", "fd00:9::/64 via fd00:1::fe dev eth0", "10.3.0.0/24 via 10.2.0.1 dev eth1"} {
		director.Run("ip", append([]string{"route", "add"}, strings.Fields(route)...)...)
	}
	for name, bytes := range mtu {
		director.Run("ip", "link", "set", name, "mtu", fmt.Sprint(bytes))
	}
	h, err := OpenHost(t.Context(), InNamespaceFile(director.File))
	must(t, err)
	t.Cleanup(func() { _ = h.Client().Flush(context.Background()); _ = h.Close() })
	s.simulated = wayLabOf(t, mtu, SimOptions{Kernel: kernelRelease(t, h)})
	s.hosts = []*Host{h, s.simulated.Host()}
	s.set("net.ipv4.ip_forward", "1")
	s.set("net.ipv6.conf.all.forwarding", "1")
	for key, value := range map[string]string{"net.ipv4.icmp_ratelimit": "0", "net.ipv6.icmp.ratelimit": "0", "net.ipv4.conf.all.rp_filter": "0"} {
		must(t, director.Do(func() error {
			return threadWrite("/proc/sys/"+strings.ReplaceAll(key, ".", "/"), value)
		}))
	}
	return s
}

func kernelRelease(t *testing.T, h *Host) string {
	release, err := h.KernelRelease(t.Context())
	must(t, err)
	return release
}

// withoutOffload makes the kernel compute the checksums of what leaves by an interface.
func withoutOffload(name string) error {
	const setTxChecksum = 0x17 // ETHTOOL_STXCSUM
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	value := [2]uint32{setTxChecksum, 0}
	var req struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}
	copy(req.name[:], name)
	req.data = unsafe.Pointer(&value)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&req))); errno != 0 {
		return errno
	}
	return nil
}

func threadWrite(path, value string) error {
	fd, err := unix.Open(path, unix.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, err = unix.Write(fd, []byte(value))
	return err
}

func (s *ipSite) set(key SysctlKey, value string) {
	s.t.Helper()
	for _, h := range s.hosts {
		must(s.t, h.SetSysctl(s.t.Context(), key, value))
	}
}

// port gives a client a port that opens a connection.
func (s *ipSite) port(client string) string {
	s.clients++
	return netip.AddrPortFrom(netip.MustParseAddrPort(client).Addr(), 1000+s.clients).String()
}

// serve replaces the table by one service with one server.
func (s *ipSite) serve(id ServiceID, server RealServer) {
	s.t.Helper()
	for _, h := range s.hosts {
		must(s.t, h.Client().Flush(s.t.Context()))
		must(s.t, h.Client().Do(s.t.Context(), AddService(Service{ID: id, Scheduler: RR}), AddRealServer(id, server)))
	}
}

// play lets packets come in by an interface, to both, and compares what leaves.
func (s *ipSite) play(what, in string, packets ...[]byte) (sent []SimSent) {
	s.t.Helper()
	for i, b := range packets {
		s.packets++
		d, err := s.simulated.DeliverIP(b, 0)
		if err != nil {
			s.t.Errorf("%s %d: %v", what, i, err)
			continue
		}
		must(s.t, s.wires[in].sendRaw(b))
		seen := s.seen(len(d.Sent))
		for n, want := range d.Sent {
			at := -1
			for m, got := range seen[want.Interface] {
				if want.Matches(got) {
					at = m
					break
				}
			}
			if at < 0 {
				s.t.Errorf("%s: packet %d: %s: packet %d by %s does not leave:\n%s", what, i, d.Verdict, n, want.Interface, dumpIP(want.Packet))
				continue
			}
			seen[want.Interface] = append(seen[want.Interface][:at:at], seen[want.Interface][at+1:]...)
		}
		for name, rest := range seen {
			for _, got := range rest {
				s.t.Errorf("%s: packet %d: %s: the kernel sends by %s\n%s", what, i, d.Verdict, name, dumpIP(got))
			}
		}
		sent = append(sent, d.Sent...)
	}
	return sent
}

func dumpIP(b []byte) string {
	var text strings.Builder
	for i := 0; i < min(len(b), 160); i += 20 {
		fmt.Fprintf(&text, "\t%x\n", b[i:min(i+20, len(b))])
	}
	return fmt.Sprintf("%s\t(%d bytes)", text.String(), len(b))
}

// seen returns what left the director by each interface.
func (s *ipSite) seen(want int) map[string][][]byte {
	all := make(map[string][][]byte)
	n := 0
	for end := time.Now().Add(100 * time.Millisecond); n < want && time.Now().Before(end); time.Sleep(100 * time.Microsecond) {
		n += s.collect(all)
	}
	s.collect(all)
	return all
}

func (s *ipSite) collect(all map[string][][]byte) (n int) {
	buf := make([]byte, 1<<16)
	for name, w := range s.wires {
		for {
			length, from, err := unix.Recvfrom(w.socket, buf, unix.MSG_DONTWAIT)
			if err != nil {
				break
			}
			if link, ok := from.(*unix.SockaddrLinklayer); ok && link.Pkttype == unix.PACKET_OUTGOING {
				continue
			}
			b := append([]byte(nil), buf[:length]...)
			if p, err := ippacket.Parse(b); err == nil && chatter(&p) {
				continue
			}
			all[name] = append(all[name], b)
			n++
		}
	}
	return n
}

// chatter reports whether a packet is what hosts send without being asked.
func chatter(p *ippacket.Packet) bool {
	if p.Protocol == 2 || p.Destination.IsMulticast() {
		return true
	}
	return p.Protocol == ippacket.ICMPv6 && len(p.Payload()) > 0 && p.Payload()[0] >= 130
}

// sendRaw lets a packet come in as it is.
func (w *outerEnd) sendRaw(b []byte) error {
	protocol := uint16(unix.ETH_P_IP)
	if b[0]>>4 == 6 {
		protocol = unix.ETH_P_IPV6
	}
	to := unix.SockaddrLinklayer{Protocol: protocol<<8 | protocol>>8, Ifindex: w.index, Halen: 6}
	copy(to.Addr[:], w.address)
	return unix.Sendto(w.socket, b, 0, &to)
}
