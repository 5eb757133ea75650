package lvs

import (
	"bytes"
	"net/netip"
	"strings"
)

// setupCase is a setup for a host that has eth0 and eth1.
type setupCase struct {
	name    string
	setup   func() (Setup, error)
	modules []string // that an administrator has to load
	nat     bool     // it has source NAT
	want    string   // the commands, one a line
}

// Addresses of the hosts that setups are for: eth0 is in both families.
const (
	eth0Address4, eth0Address6 = "10.168.0.94/24", "2001:db8:1::94/64"
	eth1Address4, eth1Address6 = "192.168.0.11/24", "2001:db8:2::11/64"
)

var (
	vip4, vip6       = netip.MustParseAddr("10.168.0.91"), netip.MustParseAddr("2001:db8:1::91")
	local4, local6   = netip.MustParseAddr("10.168.0.94"), netip.MustParseAddr("2001:db8:1::94")
	router4, router6 = netip.MustParseAddr("10.168.0.90"), netip.MustParseAddr("2001:db8:1::90")
	tunnel4          = IPsecTunnel{Director: router4, Server: local4, Inner: netip.MustParseAddr("10.255.0.94"), SPI: 4096, Key: testKey(1)}
	inner4, inner6   = netip.MustParsePrefix("10.168.0.0/24"), netip.MustParsePrefix("2001:db8:1::/64")
)

