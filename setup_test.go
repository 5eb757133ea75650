package lvs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/golvs/lvs/internal/genl"
	"github.com/golvs/lvs/internal/hostnet"
	"github.com/google/go-cmp/cmp"
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
	tunnel4          = EncryptedTunnel{Director: router4, Server: local4, Inner: netip.MustParseAddr("10.255.0.94"), SPI: 4096, Key: testKey(1)}
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
	{name: "IPIP real server", setup: TunnelRealServer{VIP: vip4, Mode: IPIP, Local: local4, MTU: 1400, MSS: 1360, Gateway: router4, Interface: "eth0"}.Setup, want: `
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
	{name: "IPIP real server IPv6", setup: TunnelRealServer{VIP: vip6, Mode: IPIP, Local: local6, MSS: 1360, Gateway: router6, Interface: "eth0"}.Setup, want: `
modprobe ip6_tunnel
ip link set dev ip6tnl0 up
ip -6 addr add 2001:db8:1::91/128 dev ip6tnl0 preferred_lft 0
ip -6 route replace default via 2001:db8:1::90 dev eth0 table 4004 advmss 1360
ip -6 rule add from 2001:db8:1::91/128 lookup 4004 priority 4004`},
	{name: "IPIP real server 6 in 4", setup: TunnelRealServer{VIP: vip6, Mode: IPIP, Local: local4}.Setup, want: `
modprobe sit
ip link set dev sit0 up
ip -6 addr add 2001:db8:1::91/128 dev sit0 preferred_lft 0`},
	{name: "IPIP real server 4 in 6", setup: TunnelRealServer{VIP: vip4, Mode: IPIP, Local: local6, MTU: 1400}.Setup, want: `
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
	{name: "encrypted director", setup: TunnelDirector{VIP: vip4, Interface: "eth0", Encrypted: []EncryptedTunnel{
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
	{name: "encrypted real server", setup: TunnelRealServer{VIP: vip4, Encrypted: tunnel4}.Setup, want: `
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
	{name: "encrypted real server 6 in 4", setup: TunnelRealServer{VIP: vip6, Encrypted: EncryptedTunnel{
		Director: router4, Server: local4, Inner: netip.MustParseAddr("2001:db8:e::94"), SPI: 4096, Key: testKey(1),
	}}.Setup, want: `
ip xfrm policy add src 10.168.0.90/32 dst 10.168.0.94/32 proto 41 dir in tmpl src 10.168.0.90 dst 10.168.0.94 proto esp reqid 4096 mode transport
ip xfrm state add src 10.168.0.90 dst 10.168.0.94 proto esp spi 4096 reqid 4096 mode transport enc 'cbc(aes)' <redacted> auth-trunc 'hmac(sha256)' <redacted> 128 extra-flag oseq-may-wrap
modprobe sit
ip link add name lvs-esp4096 mtu 1400 type sit local 10.168.0.94 remote 10.168.0.90 && ip link set dev lvs-esp4096 up
ip -6 addr add 2001:db8:1::91/128 dev lvs-esp4096 preferred_lft 0`},
}

// testKey is a key that tells which it is.
func testKey(n byte) Key {
	k, err := NewKey(bytes.Repeat([]byte{n}, KeySize))
	if err != nil {
		panic(err)
	}
	return k
}

// forgotten is a setting as it comes back from where it was saved.
func forgotten(f Fact) Fact {
	if a, ok := f.(SecurityAssociation); ok {
		a.Key = Key{}
		return a
	}
	return f
}

// hasKeys tells whether a plan can be applied only by who has the keys.
func hasKeys(p SetupPlan) bool {
	return slices.ContainsFunc(p.Steps, func(s Step) bool { return s.Left != forgotten(s.Left) })
}

func commands(s Setup) string {
	var b strings.Builder
	for _, setting := range s {
		b.WriteString("\n" + setting.Want.String())
	}
	return b.String()
}

func TestSetups(t *testing.T) {
	for _, c := range setupCases {
		t.Run(c.name, func(t *testing.T) {
			setup, err := c.setup()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, commands(setup)); diff != "" {
				t.Errorf("commands (-want +got):\n%s", diff)
			}
			for _, s := range setup {
				if s.Why == "" || strings.Contains(s.Why, "\n") {
					t.Errorf("%s has no reason, or one of several lines", s.Want)
				}
			}
			text, err := json.Marshal(setup)
			if err != nil {
				t.Fatal(err)
			}
			var back Setup
			if err := json.Unmarshal(text, &back); err != nil {
				t.Fatal(err)
			}
			want := slices.Clone(setup)
			for i, s := range want {
				want[i].Want = forgotten(s.Want)
			}
			if diff := cmp.Diff(want, back); diff != "" {
				t.Errorf("by JSON and back (-want +got):\n%s\n%s", diff, text)
			}
		})
	}
}

func TestSetupRefused(t *testing.T) {
	network := netip.MustParsePrefix("10.168.0.90/24")
	for _, c := range []struct {
		name, field string
		setup       func() (Setup, error)
	}{
		{"no VIP", "VIP", DRDirector{Interface: "eth0"}.Setup},
		{"mapped VIP", "VIP", DRDirector{VIP: netip.MustParseAddr("::ffff:10.168.0.91"), Interface: "eth0"}.Setup},
		{"VIP with a zone", "VIP", DRDirector{VIP: netip.MustParseAddr("fe80::1%eth0"), Interface: "eth0"}.Setup},
		{"multicast VIP", "VIP", DRRealServer{VIP: netip.MustParseAddr("224.0.0.1")}.Setup},
		{"unspecified VIP", "VIP", DRRealServer{VIP: netip.MustParseAddr("::")}.Setup},
		{"no interface", "Interface", DRDirector{VIP: vip4}.Setup},
		{"interface out of its folder", "Interface", DRDirector{VIP: vip4, Interface: "../all"}.Setup},
		{"interface ..", "Device", DRRealServer{VIP: vip4, Device: ".."}.Setup},
		{"interface all", "Interface", DRDirector{VIP: vip4, Interface: "all"}.Setup},
		{"interface too long", "Interface", DRDirector{VIP: vip4, Interface: "averylongname123"}.Setup},
		{"inside out of its folder", "Inside", NATDirector{VIP: vip4, Interface: "eth0", Inside: "a/b"}.Setup},
		{"masquerade without a network", "Network", NATDirector{VIP: vip4, Interface: "eth0", Masquerade: true}.Setup},
		{"an address where a network is due", "Network", NATDirector{VIP: vip4, Interface: "eth0", Network: network}.Setup},
		{"network of the other family", "Network", NATDirector{VIP: vip4, Interface: "eth0", FullNAT: true, Network: inner6}.Setup},
		{"source of the other family", "Source", NATDirector{VIP: vip4, Interface: "eth0", FullNAT: true, Network: inner4, Source: vip6}.Setup},
		{"source without full NAT", "Source", NATDirector{VIP: vip4, Interface: "eth0", Source: local4}.Setup},
		{"no director", "Director", NATRealServer{}.Setup},
		{"clients beside the director", "Clients", NATRealServer{Director: router4, Clients: []netip.Prefix{inner4}}.Setup},
		{"clients of the other family", "Clients", NATRealServer{Director: router4, Clients: []netip.Prefix{inner6}}.Setup},
		{"negative metric", "Metric", NATRealServer{Director: router4, Metric: -1}.Setup},
		{"servers without a next hop", "Via", TunnelDirector{VIP: vip4, Interface: "eth0", Servers: []netip.Addr{local4}}.Setup},
		{"servers of another family than the next hop", "Servers", TunnelDirector{VIP: vip4, Interface: "eth0", Servers: []netip.Addr{local6}, Via: router4}.Setup},
		{"no tunnel", "Mode", TunnelRealServer{VIP: vip4, Local: local4, Mode: NAT}.Setup},
		{"GUE without a port", "Mode", TunnelRealServer{VIP: vip4, Local: local4, Mode: GUE(0)}.Setup},
		{"no address of its own", "Local", TunnelRealServer{VIP: vip4, Mode: IPIP}.Setup},
		{"MTU too small", "MTU", TunnelRealServer{VIP: vip4, Mode: IPIP, Local: local4, MTU: 5}.Setup},
		{"MSS without a gateway", "Gateway", TunnelRealServer{VIP: vip4, Mode: IPIP, Local: local4, MSS: 1400}.Setup},
		{"MSS with a gateway of the other family", "Gateway", TunnelRealServer{VIP: vip4, Mode: IPIP, Local: local4, MSS: 1400, Gateway: router6, Interface: "eth0"}.Setup},
		{"MSS without an interface", "Interface", TunnelRealServer{VIP: vip4, Mode: IPIP, Local: local4, MSS: 1400, Gateway: router4}.Setup},
		{"encrypted without a key", "Encrypted.Key", TunnelDirector{VIP: vip4, Interface: "eth0", Encrypted: []EncryptedTunnel{{Director: local4, Server: router4, Inner: inner4.Addr(), SPI: 256}}}.Setup},
		{"encrypted from nowhere", "Encrypted.Director", TunnelDirector{VIP: vip4, Interface: "eth0", Encrypted: []EncryptedTunnel{{Server: router4, Key: testKey(1)}}}.Setup},
		{"encrypted between families", "Encrypted.Server", TunnelRealServer{VIP: vip4, Encrypted: EncryptedTunnel{Director: local4, Server: router6}}.Setup},
		{"encrypted to an inner address of the other family", "Encrypted.Inner", TunnelRealServer{VIP: vip6, Encrypted: tunnel4}.Setup},
		{"encrypted to the real server's own address", "Encrypted.Inner", TunnelRealServer{VIP: vip4, Encrypted: EncryptedTunnel{Director: router4, Server: local4, Inner: local4, SPI: 256, Key: testKey(1)}}.Setup},
		{"encrypted by a reserved number", "SPI", TunnelRealServer{VIP: vip4, Encrypted: EncryptedTunnel{Director: router4, Server: local4, Inner: vip4, SPI: 255, Key: testKey(1)}}.Setup},
		{"encrypted twice", "Encrypted", TunnelDirector{VIP: vip4, Interface: "eth0", Encrypted: []EncryptedTunnel{tunnel4, tunnel4}}.Setup},
		{"encrypted in another mode", "Mode", TunnelRealServer{VIP: vip4, Mode: IPIP, Encrypted: tunnel4}.Setup},
		{"encrypted with an address of its own", "Local", TunnelRealServer{VIP: vip4, Local: local4, Encrypted: tunnel4}.Setup},
		{"MSS too great", "MSS", TunnelRealServer{VIP: vip4, Mode: IPIP, Local: local4, MSS: 1 << 20}.Setup},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := c.setup()
			var e *Error
			if !errors.As(err, &e) || e.Field != c.field || !errors.Is(err, ErrInvalid) {
				t.Errorf("got %v, want ErrInvalid of the field %s", err, c.field)
			}
		})
	}
}

// simulatedHost returns a host with eth0 and eth1, and its simulator.
func simulatedHost(t testing.TB) (*Simulator, *Host) {
	t.Helper()
	s, h := briefHost(t)
	t.Cleanup(func() { h.Close() })
	return s, h
}

// briefHost is one that the caller closes: a test of thousands cannot keep them all.
func briefHost(t testing.TB) (*Simulator, *Host) {
	t.Helper()
	s, err := NewSimulator(SimulatorOptions{Interfaces: []SimulatedInterface{
		{Name: "eth0", Addresses: []netip.Prefix{netip.MustParsePrefix(eth0Address4), netip.MustParsePrefix(eth0Address6)}},
		{Name: "eth1", Addresses: []netip.Prefix{netip.MustParsePrefix(eth1Address4), netip.MustParsePrefix(eth1Address6)}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return s, s.Host()
}

func (s *Simulator) dump() []string {
	all := s.network.Dump()
	for _, path := range s.kernel.Sysctls() {
		text, _ := s.kernel.ReadFile(path)
		all = append(all, path+" = "+string(text))
	}
	return all
}

func mustSetup(t testing.TB, c setupCase) Setup {
	t.Helper()
	setup, err := c.setup()
	if err != nil {
		t.Fatal(err)
	}
	return setup
}

// saved returns a plan as a later process reads it.
func saved(t testing.TB, p SetupPlan) (back SetupPlan) {
	t.Helper()
	text, err := json.Marshal(p)
	if err == nil {
		err = json.Unmarshal(text, &back)
	}
	if err != nil {
		t.Fatal(err)
	}
	want := SetupPlan{p.Host, slices.Clone(p.Steps)}
	for i, s := range want.Steps {
		want.Steps[i].Setting.Want, want.Steps[i].Left = forgotten(s.Setting.Want), forgotten(s.Left)
	}
	if diff := cmp.Diff(want, back); diff != "" {
		t.Fatalf("saved and read (-want +got):\n%s", diff)
	}
	return back
}

func TestSetupApplyAndUndo(t *testing.T) {
	ctx := context.Background()
	for _, c := range setupCases {
		t.Run(c.name, func(t *testing.T) {
			s, h := simulatedHost(t)
			for _, m := range c.modules {
				s.LoadModule(m)
			}
			setup := mustSetup(t, c)
			for _, setting := range setup { // modules stay
				if m, ok := setting.Want.(Module); ok {
					s.LoadModule(m.Name)
				}
			}
			before := s.dump()
			plan, err := h.Plan(ctx, setup)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, s.dump()); diff != "" {
				t.Fatalf("planning changed the host:\n%s", diff)
			}
			for range 2 {
				if err := h.Apply(ctx, plan); err != nil {
					t.Fatal(err)
				}
			}
			again, err := h.Plan(ctx, setup)
			if err != nil || again.Changes() {
				t.Fatalf("after Apply there is still to do, %v:\n%s", err, again)
			}
			later := s.Host()
			defer later.Close()
			for range 2 {
				kept, err := later.Undo(ctx, saved(t, plan))
				if err != nil || len(kept) != 0 {
					t.Fatalf("Undo: %v, kept %v", err, kept)
				}
			}
			if diff := cmp.Diff(before, s.dump()); diff != "" {
				t.Errorf("after Undo (-before +after):\n%s", diff)
			}
		})
	}
}

// dyingNetwork dies after a number of changes: nothing works any more.
type dyingNetwork struct {
	*simulatedNetwork
	left int
}

var errDead = errors.New("the process is dead")

func (d *dyingNetwork) live() bool { d.left--; return d.left >= 0 }

func (d *dyingNetwork) Put(f hostnet.Fact) error {
	if !d.live() {
		return errDead
	}
	return d.simulatedNetwork.Put(f)
}

func (d *dyingNetwork) Remove(f hostnet.Fact) error {
	if !d.live() {
		return errDead
	}
	return d.simulatedNetwork.Remove(f)
}

func (d *dyingNetwork) WriteFile(path string, data []byte) error {
	if !d.live() {
		return errDead
	}
	return d.simulatedNetwork.WriteFile(path, data)
}

// hostOn returns a host whose network is another one.
func (s *Simulator) hostOn(n interface {
	files
	network
}) *Host {
	g := s.guard()
	g.files, g.network = n, n
	return newHost(s.Client(), g)
}

// A process can die at any change: another one undoes what it did, or ends it.
func TestSetupKilled(t *testing.T) {
	ctx := context.Background()
	for _, c := range setupCases {
		for _, end := range []string{"undo", "apply"} {
			t.Run(c.name+" "+end, func(t *testing.T) {
				for after := 0; ; after++ {
					s, h := simulatedHost(t)
					setup := mustSetup(t, c)
					for _, setting := range setup {
						if m, ok := setting.Want.(Module); ok {
							s.LoadModule(m.Name)
						}
					}
					before := s.dump()
					plan, err := h.Plan(ctx, setup)
					if err != nil {
						t.Fatal(err)
					}
					dying := &dyingNetwork{s.network, after}
					died := s.hostOn(dying).Apply(ctx, plan)
					if end == "apply" {
						again := saved(t, plan)
						if hasKeys(plan) {
							again = plan
						}
						if err := h.Apply(ctx, again); err != nil {
							t.Fatalf("killed after %d changes, then applied: %v", after, err)
						}
						if again, err := h.Plan(ctx, setup); err != nil || again.Changes() {
							t.Fatalf("killed after %d changes, there is still to do, %v:\n%s", after, err, again)
						}
					}
					if kept, err := h.Undo(ctx, saved(t, plan)); err != nil || len(kept) != 0 {
						t.Fatalf("killed after %d changes: %v, kept %v", after, err, kept)
					}
					if diff := cmp.Diff(before, s.dump()); diff != "" {
						t.Fatalf("killed after %d changes (-before +after):\n%s", after, diff)
					}
					if died == nil {
						break
					}
				}
			})
		}
	}
}

// When any setting fails, the error names it, and the host is as before.
func TestSetupFails(t *testing.T) {
	ctx := context.Background()
	kinds := []struct{ err, kind error }{{syscall.EPERM, ErrPermission}, {syscall.EROFS, ErrPermission}, {syscall.EINVAL, ErrInvalid}}
	for _, c := range setupCases {
		setup := mustSetup(t, c)
		for i, setting := range setup {
			t.Run(fmt.Sprintf("%s %d", c.name, i), func(t *testing.T) {
				s, h := simulatedHost(t)
				for _, m := range c.modules {
					s.LoadModule(m)
				}
				for _, other := range setup {
					if m, ok := other.Want.(Module); ok {
						s.LoadModule(m.Name)
					}
				}
				plan, err := h.Plan(ctx, setup)
				if err != nil {
					t.Fatal(err)
				}
				if !plan.Steps[i].Changes() {
					return
				}
				before := s.dump()
				k := kinds[i%len(kinds)]
				// The command of a new device's state begins as the wanted one's.
				command, _, _ := strings.Cut(setting.Want.String(), " up")
				if err := s.InjectSetting(SettingFault{Command: command, Err: k.err}); err != nil {
					t.Fatal(err)
				}
				err = h.Apply(ctx, plan)
				if !errors.Is(err, k.kind) || !strings.Contains(err.Error(), command) {
					t.Fatalf("got %v, want %v of %s", err, k.kind, command)
				}
				if diff := cmp.Diff(before, s.dump()); diff != "" {
					t.Errorf("after the failure (-before +after):\n%s", diff)
				}
			})
		}
	}
}

// planned returns a simulated host on which a setup has been applied.
func applied(t *testing.T, setup Setup) (*Simulator, *Host, SetupPlan) {
	t.Helper()
	s, h := simulatedHost(t)
	plan, err := h.Plan(context.Background(), setup)
	if err == nil {
		err = h.Apply(context.Background(), plan)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s, h, plan
}

// A hardened host stays hardened: what ip_forward changes by itself comes back.
func TestUndoBringsEffectsBack(t *testing.T) {
	ctx := context.Background()
	s, h := simulatedHost(t)
	accept, eth1 := "net.ipv4.conf.all.accept_redirects", "net.ipv4.conf.eth1.forwarding"
	for key, value := range map[string]string{accept: "0", eth1: "1"} {
		if err := h.SetSysctl(ctx, key, value); err != nil {
			t.Fatal(err)
		}
	}
	before := s.dump()
	plan, err := h.Plan(ctx, Setup{forwarding(false, "")})
	if err != nil {
		t.Fatal(err)
	}
	if want := "turns net.ipv4.conf.eth0.forwarding from 0 to 1"; !strings.Contains(plan.String(), want) {
		t.Errorf("the plan does not say %q:\n%s", want, plan)
	}
	if err := h.Apply(ctx, plan); err != nil {
		t.Fatal(err)
	}
	// Undo is interrupted right after ip_forward: the next one ends it.
	dying := &dyingNetwork{s.network, 1}
	if _, err := s.hostOn(dying).Undo(ctx, plan); !errors.Is(err, errDead) {
		t.Fatal(err)
	}
	if value, _ := h.Sysctl(ctx, accept); value != "1" {
		t.Fatalf("the simulated kernel did not turn accept_redirects on: %s", value)
	}
	if kept, err := h.Undo(ctx, plan); err != nil || kept != nil {
		t.Fatalf("%v, kept %v", err, kept)
	}
	if diff := cmp.Diff(before, s.dump()); diff != "" {
		t.Errorf("after Undo (-before +after):\n%s", diff)
	}
}

// What somebody changed meanwhile stays, and Undo says so.
func TestUndoKeepsOthers(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		name   string
		setup  Setup
		change func(*Simulator, *Host) error
		says   string
	}{
		{"sysctl", Setup{{Sysctl{"net.ipv4.conf.all.arp_ignore", "1"}, ""}},
			func(_ *Simulator, h *Host) error { return h.SetSysctl(ctx, "net.ipv4.conf.all.arp_ignore", "2") }, "there is 2"},
		{"effect", Setup{forwarding(false, "")},
			func(_ *Simulator, h *Host) error { return h.SetSysctl(ctx, "net.ipv4.conf.all.accept_redirects", "2") }, "accept_redirects"},
		{"address is gone", Setup{{vipAddress(vip4, "eth0", "eth0:0"), ""}},
			func(s *Simulator, _ *Host) error {
				return s.network.Remove(hostnet.Address{Interface: "eth0", Prefix: hostPrefix(vip4)})
			}, ""},
		{"address has another label", Setup{{vipAddress(vip4, "eth0", "eth0:0"), ""}},
			func(s *Simulator, _ *Host) error {
				return s.network.Put(addressOfFact(vipAddress(vip4, "eth0", "eth0:7")))
			}, "eth0:7"},
		{"link is in use", Setup{{Link{Name: "d0", Kind: "dummy", Up: true}, ""}},
			func(s *Simulator, _ *Host) error { return s.network.Put(addressOfFact(vipAddress(vip4, "d0", ""))) }, "uses it"},
		{"route", Setup{{Route{To: defaultRoute(vip4), Via: router4}, ""}},
			func(s *Simulator, _ *Host) error {
				return s.network.Put(Route{To: defaultRoute(vip4), Via: netip.MustParseAddr("10.168.0.1")}.toNetwork())
			}, "10.168.0.1"},
		{"table", Setup{{SourceNAT{From: inner4}, ""}},
			func(s *Simulator, _ *Host) error {
				nat := SourceNAT{From: inner4}.named()
				nat.Other = true
				return s.network.Put(hostnet.SourceNAT(nat))
			}, "meanwhile"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, h, plan := applied(t, c.setup)
			if err := c.change(s, h); err != nil {
				t.Fatal(err)
			}
			changed := s.dump()
			kept, err := h.Undo(ctx, plan)
			if err != nil {
				t.Fatal(err)
			}
			if c.says == "" {
				if len(kept) != 0 {
					t.Errorf("kept %v", kept)
				}
				return
			}
			if len(kept) != 1 || !strings.Contains(kept[0].String(), c.says) {
				t.Errorf("kept %v, want one that says %q", kept, c.says)
			}
			if after := s.dump(); c.name != "effect" && !slices.Equal(changed, after) {
				t.Errorf("it was not left alone:\n%s", cmp.Diff(changed, after))
			}
			if value, _ := h.Sysctl(ctx, "net.ipv4.conf.all.accept_redirects"); c.name == "effect" && value != "2" {
				t.Errorf("accept_redirects is %s", value)
			}
		})
	}
}

func addressOfFact(a Address) hostnet.Fact {
	full, _ := a.complete(nil)
	return full.toNetwork()
}

func TestPlanRefuses(t *testing.T) {
	ctx := context.Background()
	s, h := simulatedHost(t)
	foreign := SourceNAT{From: inner4}.named()
	foreign.Other = true
	if err := s.network.Network.Put(hostnet.SourceNAT(foreign)); err != nil {
		t.Fatal(err)
	}
	far := netip.MustParseAddr("203.0.113.1")
	director, _ := DRDirector{VIP: far, Interface: "eth0"}.Setup()
	for _, c := range []struct {
		name string
		want Fact
		kind error
	}{
		{"VIP outside any subnet", director[1].Want, ErrInvalid},
		{"no such interface", Address{Interface: "eth7", Prefix: hostPrefix(vip4)}, ErrNotFound},
		{"no such interface to set up", Link{Name: "eth7", Up: true}, ErrNotFound},
		{"no such parameter", Sysctl{"net.ipv4.nosuch", "1"}, ErrNotFound},
		{"no such interface of a parameter", Sysctl{"net.ipv4.conf.eth7.rp_filter", "1"}, ErrNotFound},
		{"key out of its folder", Sysctl{"net.ipv4.//.//.passwd", "1"}, ErrInvalid},
		{"value out of range", Sysctl{"net.ipv4.conf.all.rp_filter", "7"}, ErrInvalid},
		{"value of IPVS out of range", Sysctl{"net.ipv4.vs.drop_entry", "9"}, ErrInvalid},
		{"value with a line end", Sysctl{"net.ipv4.ip_forward", "1\n1"}, ErrInvalid},
		{"interface of another kind", Link{Name: "eth0", Kind: "dummy"}, ErrExists},
		{"somebody's table", SourceNAT{From: inner4}, ErrExists},
		{"no module", Module{"../x"}, ErrInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := s.dump()
			_, err := h.Plan(ctx, Setup{forwarding(false, ""), {c.want, ""}})
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want.String()) {
				t.Errorf("got %v, want %v of %s", err, c.kind, c.want)
			}
			if diff := cmp.Diff(before, s.dump()); diff != "" {
				t.Errorf("the host changed:\n%s", diff)
			}
		})
	}
	t.Run("contradiction", func(t *testing.T) {
		_, err := h.Plan(ctx, Setup{forwarding(false, ""), {Sysctl{IPForward, "0"}, ""}})
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("got %v", err)
		}
	})
}

// A plan whose host has changed is refused, and nothing is done.
func TestApplyStalePlan(t *testing.T) {
	ctx := context.Background()
	s, h := simulatedHost(t)
	setup := mustSetup(t, setupCases[0])
	plan, err := h.Plan(ctx, setup)
	if err != nil {
		t.Fatal(err)
	}
	route := Route{To: hostPrefix(vip4), Via: router4, Interface: "eth0"}
	if err := s.network.Put(route.toNetwork()); err != nil {
		t.Fatal(err)
	}
	before := s.dump()
	if err := h.Apply(ctx, plan); !errors.Is(err, ErrUnstable) {
		t.Errorf("got %v, want ErrUnstable", err)
	}
	if diff := cmp.Diff(before, s.dump()); diff != "" {
		t.Errorf("the host changed:\n%s", diff)
	}
}

// A second setup that fails leaves what the first one did.
func TestApplyTwiceFailsGently(t *testing.T) {
	ctx := context.Background()
	s, h, plan := applied(t, mustSetup(t, setupCases[2]))
	good := s.dump()
	if err := h.SetSysctl(ctx, "net.ipv4.conf.lo.arp_announce", "0"); err != nil { // as it was found
		t.Fatal(err)
	}
	if err := s.InjectSetting(SettingFault{Command: "sysctl -w net.ipv4.conf.lo.arp_announce", Err: fs.ErrPermission}); err != nil {
		t.Fatal(err)
	}
	if err := h.Apply(ctx, plan); !errors.Is(err, ErrPermission) {
		t.Errorf("got %v, want ErrPermission", err)
	}
	if err := h.Apply(ctx, plan); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(good, s.dump()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A module that the kernel does not load by itself is told with the command.
func TestModuleIsMissing(t *testing.T) {
	ctx := context.Background()
	s, h := simulatedHost(t)
	setup, err := TunnelRealServer{VIP: vip4, Mode: GUE(6080), Local: local4}.Setup()
	if err != nil {
		t.Fatal(err)
	}
	plan, err := h.Plan(ctx, setup)
	if err != nil {
		t.Fatal(err)
	}
	err = h.Apply(ctx, plan)
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "run 'modprobe fou'") {
		t.Errorf("got %v", err)
	}
	s.LoadModule("fou")
	if err := h.Apply(ctx, plan); err != nil {
		t.Fatal(err)
	}
	kept, err := h.Undo(ctx, plan)
	if err != nil || len(kept) != 2 || !strings.Contains(kept[1].Why, "modprobe -r ipip") {
		t.Errorf("%v, kept %v", err, kept)
	}
	if l, _ := h.find(ctx, Link{Name: "tunl0"}); l == nil || l.(Link).Up {
		t.Errorf("tunl0 is %v, want down", l)
	}
}

func TestApplyEndsWithContext(t *testing.T) {
	s, h := simulatedHost(t)
	before := s.dump()
	setup := mustSetup(t, setupCases[2])
	plan, err := h.Plan(context.Background(), setup)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if err := s.InjectSetting(SettingFault{Command: "ip addr add", Before: cancel}); err != nil {
		t.Fatal(err)
	}
	if err := h.Apply(ctx, plan); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff(before, s.dump()); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

// Many goroutines plan, apply and undo at once.
func TestSetupByManyGoroutines(t *testing.T) {
	ctx := context.Background()
	s, h := simulatedHost(t)
	before := s.dump()
	errs := make(chan error)
	const many = 8
	for i := range many {
		go func() {
			vip := netip.AddrFrom4([4]byte{10, 168, 0, byte(100 + i)})
			errs <- func() error {
				for range 20 {
					plan, err := h.Plan(ctx, Setup{{vipAddress(vip, "eth0", ""), ""}})
					if err == nil {
						err = h.Apply(ctx, plan)
					}
					if err != nil {
						return err
					}
					if _, err := h.Undo(ctx, plan); err != nil {
						return err
					}
				}
				return nil
			}()
		}()
	}
	for range many {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff(before, s.dump()); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

// A plan from a file is checked: it must not lead elsewhere.
func TestApplyRefusesForgedPlan(t *testing.T) {
	_, h := simulatedHost(t)
	for _, text := range []string{
		`{"steps":[{"setting":{"want":{"sysctl":{"key":"net.ipv4.ip_forward","value":"1"}}},"left":{"sysctl":{"key":"kernel.core_pattern","value":"1"}}}]}`,
		`{"steps":[{"setting":{"want":{"sysctl":{"key":"net.//.x","value":"1"}}},"left":{"sysctl":{"key":"net.//.x","value":"1"}}}]}`,
		`{"steps":[{"setting":{"want":{"sysctl":{"key":"net.ipv4.ip_forward","value":"1"}}},"left":{"sysctl":{"key":"net.ipv4.ip_forward","value":"1"}},"effects":[{"found":{"key":"//.x","value":"1"},"left":{"key":"//.x","value":"1"},"undone":{"key":"//.x","value":"1"}}]}]}`,
	} {
		var plan SetupPlan
		if err := json.Unmarshal([]byte(text), &plan); err != nil {
			t.Fatal(err)
		}
		if err := h.Apply(context.Background(), plan); !errors.Is(err, ErrInvalid) {
			t.Errorf("Apply: got %v of %s", err, text)
		}
		if _, err := h.Undo(context.Background(), plan); !errors.Is(err, ErrInvalid) {
			t.Errorf("Undo: got %v of %s", err, text)
		}
	}
	var step Step
	for _, text := range []string{`{}`, `{"setting":{"want":{"sysctl":{"key":"a"}}}}`, `{"setting":{"want":{}},"left":{}}`} {
		if err := json.Unmarshal([]byte(text), &step); err == nil {
			t.Errorf("%s was read", text)
		}
		if diff := cmp.Diff(Step{}, step); diff != "" {
			t.Errorf("%s left\n%s", text, diff)
		}
	}
}

// Whatever a file says, nothing panics: what was read is printed, applied, undone
// and checked. Each value of the files that are written is spoiled in turn.
func TestSpoiledFiles(t *testing.T) {
	for _, text := range savedFiles(t) {
		var file any
		if err := json.Unmarshal(text, &file); err != nil {
			t.Fatal(err)
		}
		spoil(file, func() {
			spoiled, err := json.Marshal(file)
			if err != nil {
				t.Fatal(err)
			}
			useFile(t, spoiled)
		})
	}
}

func FuzzFiles(f *testing.F) {
	for _, text := range savedFiles(f) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) { useFile(t, text) })
}

// savedFiles are plans with facts of all kinds, and the facts of a host.
func savedFiles(t testing.TB) (all [][]byte) {
	t.Helper()
	ctx := context.Background()
	s, h := simulatedHost(t)
	save := func(v any) {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text)
	}
	for _, name := range []string{"NAT director with masquerade", "encrypted director", "GUE real server", "IPIP real server 4 in 6"} {
		plan, err := h.Plan(ctx, mustSetup(t, caseOf(name)))
		if err != nil {
			t.Fatal(err)
		}
		save(plan)
	}
	l := simLab{TB: t, Simulator: s, client: s.Client(), id: simWeb}
	l.serve(Service{ID: simWeb, Scheduler: SH}, GUE(6080), 1, 2)
	facts, err := h.Facts(ctx)
	if err != nil {
		t.Fatal(err)
	}
	save(facts)
	return all
}

// spoil puts other values in the place of each value in turn, but for those of list
// elements that are like an earlier one.
func spoil(v any, use func()) {
	try := func(was any, put func(any)) {
		for _, other := range []any{nil, "x", -1, []any{nil}, map[string]any{}} {
			put(other)
			use()
		}
		put(was)
		spoil(was, use)
	}
	switch v := v.(type) {
	case map[string]any:
		for key, was := range v {
			try(was, func(other any) { v[key] = other })
		}
	case []any:
		seen := make(map[string]bool)
		for i, was := range v {
			if s := shape(was); !seen[s] {
				seen[s] = true
				try(was, func(other any) { v[i] = other })
			}
		}
	}
}

// shape names the fields of a value, and the types that they have.
func shape(v any) string {
	switch v := v.(type) {
	case map[string]any:
		var fields []string
		for key, value := range v {
			fields = append(fields, key+":"+shape(value))
		}
		slices.Sort(fields)
		return "{" + strings.Join(fields, ",") + "}"
	case []any:
		var elements []string
		for _, e := range v {
			elements = append(elements, shape(e))
		}
		slices.Sort(elements)
		return "[" + strings.Join(slices.Compact(elements), ",") + "]"
	}
	return fmt.Sprintf("%T", v)
}

// useFile does with a file all that can be done with one. Errors are as good.
func useFile(t testing.TB, text []byte) {
	ctx := context.Background()
	_, h := briefHost(t)
	defer h.Close()
	var plan SetupPlan
	err := json.Unmarshal(text, &plan)
	_ = plan.String()
	if err == nil && len(plan.Steps) > 0 {
		_ = h.Apply(ctx, plan)
		_, _ = h.Undo(ctx, plan)
	}
	var setup Setup
	_ = json.Unmarshal(text, &setup)
	_ = setup.String()
	var facts HostFacts
	if json.Unmarshal(text, &facts) == nil {
		_, _ = h.Check(ctx, setup, facts)
	}
}

// A real server takes no IPVS: its host is set up, checked and set back without.
func TestHostWithoutIPVS(t *testing.T) {
	ctx := context.Background()
	s, other := simulatedHost(t)
	none := func() (genl.Socket, error) { return nil, genl.ErrNoFamily }
	h := newHost(lateClient(none, slog.New(slog.DiscardHandler)), s.guard())
	defer h.Close()
	setup := mustSetup(t, caseOf("DR real server"))
	before := s.dump()
	plan, err := h.Plan(ctx, setup)
	if err == nil {
		err = h.Apply(ctx, plan)
	}
	if err != nil {
		t.Fatal(err)
	}
	if report, err := h.Check(ctx, setup); err != nil || len(report.Findings) != 0 {
		t.Errorf("Check: %v, %v", report.Findings, err)
	}
	facts, err := h.Facts(ctx)
	if err != nil || len(facts.Services) != 0 {
		t.Errorf("Facts: %v, %v", facts, err)
	}
	if _, err := other.Check(ctx, nil, facts); err != nil {
		t.Error(err)
	}
	if _, err := h.Client().Services(ctx); !errors.Is(err, ErrUnavailable) {
		t.Errorf("its services: got %v, want ErrUnavailable", err)
	}
	if kept, err := h.Undo(ctx, plan); err != nil || len(kept) != 0 {
		t.Errorf("Undo: %v, %v", kept, err)
	}
	if diff := cmp.Diff(before, s.dump()); diff != "" {
		t.Errorf("after Undo (-before +after):\n%s", diff)
	}
}

// IPVS on a simulated host knows the interfaces that setups add and remove.
func TestSimulatedInterfaces(t *testing.T) {
	ctx := context.Background()
	s, h := simulatedHost(t)
	plan, err := h.Plan(ctx, mustSetup(t, caseOf("DR real server on a dummy")))
	must(t, err)
	daemon := Daemon{Role: Backup, Interface: "vip.0"}
	starts := func(when string, want bool) {
		t.Helper()
		err := h.Client().StartDaemon(ctx, daemon)
		if (err == nil) != want {
			t.Errorf("a daemon %s: %v", when, err)
		}
		if err == nil {
			must(t, h.Client().StopDaemon(ctx, Backup))
		}
	}
	starts("without its interface", false)
	must(t, h.Apply(ctx, plan))
	starts("on a new interface", true)
	_, err = h.Undo(ctx, plan)
	must(t, err)
	starts("after Undo", false)
	daemon.Interface = "tunl0"
	starts("on a tunnel without its module", false)
	s.LoadModule("ipip")
	starts("on a module's interface", true)
}
