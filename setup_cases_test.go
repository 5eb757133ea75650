package lvs

import (
	"bytes"
	"net/netip"
)

// setupCase is a setup for a host that has eth0 and eth1.
type setupCase struct {
	name    string
	setup   func() (Setup, error)
	modules []string // that an administrator has to load
	nat     bool     // it needs nftables
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
	{name: "DR director", setup: DRDirector{VIP: vip4, Interface: "eth0", Forwarding: true}.Setup},
	{name: "DR director IPv6", setup: DRDirector{VIP: vip6, Interface: "eth0"}.Setup},
	{name: "DR director that checks", setup: DRDirector{VIP: vip4, Interface: "eth0", Checks: "eth1"}.Setup},
	{name: "DR real server", setup: DRRealServer{VIP: vip4}.Setup},
	{name: "DR real server IPv6", setup: DRRealServer{VIP: vip6}.Setup},
	{name: "DR real server on two networks", setup: DRRealServer{VIP: vip4, Incoming: "eth1"}.Setup},
	{name: "DR real server on a dummy", setup: DRRealServer{VIP: vip4, Device: "vip.0"}.Setup},
	{name: "NAT director", setup: NATDirector{VIP: netip.MustParseAddr("192.168.0.11"), Interface: "eth1", Inside: "eth0"}.Setup},
	{name: "NAT director IPv6", setup: NATDirector{VIP: vip6, Interface: "eth0", Inside: "eth1"}.Setup},
	{name: "NAT director with masquerade", nat: true,
		setup: NATDirector{VIP: vip4, Interface: "eth0", Network: inner4, Masquerade: true, FullNAT: true, Source: local4}.Setup},
	{name: "full NAT director IPv6", nat: true,
		setup: NATDirector{VIP: vip6, Interface: "eth0", Network: inner6, FullNAT: true}.Setup},
	{name: "DR director of a mark", nat: true,
		setup: DRDirector{VIP: vip4, Interface: "eth0", Marks: []PacketMark{
			{Protocol: ProtocolTCP, Ports: PortRange{80, 80}, Mark: 7},
			{To: inner4, Protocol: ProtocolUDP, Ports: PortRange{8000, 8099}, Mark: 7},
			{Protocol: ProtocolSCTP, Mark: 8},
			{Table: "lvs_all", Mark: 4294967295},
		}}.Setup},
	{name: "tunnel director of a mark IPv6", nat: true,
		setup: TunnelDirector{VIP: vip6, Interface: "eth0", Marks: []PacketMark{{Protocol: ProtocolTCP, Ports: PortRange{First: 443}, Mark: 7}}}.Setup},
	{name: "NAT real server", setup: NATRealServer{Director: router4}.Setup},
	{name: "NAT real server IPv6", setup: NATRealServer{Director: router6, Clients: []netip.Prefix{netip.MustParsePrefix("2001:db8:9::/48")}}.Setup},
	{name: "tunnel director", setup: TunnelDirector{VIP: vip4, Interface: "eth0", Servers: []netip.Addr{netip.MustParseAddr("10.0.0.1")}, Via: router4}.Setup},
	{name: "tunnel director that checks", setup: TunnelDirector{VIP: vip4, Interface: "eth0", Checks: "eth0"}.Setup},
	{name: "IPIP real server", setup: TunnelRealServer{VIP: vip4, Mode: IPIP(), Local: local4, MTU: 1400, MSS: 1360, Gateway: router4, Interface: "eth0"}.Setup},
	{name: "IPIP real server IPv6", setup: TunnelRealServer{VIP: vip6, Mode: IPIP(), Local: local6, MSS: 1360, Gateway: router6, Interface: "eth0"}.Setup},
	{name: "IPIP real server 6 in 4", setup: TunnelRealServer{VIP: vip6, Mode: IPIP(), Local: local4}.Setup},
	{name: "IPIP real server 4 in 6", setup: TunnelRealServer{VIP: vip4, Mode: IPIP(), Local: local6, MTU: 1400}.Setup},
	{name: "GUE real server", modules: []string{"fou"}, setup: TunnelRealServer{VIP: vip4, Mode: GUE(6080), Local: local4}.Setup},
	{name: "GUE real server IPv6", modules: []string{"fou", "fou6"}, setup: TunnelRealServer{VIP: vip6, Mode: GUE(6080, TunnelChecksum), Local: local6}.Setup},
	{name: "GRE real server", setup: TunnelRealServer{VIP: vip4, Mode: GRE(), Local: local4}.Setup},
	{name: "GRE real server with checksums", setup: TunnelRealServer{VIP: vip6, Mode: GRE(TunnelChecksum), Local: local4}.Setup},
	{name: "GRE real server IPv6", setup: TunnelRealServer{VIP: vip6, Mode: GRE(), Local: local6}.Setup},
	{name: "GRE real server IPv6 with checksums", setup: TunnelRealServer{VIP: vip6, Mode: GRE(TunnelChecksum), Local: local6}.Setup},
	{name: "encrypted director", setup: TunnelDirector{VIP: vip4, Interface: "eth0", IPsec: []IPsecTunnel{
		{Director: local4, Server: router4, Inner: netip.MustParseAddr("10.255.0.94"), SPI: 4096, Key: testKey(1)},
		{Director: local6, Server: router6, Inner: netip.MustParseAddr("10.255.0.95"), SPI: 4097, Key: testKey(2), MTU: 1300},
	}}.Setup},
	{name: "encrypted real server", setup: TunnelRealServer{VIP: vip4, IPsec: tunnel4}.Setup},
	{name: "encrypted real server 6 in 4", setup: TunnelRealServer{VIP: vip6, IPsec: IPsecTunnel{
		Director: router4, Server: local4, Inner: netip.MustParseAddr("2001:db8:e::94"), SPI: 4096, Key: testKey(1),
	}}.Setup},
}

// testKey returns a key of which every byte is n.
func testKey(n byte) IPsecKey {
	k, err := NewIPsecKey(bytes.Repeat([]byte{n}, IPsecKeySize))
	if err != nil {
		panic(err)
	}
	return k
}
