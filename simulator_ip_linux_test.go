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

func TestFidelityIPModes(t *testing.T) {
	testbed.InKernel(t)
	for _, family := range []struct{ name, client, vip, server, other string }{
		{"4in4", "10.9.0.1:1000", "10.1.0.1:80", "10.2.0.1:8080", "10.2.0.1:8080"},
		{"6in6", "[fd00:9::1]:1000", "[fd00:1::1]:80", "[fd00:2::1]:8080", ""},
		{"4in6", "10.9.0.1:1000", "10.1.0.1:80", "[fd00:2::1]:8080", ""},
		{"6in4", "[fd00:9::1]:1000", "[fd00:1::1]:80", "10.2.0.1:8080", ""},
	} {
		t.Run(family.name, func(t *testing.T) {
			s := openIPSite(t, nil)
			for _, mode := range []Mode{DR(), NAT(), IPIP(), GUE(6080, TunnelRemoteChecksum), GUE(6080), GUE(6080, TunnelChecksum), GRE(), GRE(TunnelChecksum)} {
				if !mode.IsTunnel() && strings.Contains(family.name, "6in4") || !mode.IsTunnel() && strings.Contains(family.name, "4in6") {
					continue
				}
				for _, protocol := range []Protocol{ProtocolTCP, ProtocolUDP} {
					id := TCP(netip.MustParseAddrPort(family.vip))
					if protocol == ProtocolUDP {
						id = UDP(netip.MustParseAddrPort(family.vip))
					}
					server := netip.MustParseAddrPort(family.server)
					if mode != NAT() {
						server = netip.AddrPortFrom(server.Addr(), 80)
					}
					s.serve(id, NewRealServer(server, mode))
					for variant := range 10 {
						out := variantOf(protocol, family.client, family.vip, variant)
						s.play(fmt.Sprintf("%s %s variant %d", mode, protocol, variant), "eth0", out)
						if mode == NAT() {
							s.play(fmt.Sprintf("%s %s reply of variant %d", mode, protocol, variant), "eth1", variantOf(protocol, family.server, family.client, variant))
						}
					}
				}
			}
			t.Logf("%d packets", s.packets)
		})
	}
}

// variantOf returns a packet that is unusual in some way.
func variantOf(protocol Protocol, from, to string, variant int) []byte {
	b := testbed.Packet{Protocol: uint8(protocol), TCP: 2, From: netip.MustParseAddrPort(from), To: netip.MustParseAddrPort(to), Data: variant}.Encode(1)
	ip4 := b[0]>>4 == 4
	p, transport := 0, 40
	if ip4 {
		transport = 20
	}
	check := transport + 16
	if protocol == ProtocolUDP {
		check = transport + 6
	}
	switch variant {
	case 1, 7, 8, 9: // DSCP and ECN
		tos := uint8(0xfc | variant%4)
		if ip4 {
			b[1] = tos
		} else {
			b[0], b[1] = 0x60|tos>>4, tos<<4
		}
	case 2: // DF
		if ip4 {
			b[6] |= 0x40
		}
	case 3: // a wrong checksum
		b[check]++
	case 4: // no checksum
		b[check], b[check+1] = 0, 0
	case 5: // a TTL of 2, and an ID or a flow label
		if ip4 {
			b[4], b[5], b[8] = 0x12, 0x34, 2
		} else {
			b[1], b[2], b[3], b[7] = 1, 2, 3, 2
		}
	case 6: // all ones
		b[check], b[check+1] = 0xff, 0xff
	}
	if ip4 {
		b[10], b[11] = 0, 0
		sum := testbed.Checksum(b[p:20])
		b[10], b[11] = byte(sum>>8), byte(sum)
	}
	return b
}

// ipFamilies are the families of a packet inside and outside of a tunnel.
var ipFamilies = []struct{ name, client, vip, server string }{
	{"4in4", "10.9.0.1:1000", "10.1.0.1:80", "10.2.0.1:80"},
	{"6in6", "[fd00:9::1]:1000", "[fd00:1::1]:80", "[fd00:2::1]:80"},
	{"4in6", "10.9.0.1:1000", "10.1.0.1:80", "[fd00:2::1]:80"},
	{"6in4", "[fd00:9::1]:1000", "[fd00:1::1]:80", "10.2.0.1:80"},
}

// shaped returns a UDP packet of a length, from its IP header on.
func shaped(from, to string, length int, ttl uint8, df bool) []byte {
	p := testbed.Packet{Protocol: ippacket.UDP, From: netip.MustParseAddrPort(from), To: netip.MustParseAddrPort(to)}
	p.Data = length - p.Length()
	b := p.Encode(1)
	for i := range p.Data {
		b[len(b)-1-i] = byte(i * 7)
	}
	if b[0]>>4 == 6 {
		b[7] = ttl
	} else {
		b[8] = ttl
		b[4], b[5] = byte(length>>8), byte(length)
		if df {
			b[6] = 0x40
		}
	}
	q := mustParse(b)
	q.FillChecksum()
	return q.Bytes
}

