package lvs

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/golvs/lvs/internal/ippacket"
	"github.com/golvs/lvs/internal/testbed"
)

// Packets that are unusual in some way, by all modes and families.
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
					family.client = s.port(family.client)
					for variant := range 10 {
						out := variantOf(protocol, family.client, family.vip, variant)
						s.play(fmt.Sprintf("%s %s variant %d", mode, protocol, variant), "eth0", out)
						if mode == NAT() {
							s.play(fmt.Sprintf("%s %s reply of variant %d", mode, protocol, variant), "eth1", variantOf(protocol, server.String(), family.client, variant))
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
					f.client = s.port(f.client)
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
			f.client = s.port(f.client)
			s.play("request", "eth0", shaped(f.client, f.vip, 100, 64, false))
			stranger := s.port(f.client)
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
			other := strings.Replace(strings.Replace(f.server, "0.1:", "0.2:", 1), "::1]", "::2]", 1) // errors to it are not limited yet
			s.play("no route", "eth1", shaped(other, map[bool]string{true: "172.16.0.1:9", false: "[fd00:77::1]:9"}[f.name == "4in4"], 1000, 64, false))
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

// Fragments are put together before IPVS sees them, and the packet leaves in fragments.
func TestFidelityIPFragments(t *testing.T) {
	testbed.InKernel(t)
	for _, f := range ipFamilies {
		t.Run(f.name, func(t *testing.T) {
			s := openIPSite(t, map[string]int{"eth0": 1500, "eth1": 1400})
			for _, discovers := range []string{"1", "0"} {
				s.set("net.ipv4.vs.pmtu_disc", discovers)
				for _, mode := range []Mode{DR(), NAT(), IPIP(), GUE(6080, TunnelChecksum), GRE()} {
					if !mode.IsTunnel() && f.name[0] != f.name[3] {
						continue
					}
					s.serve(UDP(netip.MustParseAddrPort(f.vip)), NewRealServer(netip.MustParseAddrPort(f.server), mode))
					f.client = s.port(f.client)
					for _, mtu := range []int{1280, 1320, 1352, 1380, 1400, 1420, 1500} {
						for _, length := range []int{1290, 1400, 1500, 2000, 3000, 4500} {
							if length > mtu {
								what := fmt.Sprintf("%s pmtu_disc=%s mtu=%d length=%d", mode, discovers, mtu, length)
								s.play(what, "eth0", cut(shaped(f.client, f.vip, length, 64, false), mtu)...)
								backwards := cut(shaped(f.client, f.vip, length, 64, false), mtu)
								slices.Reverse(backwards)
								s.play(what+" backwards", "eth0", backwards...)
								if mode == NAT() && mtu <= 1400 {
									s.play(what+" answer", "eth1", cut(shaped(f.server, f.client, length, 64, false), mtu)...)
								}
							}
						}
					}
				}
			}
			t.Logf("%d packets", s.packets)
		})
	}
}

// odd returns a packet in fragments of odd sizes.
func odd(b []byte, df bool, sizes ...int) (all [][]byte) {
	p := mustParse(b)
	at := 0
	for _, size := range sizes {
		size = min(size, len(p.Payload())-at)
		f := append([]byte(nil), b[:p.Transport]...)
		more := at+size < len(p.Payload())
		if p.Is4() {
			f = append(f, p.Payload()[at:at+size]...)
			f[2], f[3] = byte(len(f)>>8), byte(len(f))
			f[6], f[7] = byte(at>>11), byte(at>>3)
			if more {
				f[6] |= 0x20
			}
			if df {
				f[6] |= 0x40
			}
		} else {
			f = append(f, f[6], 0, byte(at>>8), byte(at), 0, 0, 0, byte(len(b)))
			if more {
				f[43] |= 1
			}
			f[6] = 44
			f = append(f, p.Payload()[at:at+size]...)
			f[4], f[5] = byte((len(f)-40)>>8), byte(len(f)-40)
		}
		all = append(all, mustParse(f).Bytes)
		at += size
	}
	return all
}

// Fragments that Linux would not make.
func TestFidelityIPOddFragments(t *testing.T) {
	testbed.InKernel(t)
	for _, f := range ipFamilies {
		t.Run(f.name, func(t *testing.T) {
			s := openIPSite(t, map[string]int{"eth0": 1500, "eth1": 1400})
			for _, mode := range []Mode{DR(), NAT(), IPIP(), GUE(6080, TunnelChecksum), GRE()} {
				if !mode.IsTunnel() && f.name[0] != f.name[3] {
					continue
				}
				s.serve(UDP(netip.MustParseAddrPort(f.vip)), NewRealServer(netip.MustParseAddrPort(f.server), mode))
				f.client = s.port(f.client)
				for _, df := range []bool{false, true} {
					// What Linux joins of IPv4 fragments that get longer depends on its memory.
					for i, sizes := range [][]int{{8, 16, 24, 4000}, {800, 400, 4000}, {1000, 8, 1000, 8, 4000}, {1296, 4000}, {1200, 1200, 4000}} {
						for _, length := range []int{600, 1300, 1390, 2300} {
							what := fmt.Sprintf("%s df=%t sizes %d length=%d", mode, df, i, length)
							all := odd(shaped(f.client, f.vip, length, 64, false), df, sizes...)
							if slices.ContainsFunc(all, func(b []byte) bool { return len(b) > 1500 || len(b) <= 48 }) {
								continue
							}
							s.play(what, "eth0", all...)
							if mode == NAT() && !df {
								s.play(what+" answer", "eth1", odd(shaped(f.server, f.client, length, 64, false), df, sizes...)...)
							}
						}
					}
				}
			}
			t.Logf("%d packets", s.packets)
		})
	}
}