var setupCases = []setupCase{
	{name: "DR director", setup: DRDirector{VIP: vip4, Interface: "eth0", Forwarding: true}.Setup, want: `
sysctl -w net.ipv4.ip_forward=1
ip link set dev lo up
ip addr add 10.168.0.91/32 broadcast 10.168.0.91 dev eth0 label eth0:0
ip route replace 10.168.0.91/32 dev eth0`},
	{name: "DR director IPv6", setup: DRDirector{VIP: vip6, Interface: "eth0"}.Setup, want: `
ip link set dev lo up
ip -6 addr add 2001:db8:1::91/128 dev eth0 preferred_lft 0`},
	{name: "DR real server", setup: DRRealServer{VIP: vip4}.Setup, want: `
ip link set dev lo up
sysctl -w net.ipv4.conf.lo.arp_ignore=1
sysctl -w net.ipv4.conf.lo.arp_announce=2
sysctl -w net.ipv4.conf.all.arp_ignore=1
sysctl -w net.ipv4.conf.all.arp_announce=2
ip addr add 10.168.0.91/32 broadcast 10.168.0.91 dev lo label lo:0
ip route replace 10.168.0.91/32 dev lo`},
	{name: "DR real server IPv6", setup: DRRealServer{VIP: vip6}.Setup, want: `
ip link set dev lo up
ip -6 addr add 2001:db8:1::91/128 dev lo preferred_lft 0`},
	{name: "DR real server on two networks", setup: DRRealServer{VIP: vip4, Incoming: "eth1"}.Setup, want: `
ip link set dev lo up
sysctl -w net.ipv4.conf.lo.arp_ignore=1
sysctl -w net.ipv4.conf.lo.arp_announce=2
sysctl -w net.ipv4.conf.all.arp_ignore=1
sysctl -w net.ipv4.conf.all.arp_announce=2
sysctl -w net.ipv4.conf.eth1.rp_filter=2
ip addr add 10.168.0.91/32 broadcast 10.168.0.91 dev lo label lo:0
ip route replace 10.168.0.91/32 dev lo`},
	{name: "DR real server on a dummy", setup: DRRealServer{VIP: vip4, Device: "vip.0"}.Setup, want: `
ip link add name vip.0 type dummy && ip link set dev vip.0 up
sysctl -w net.ipv4.conf.vip/0.arp_ignore=1
sysctl -w net.ipv4.conf.vip/0.arp_announce=2
sysctl -w net.ipv4.conf.all.arp_ignore=1
sysctl -w net.ipv4.conf.all.arp_announce=2
ip addr add 10.168.0.91/32 broadcast 10.168.0.91 dev vip.0 label vip.0:0
ip route replace 10.168.0.91/32 dev vip.0`},
	{name: "NAT director", setup: NATDirector{VIP: netip.MustParseAddr("192.168.0.11"), Interface: "eth1", Inside: "eth0"}.Setup, want: `
ip link set dev lo up
sysctl -w net.ipv4.ip_forward=1
sysctl -w net.ipv4.conf.all.send_redirects=0
sysctl -w net.ipv4.conf.default.send_redirects=0
sysctl -w net.ipv4.conf.eth1.send_redirects=0
sysctl -w net.ipv4.conf.eth0.send_redirects=0
ip addr add 192.168.0.11/32 dev eth1`},
	{name: "NAT director IPv6", setup: NATDirector{VIP: vip6, Interface: "eth0", Inside: "eth1"}.Setup, want: `
ip link set dev lo up
sysctl -w net.ipv6.conf.all.forwarding=1
ip -6 addr add 2001:db8:1::91/128 dev eth0 preferred_lft 0`},
	{name: "NAT director with masquerade", nat: true,
		setup: NATDirector{VIP: vip4, Interface: "eth0", Network: inner4, Masquerade: true, FullNAT: true, Source: local4}.Setup, want: `
ip link set dev lo up
sysctl -w net.ipv4.ip_forward=1
sysctl -w net.ipv4.conf.all.send_redirects=0
sysctl -w net.ipv4.conf.default.send_redirects=0
sysctl -w net.ipv4.conf.eth0.send_redirects=0
ip addr add 10.168.0.91/32 dev eth0
nft 'table ip lvs_nat_from_10_168_0_0_24 { chain postrouting { type nat hook postrouting priority 100; ip saddr 10.168.0.0/24 masquerade; }; }'
sysctl -w net.ipv4.vs.conntrack=1
nft 'table ip lvs_nat_to_10_168_0_0_24 { chain postrouting { type nat hook postrouting priority 100; ip daddr 10.168.0.0/24 snat to 10.168.0.94; }; }'`},
	{name: "full NAT director IPv6", nat: true,
		setup: NATDirector{VIP: vip6, Interface: "eth0", Network: inner6, FullNAT: true}.Setup, want: `
ip link set dev lo up
sysctl -w net.ipv6.conf.all.forwarding=1
ip -6 addr add 2001:db8:1::91/128 dev eth0 preferred_lft 0
sysctl -w net.ipv4.vs.conntrack=1
nft 'table ip6 lvs_nat_to_2001_db8_1___64 { chain postrouting { type nat hook postrouting priority 100; ip6 daddr 2001:db8:1::/64 masquerade; }; }'`},
	{name: "NAT real server", setup: NATRealServer{Director: router4}.Setup, want: `
ip route replace default via 10.168.0.90`},
	{name: "NAT real server IPv6", setup: NATRealServer{Director: router6, Clients: []netip.Prefix{netip.MustParsePrefix("2001:db8:9::/48")}}.Setup, want: `
ip -6 route replace 2001:db8:9::/48 via 2001:db8:1::90`},
	{name: "tunnel director", setup: TunnelDirector{VIP: vip4, Interface: "eth0", Servers: []netip.Addr{netip.MustParseAddr("10.0.0.1")}, Via: router4}.Setup, want: `
ip link set dev lo up
ip addr add 10.168.0.91/32 broadcast 10.168.0.91 dev eth0 label eth0:0
ip route replace 10.168.0.91/32 dev eth0
ip route replace 10.0.0.1/32 via 10.168.0.90`},
	{name: "IPIP real server", setup: TunnelRealServer{VIP: vip4, Mode: IPIP(), Local: local4, MTU: 1400, MSS: 1360, Gateway: router4, Interface: "eth0"}.Setup, want: `
modprobe ipip
ip link set dev tunl0 up mtu 1400
sysctl -w net.ipv4.conf.tunl0.rp_filter=2
sysctl -w net.ipv4.conf.tunl0.arp_ignore=1
sysctl -w net.ipv4.conf.tunl0.arp_announce=2
sysctl -w net.ipv4.conf.all.arp_ignore=1
sysctl -w net.ipv4.conf.all.arp_announce=2
ip addr add 10.168.0.91/32 broadcast 10.168.0.91 dev tunl0
ip route replace default via 10.168.0.90 dev eth0 table 4004 advmss 1360
ip rule add from 10.168.0.91/32 lookup 4004 priority 4004`},
	{name: "IPIP real server IPv6", setup: TunnelRealServer{VIP: vip6, Mode: IPIP(), Local: local6, MSS: 1360, Gateway: router6, Interface: "eth0"}.Setup, want: `
modprobe ip6_tunnel
ip link set dev ip6tnl0 up
ip -6 addr add 2001:db8:1::91/128 dev ip6tnl0 preferred_lft 0
ip -6 route replace default via 2001:db8:1::90 dev eth0 table 4004 advmss 1360
ip -6 rule add from 2001:db8:1::91/128 lookup 4004 priority 4004`},
	{name: "IPIP real server 6 in 4", setup: TunnelRealServer{VIP: vip6, Mode: IPIP(), Local: local4}.Setup, want: `
modprobe sit
ip link set dev sit0 up
ip -6 addr add 2001:db8:1::91/128 dev sit0 preferred_lft 0`},
	{name: "IPIP real server 4 in 6", setup: TunnelRealServer{VIP: vip4, Mode: IPIP(), Local: local6, MTU: 1400}.Setup, want: `
modprobe ip6_tunnel
ip link add name lvs-tun6 mtu 1400 type ip6tnl mode any local 2001:db8:1::94 && ip link set dev lvs-tun6 up
sysctl -w net.ipv4.conf.lvs-tun6.rp_filter=2
sysctl -w net.ipv4.conf.lvs-tun6.arp_ignore=1
sysctl -w net.ipv4.conf.lvs-tun6.arp_announce=2
sysctl -w net.ipv4.conf.all.arp_ignore=1
sysctl -w net.ipv4.conf.all.arp_announce=2
ip addr add 10.168.0.91/32 broadcast 10.168.0.91 dev lvs-tun6`},
	{name: "GUE real server", modules: []string{"fou"}, setup: TunnelRealServer{VIP: vip4, Mode: GUE(6080), Local: local4}.Setup, want: `
modprobe ipip
modprobe fou
ip fou add port 6080 gue
ip link set dev tunl0 up
sysctl -w net.ipv4.conf.tunl0.rp_filter=2
sysctl -w net.ipv4.conf.tunl0.arp_ignore=1
sysctl -w net.ipv4.conf.tunl0.arp_announce=2
sysctl -w net.ipv4.conf.all.arp_ignore=1
sysctl -w net.ipv4.conf.all.arp_announce=2
ip addr add 10.168.0.91/32 broadcast 10.168.0.91 dev tunl0`},
	{name: "GUE real server IPv6", modules: []string{"fou", "fou6"}, setup: TunnelRealServer{VIP: vip6, Mode: GUE(6080, TunnelChecksum), Local: local6}.Setup, want: `
modprobe ip6_tunnel
modprobe fou
ip fou add port 6080 gue -6
ip link set dev ip6tnl0 up
ip -6 addr add 2001:db8:1::91/128 dev ip6tnl0 preferred_lft 0`},
	{name: "GRE real server", setup: TunnelRealServer{VIP: vip4, Mode: GRE(), Local: local4}.Setup, want: `
modprobe ip_gre
ip link set dev gre0 up
sysctl -w net.ipv4.conf.gre0.rp_filter=2
sysctl -w net.ipv4.conf.gre0.arp_ignore=1
sysctl -w net.ipv4.conf.gre0.arp_announce=2
sysctl -w net.ipv4.conf.all.arp_ignore=1
sysctl -w net.ipv4.conf.all.arp_announce=2
ip addr add 10.168.0.91/32 broadcast 10.168.0.91 dev gre0`},
	{name: "GRE real server with checksums", setup: TunnelRealServer{VIP: vip6, Mode: GRE(TunnelChecksum), Local: local4}.Setup, want: `
modprobe ip_gre
ip link add name lvs-gre type gre local 10.168.0.94 icsum ocsum && ip link set dev lvs-gre up
ip -6 addr add 2001:db8:1::91/128 dev lvs-gre preferred_lft 0`},
	{name: "GRE real server IPv6", setup: TunnelRealServer{VIP: vip6, Mode: GRE(), Local: local6}.Setup, want: `
modprobe ip6_gre
ip link set dev ip6gre0 up
ip -6 addr add 2001:db8:1::91/128 dev ip6gre0 preferred_lft 0`},
	{name: "GRE real server IPv6 with checksums", setup: TunnelRealServer{VIP: vip6, Mode: GRE(TunnelChecksum), Local: local6}.Setup, want: `
modprobe ip6_gre
ip link add name lvs-gre6 type ip6gre local 2001:db8:1::94 icsum ocsum && ip link set dev lvs-gre6 up
ip -6 addr add 2001:db8:1::91/128 dev lvs-gre6 preferred_lft 0`},
	{name: "encrypted director", setup: TunnelDirector{VIP: vip4, Interface: "eth0", IPsec: []IPsecTunnel{
		{Director: local4, Server: router4, Inner: netip.MustParseAddr("10.255.0.94"), SPI: 4096, Key: testKey(1)},
		{Director: local6, Server: router6, Inner: netip.MustParseAddr("10.255.0.95"), SPI: 4097, Key: testKey(2), MTU: 1300},
	}}.Setup, want: `
ip link set dev lo up
ip addr add 10.168.0.91/32 broadcast 10.168.0.91 dev eth0 label eth0:0
ip route replace 10.168.0.91/32 dev eth0
ip xfrm policy add src 10.168.0.94/32 dst 10.168.0.90/32 proto 4 dir out tmpl src 10.168.0.94 dst 10.168.0.90 proto esp reqid 4096 mode transport
ip xfrm state add src 10.168.0.94 dst 10.168.0.90 proto esp spi 4096 reqid 4096 mode transport enc 'cbc(aes)' <redacted> auth-trunc 'hmac(sha256)' <redacted> 128 extra-flag oseq-may-wrap
modprobe ipip
ip link add name lvs-esp4096 mtu 1400 type ipip local 10.168.0.94 remote 10.168.0.90 && ip link set dev lvs-esp4096 up
ip route replace 10.255.0.94/32 dev lvs-esp4096
ip xfrm policy add src 2001:db8:1::94/128 dst 2001:db8:1::90/128 proto 4 dir out tmpl src 2001:db8:1::94 dst 2001:db8:1::90 proto esp reqid 4097 mode transport
ip xfrm policy add src 2001:db8:1::94/128 dst 2001:db8:1::90/128 proto 41 dir out tmpl src 2001:db8:1::94 dst 2001:db8:1::90 proto esp reqid 4097 mode transport
ip xfrm state add src 2001:db8:1::94 dst 2001:db8:1::90 proto esp spi 4097 reqid 4097 mode transport enc 'cbc(aes)' <redacted> auth-trunc 'hmac(sha256)' <redacted> 128 extra-flag oseq-may-wrap
modprobe ip6_tunnel
ip link add name lvs-esp4097 mtu 1300 type ip6tnl mode any local 2001:db8:1::94 remote 2001:db8:1::90 && ip link set dev lvs-esp4097 up
ip route replace 10.255.0.95/32 dev lvs-esp4097`},
	{name: "encrypted real server", setup: TunnelRealServer{VIP: vip4, IPsec: tunnel4}.Setup, want: `
ip xfrm policy add src 10.168.0.90/32 dst 10.168.0.94/32 proto 4 dir in tmpl src 10.168.0.90 dst 10.168.0.94 proto esp reqid 4096 mode transport
ip xfrm state add src 10.168.0.90 dst 10.168.0.94 proto esp spi 4096 reqid 4096 mode transport enc 'cbc(aes)' <redacted> auth-trunc 'hmac(sha256)' <redacted> 128 extra-flag oseq-may-wrap
modprobe ipip
ip link add name lvs-esp4096 mtu 1400 type ipip local 10.168.0.94 remote 10.168.0.90 && ip link set dev lvs-esp4096 up
sysctl -w net.ipv4.conf.lvs-esp4096.rp_filter=2
sysctl -w net.ipv4.conf.lvs-esp4096.arp_ignore=1
sysctl -w net.ipv4.conf.lvs-esp4096.arp_announce=2
sysctl -w net.ipv4.conf.all.arp_ignore=1
sysctl -w net.ipv4.conf.all.arp_announce=2
ip addr add 10.168.0.91/32 broadcast 10.168.0.91 dev lvs-esp4096`},
	{name: "encrypted real server 6 in 4", setup: TunnelRealServer{VIP: vip6, IPsec: IPsecTunnel{
		Director: router4, Server: local4, Inner: netip.MustParseAddr("2001:db8:e::94"), SPI: 4096, Key: testKey(1),
	}}.Setup, want: `
ip xfrm policy add src 10.168.0.90/32 dst 10.168.0.94/32 proto 41 dir in tmpl src 10.168.0.90 dst 10.168.0.94 proto esp reqid 4096 mode transport
ip xfrm state add src 10.168.0.90 dst 10.168.0.94 proto esp spi 4096 reqid 4096 mode transport enc 'cbc(aes)' <redacted> auth-trunc 'hmac(sha256)' <redacted> 128 extra-flag oseq-may-wrap
modprobe sit
ip link add name lvs-esp4096 mtu 1400 type sit local 10.168.0.94 remote 10.168.0.90 && ip link set dev lvs-esp4096 up
ip -6 addr add 2001:db8:1::91/128 dev lvs-esp4096 preferred_lft 0`},
}

// testKey returns a key of which every byte is n.
func testKey(n byte) IPsecKey {
	k, err := NewIPsecKey(bytes.Repeat([]byte{n}, IPsecKeySize))
	if err != nil {
		panic(err)
	}
	return k
}

func commands(s Setup) string {
	var b strings.Builder
	for _, requirement := range s {
		b.WriteString("\n" + requirement.Want.String())
	}
	return b.String()
}