// mustParse reads a packet whose header checksum is not computed yet.
func mustParse(b []byte) ippacket.Packet {
	if b[0]>>4 == 4 {
		b[10], b[11] = 0, 0
		sum := testbed.Checksum(b[:20])
		b[10], b[11] = byte(sum>>8), byte(sum)
	}
	p, err := ippacket.Parse(b)
	if err != nil {
		panic(err)
	}
	return p
}

// Packets that are too long or have no hop left.
func TestFidelityIPLimits(t *testing.T) {
	testbed.InKernel(t)
	for _, f := range ipFamilies {
		t.Run(f.name, func(t *testing.T) {
			s := openIPSite(t, map[string]int{"eth0": 1500, "eth1": 1400})
			for _, discovers := range []string{"1", "0"} {
				s.set("net.ipv4.vs.pmtu_disc", discovers)
				for _, mode := range []Mode{DR(), NAT(), IPIP(), GUE(6080), GUE(6080, TunnelChecksum), GRE(), GRE(TunnelChecksum)} {
					if !mode.IsTunnel() && f.name[0] != f.name[3] {
						continue
					}
					s.serve(UDP(netip.MustParseAddrPort(f.vip)), NewRealServer(netip.MustParseAddrPort(f.server), mode))
					for _, df := range []bool{false, true} {
						for _, length := range []int{1340, 1344, 1348, 1352, 1353, 1356, 1360, 1361, 1368, 1372, 1376, 1377, 1380, 1381, 1400, 1401, 1500} {
							s.play(fmt.Sprintf("%s pmtu_disc=%s length=%d df=%t", mode, discovers, length, df), "eth0", shaped(f.client, f.vip, length, 64, df))
						}
						for _, ttl := range []uint8{0, 1, 2} {
							s.play(fmt.Sprintf("%s pmtu_disc=%s ttl=%d df=%t", mode, discovers, ttl, df), "eth0", shaped(f.client, f.vip, 1000, ttl, df), shaped(f.client, f.vip, 1500, ttl, df))
						}
					}
				}
			}
			t.Logf("%d packets", s.packets)
		})
	}
}

// What a router does with the answers of NAT servers.
func TestFidelityIPAnswers(t *testing.T) {
	testbed.InKernel(t)
	for _, f := range ipFamilies[:2] {
		t.Run(f.name, func(t *testing.T) {
			s := openIPSite(t, map[string]int{"eth0": 1400, "eth1": 1500})
			s.serve(UDP(netip.MustParseAddrPort(f.vip)), NewRealServer(netip.MustParseAddrPort(f.server), NAT()))
			s.play("request", "eth0", shaped(f.client, f.vip, 100, 64, false))
			stranger := strings.Replace(f.client, "1000", "1001", 1)
			for _, to := range []string{f.client, stranger} {
				for _, df := range []bool{false, true} {
					for _, length := range []int{100, 1399, 1400, 1401, 1500} {
						for _, ttl := range []uint8{0, 1, 2, 64} {
							s.play(fmt.Sprintf("to %s length=%d ttl=%d df=%t", to, length, ttl, df), "eth1", shaped(f.server, to, length, ttl, df))
						}
					}
				}
			}
			s.set("net.ipv4.vs.nat_icmp_send", "1")
			s.play("nat_icmp_send", "eth1", shaped(f.server, stranger, 1000, 64, false))
			s.play("no route", "eth1", shaped(f.server, map[bool]string{true: "172.16.0.1:9", false: "[fd00:77::1]:9"}[f.name == "4in4"], 1000, 64, false))
		})
	}
}

// Packets that are refused.
func TestFidelityIPRefused(t *testing.T) {
	testbed.InKernel(t)
	for _, f := range ipFamilies[:2] {
		t.Run(f.name, func(t *testing.T) {
			s := openIPSite(t, nil)
			vip := UDP(netip.MustParseAddrPort(f.vip))
			for _, h := range s.hosts {
				must(t, h.Client().Do(t.Context(), AddService(Service{ID: vip, Scheduler: RR})))
			}
			for _, length := range []int{40, 100, 548, 549, 576, 1232, 1280, 1281, 1500} {
				if length < 60 && f.name == "6in6" {
					continue
				}
				for _, ttl := range []uint8{1, 64} {
					s.play(fmt.Sprintf("refused length=%d ttl=%d", length, ttl), "eth0", shaped(f.client, f.vip, length, ttl, true))
				}
			}
			b := shaped(f.client, f.vip, 100, 64, true)
			if b[0]>>4 == 4 {
				b[1] = 0xff
			} else {
				b[0], b[1] = 0x6f, 0xf5
			}
			s.play("refused with a type of service", "eth0", mustParse(b).Bytes)
			nowhere := map[bool]string{true: "172.16.0.1:80", false: "[fd00:77::1]:80"}[f.name == "4in4"]
			for _, mode := range []Mode{DR(), NAT(), IPIP()} {
				s.serve(vip, NewRealServer(netip.MustParseAddrPort(nowhere), mode))
				s.play(fmt.Sprintf("no route by %s", mode), "eth0", shaped(f.client, f.vip, 100, 1, true), shaped(f.client, f.vip, 1500, 64, true))
			}
		})
	}
}
