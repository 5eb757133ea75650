package lvs_test

import (
	"fmt"
	"log"
	"net/netip"

	"github.com/golvs/lvs"
)

// printSetup shows what a host needs, as the commands of an administrator.
func printSetup(setup lvs.Setup, err error) {
	if err != nil {
		log.Fatal(err)
	}
	for _, requirement := range setup {
		fmt.Println(requirement.Want)
	}
}

// The director for direct routing has the VIP on the network of the real servers.
func ExampleDRDirector() {
	printSetup(lvs.DRDirector{VIP: netip.MustParseAddr("10.168.0.91"), Interface: "eth0"}.Setup())
	// Output:
	// ip link set dev lo up
	// ip addr add 10.168.0.91/32 broadcast 10.168.0.91 dev eth0 label eth0:0
	// ip route replace 10.168.0.91/32 dev eth0
}

// The director can also mark packets for a service by firewall mark, here those to
// ports 80 and 443 of the VIP: see the example of [FWMark].
func ExampleDRDirector_marks() {
	printSetup(lvs.DRDirector{
		VIP:       netip.MustParseAddr("10.168.0.91"),
		Interface: "eth0",
		Marks: []lvs.PacketMark{
			{Protocol: lvs.ProtocolTCP, Ports: lvs.PortRange{First: 80}, Mark: 7},
			{Protocol: lvs.ProtocolTCP, Ports: lvs.PortRange{First: 443}, Mark: 7},
		},
	}.Setup())
	// Output:
	// ip link set dev lo up
	// ip addr add 10.168.0.91/32 broadcast 10.168.0.91 dev eth0 label eth0:0
	// ip route replace 10.168.0.91/32 dev eth0
	// nft 'table ip lvs_mark_7_to_10_168_0_91_32_proto_tcp_port_80 { chain prerouting { type filter hook prerouting priority -150; ip daddr 10.168.0.91/32 tcp dport 80 meta mark set 7; }; }'
	// nft 'table ip lvs_mark_7_to_10_168_0_91_32_proto_tcp_port_443 { chain prerouting { type filter hook prerouting priority -150; ip daddr 10.168.0.91/32 tcp dport 443 meta mark set 7; }; }'
}

// A real server for direct routing has the VIP as well, and must not answer ARP
// requests for it.
func ExampleDRRealServer() {
	printSetup(lvs.DRRealServer{VIP: netip.MustParseAddr("10.168.0.91")}.Setup())
	// Output:
	// ip link set dev lo up
	// sysctl -w net.ipv4.conf.lo.arp_ignore=1
	// sysctl -w net.ipv4.conf.lo.arp_announce=2
	// sysctl -w net.ipv4.conf.all.arp_ignore=1
	// sysctl -w net.ipv4.conf.all.arp_announce=2
	// ip addr add 10.168.0.91/32 broadcast 10.168.0.91 dev lo label lo:0
	// ip route replace 10.168.0.91/32 dev lo
}

// The director for NAT is a router between the clients on eth1 and the real servers
// on eth0.
func ExampleNATDirector() {
	printSetup(lvs.NATDirector{
		VIP:       netip.MustParseAddr("192.168.0.11"),
		Interface: "eth1",
		Inside:    "eth0",
	}.Setup())
	// Output:
	// ip link set dev lo up
	// sysctl -w net.ipv4.ip_forward=1
	// sysctl -w net.ipv4.conf.all.send_redirects=0
	// sysctl -w net.ipv4.conf.default.send_redirects=0
	// sysctl -w net.ipv4.conf.eth1.send_redirects=0
	// sysctl -w net.ipv4.conf.eth0.send_redirects=0
	// ip addr add 192.168.0.11/32 dev eth1
}

// With full NAT the director gives the packets its own address as well, for real
// servers whose default route leads elsewhere.
func ExampleNATDirector_fullNAT() {
	printSetup(lvs.NATDirector{
		VIP:       netip.MustParseAddr("192.168.0.11"),
		Interface: "eth1",
		Inside:    "eth0",
		Network:   netip.MustParsePrefix("10.168.0.0/24"),
		FullNAT:   true,
	}.Setup())
	// Output:
	// ip link set dev lo up
	// sysctl -w net.ipv4.ip_forward=1
	// sysctl -w net.ipv4.conf.all.send_redirects=0
	// sysctl -w net.ipv4.conf.default.send_redirects=0
	// sysctl -w net.ipv4.conf.eth1.send_redirects=0
	// sysctl -w net.ipv4.conf.eth0.send_redirects=0
	// ip addr add 192.168.0.11/32 dev eth1
	// sysctl -w net.ipv4.vs.conntrack=1
	// nft 'table ip lvs_nat_to_10_168_0_0_24_vip_192_168_0_11 { chain postrouting { type nat hook postrouting priority 100; ip daddr 10.168.0.0/24 ct original ip daddr 192.168.0.11 masquerade; }; }'
}

// A real server for NAT sends its replies through the director, whose address in
// the servers' network is the DIP.
func ExampleNATRealServer() {
	printSetup(lvs.NATRealServer{Director: netip.MustParseAddr("10.168.0.90")}.Setup())
	// Output:
	// ip route replace default via 10.168.0.90
}

// The director for tunnels has the VIP; the real servers may be in any network.
func ExampleTunnelDirector() {
	printSetup(lvs.TunnelDirector{
		VIP:       netip.MustParseAddr("10.168.0.91"),
		Interface: "eth0",
	}.Setup())
	// Output:
	// ip link set dev lo up
	// ip addr add 10.168.0.91/32 broadcast 10.168.0.91 dev eth0 label eth0:0
	// ip route replace 10.168.0.91/32 dev eth0
}

// A real server for tunnels takes packets out of them, and has the VIP on the
// tunnel's device.
func ExampleTunnelRealServer() {
	printSetup(lvs.TunnelRealServer{
		VIP:   netip.MustParseAddr("10.168.0.91"),
		Local: netip.MustParseAddr("10.168.1.94"),
		Mode:  lvs.GUE(6080),
	}.Setup())
	// Output:
	// modprobe ipip
	// modprobe fou
	// ip fou add port 6080 gue
	// ip link set dev tunl0 up
	// sysctl -w net.ipv4.conf.tunl0.rp_filter=2
	// sysctl -w net.ipv4.conf.tunl0.arp_ignore=1
	// sysctl -w net.ipv4.conf.tunl0.arp_announce=2
	// sysctl -w net.ipv4.conf.all.arp_ignore=1
	// sysctl -w net.ipv4.conf.all.arp_announce=2
	// ip addr add 10.168.0.91/32 broadcast 10.168.0.91 dev tunl0
}
