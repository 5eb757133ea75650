package clinic

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/golvs/lvs"
)

// tunnel is a site with servers behind the router, and the VIP on a tunnel's device there.
type tunnel struct {
	name   string
	mode   lvs.Mode
	flags  string // ipvsadm's
	outer6 bool
	vip6   bool
	device string // of the VIP on the servers
	module string // that the guide loads
	guide  string // with LOCAL for the server's own address
	faults []fault
}

func (tn tunnel) site() site {
	service, dcs := vip4, [2]string{"10.4.0.94", "10.4.0.95"}
	if tn.vip6 {
		service = vip6
	}
	if tn.outer6 {
		dcs = [2]string{"2001:db8:4::94", "2001:db8:4::95"}
	}
	add, length := "ip addr add", 32
	extra := ""
	if tn.vip6 {
		add, length, extra = "ip -6 addr add", 128, " preferred_lft 0"
	}
	director := fmt.Sprintf("%s %s/%d dev eth0%s\n", add, service.Addr(), length, extra)
	var servers []string
	for _, a := range dcs {
		servers = append(servers, netip.AddrPortFrom(netip.MustParseAddr(a), 80).String())
	}
	director += table(service, "-s rr", tn.flags, servers...)
	s := site{name: tn.name, proto: "tcp", vip: service, answers: []string{"rs1", "rs2"}, hosts: append(clients(tn.vip6), router("lan wan office dc"),
		judgedHost("director", "lan", 90, director, lvs.TunnelDirector{VIP: service.Addr(), Interface: "eth0"}.Setup))}
	for i, a := range dcs {
		guide := silentAll
		guide += "modprobe " + tn.module + "\n" + strings.ReplaceAll(tn.guide, "LOCAL", a) +
			fmt.Sprintf("%s %s/%d dev %s\n", add, service.Addr(), length, tn.device)
		setup := lvs.TunnelRealServer{VIP: service.Addr(), Mode: tn.mode, Local: netip.MustParseAddr(a)}.Setup
		if tn.device == "lo" || tn.device == "mine" {
			setup = nil // package lvs uses another device
		}
		s.hosts = append(s.hosts, judgedHost(fmt.Sprintf("rs%d", i+1), "dc", 94+i, guide, setup).listening(":80"))
	}
	s.faults = tn.faults
	return s
}

const noFilter = "echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter\n"

func sitesOfTunnels() (all []site) {
	for _, tn := range []tunnel{
		{name: "TUN by IPIP, VIP on tunl0", mode: lvs.IPIP(), flags: "-i", device: "tunl0", module: "ipip",
			guide: "ip link set tunl0 up\n" + noFilter + "echo 0 >/proc/sys/net/ipv4/conf/tunl0/rp_filter\n", faults: append(ipipFaults(), tunnelWays()...)},
		{name: "TUN by IPIP, VIP on lo", mode: lvs.IPIP(), flags: "-i", device: "lo", module: "ipip",
			guide: "ip link set tunl0 up\n", faults: more("rs2",
				fault{kind: "tunnel's device", do: "ip link set tunl0 down"},
				fault{kind: "strict filter", do: "echo 1 >/proc/sys/net/ipv4/conf/all/rp_filter"},
				fault{kind: "VIP missing", do: "ip addr del 10.1.0.100/32 dev lo"})},
		{name: "TUN by GUE", mode: lvs.GUE(6080), flags: "-i --tun-type gue --tun-port 6080", device: "tunl0", module: "fou",
			guide: "modprobe ipip\nip fou add port 6080 gue\nip link set tunl0 up\n", faults: append(more("rs2",
				fault{kind: "tunnel's type", do: "ip fou del port 6080"},
				fault{kind: "tunnel's type", do: "ip fou del port 6080; ip fou add port 6081 gue"},
				fault{kind: "tunnel's type", do: "ip fou del port 6080; ip fou add port 6080 ipproto 4"},
				fault{kind: "tunnel's device", do: "ip link set tunl0 down"}),
				more("director", fault{kind: "tunnel's type", do: "ipvsadm -e -t 10.1.0.100:80 -r 10.4.0.94:80 -i --tun-type gue --tun-port 6666"},
					fault{kind: "tunnel's type", do: "ipvsadm -e -t 10.1.0.100:80 -r 10.4.0.94:80 -i --tun-type gre"})...)},
		{name: "TUN by GRE, VIP on gre0", mode: lvs.GRE(), flags: "-i --tun-type gre", device: "gre0", module: "ip_gre",
			guide: "ip link set gre0 up\n", faults: append(more("rs2",
				fault{kind: "tunnel's device", do: "ip link set gre0 down"},
				fault{kind: "strict filter", do: "echo 1 >/proc/sys/net/ipv4/conf/gre0/rp_filter"}),
				more("director", fault{kind: "tunnel's type", do: "ipvsadm -e -t 10.1.0.100:80 -r 10.4.0.94:80 -i --tun-type gre --tun-csum"})...)},
		{name: "TUN by GRE, a device with a local address", mode: lvs.GRE(), flags: "-i --tun-type gre", device: "mine", module: "ip_gre",
			guide: "ip link add mine type gre local LOCAL\nip link set mine up\n", faults: more("rs2",
				fault{kind: "tunnel's device", do: "ip link set mine down"},
				fault{kind: "tunnel's device", do: "ip link del mine"},
				fault{kind: "tunnel's device", do: "ip link set mine down; ip link change mine type gre local 10.4.0.96; ip link set mine up"},
				fault{kind: "tunnel's device", do: "ip link del mine; ip link add mine type gre local 10.4.0.95 remote 10.1.0.91; ip link set mine up; ip addr add 10.1.0.100/32 dev mine"})},
		{name: "TUN of IPv6 in IPv6", mode: lvs.IPIP(), flags: "-i", outer6: true, vip6: true, device: "ip6tnl0", module: "ip6_tunnel",
			guide: "ip link set ip6tnl0 up\n", faults: append(more("rs2",
				fault{kind: "tunnel's device", do: "ip link set ip6tnl0 down"},
				fault{kind: "VIP missing", do: "ip -6 addr del 2001:db8:1::100/128 dev ip6tnl0"},
				fault{kind: "way back", do: "ip -6 route del default"}),
				more("director", fault{kind: "IPv6 VIP as a source", do: "ip -6 addr change 2001:db8:1::100/128 dev eth0 preferred_lft forever"},
					fault{kind: "way to a server", do: "ip -6 route del default"})...)},
		{name: "TUN of IPv4 in IPv6", mode: lvs.IPIP(), flags: "-i", outer6: true, device: "mine", module: "ip6_tunnel",
			guide: "ip link add mine type ip6tnl mode any local LOCAL\nip link set mine up\n", faults: more("rs2",
				fault{kind: "tunnel's device", do: "ip link set mine down"},
				fault{kind: "tunnel's device", do: "ip link del mine; ip link set ip6tnl0 up; ip addr add 10.1.0.100/32 dev ip6tnl0; ip -6 tunnel change ip6tnl0 mode ip6ip6 || true"},
				fault{kind: "way back", do: "ip route del default"})},
		{name: "TUN of IPv6 in IPv4", mode: lvs.IPIP(), flags: "-i", vip6: true, device: "sit0", module: "sit",
			guide: "ip link set sit0 up\n", faults: more("rs2",
				fault{kind: "tunnel's device", do: "ip link set sit0 down"},
				fault{kind: "way back", do: "ip -6 route del default"})},
	} {
		all = append(all, tn.site())
	}
	return all
}

func ipipFaults() []fault {
	return append(more("rs2",
		fault{kind: "tunnel's device", do: "ip link set tunl0 down"},
		fault{kind: "strict filter", do: "echo 1 >/proc/sys/net/ipv4/conf/tunl0/rp_filter"},
		fault{kind: "strict filter", do: "echo 1 >/proc/sys/net/ipv4/conf/all/rp_filter"},
		fault{kind: "VIP missing", do: "ip addr del 10.1.0.100/32 dev tunl0"},
		fault{kind: "VIP with a network", do: "ip addr add 10.1.0.100/24 dev tunl0"},
		fault{kind: "way back", do: "ip route del default"},
		fault{kind: "way back", do: "ip route add blackhole 10.5.0.0/24"},
		fault{kind: "way back", do: "ip route replace default via 10.4.0.250"},
		fault{kind: "program", do: "stop-program"},
		fault{kind: "program", do: "listen-on 10.4.0.95:80"},
		fault{kind: "address removed", do: "ip addr del 10.4.0.95/24 dev eth0", doubt: "real-server.*10.4.0.95"},
		fault{kind: "MTU", do: "ip link set tunl0 mtu 600"},
		fault{kind: "MTU", do: "ip link set eth0 mtu 1400"},
		fault{kind: "gateway is the director", do: "ip route replace 10.1.0.90 via 10.4.0.1; ip link add back type ipip local 10.4.0.95 remote 10.1.0.90; ip link set back up; ip route replace default dev back\n@director ip link add back type ipip local 10.1.0.90 remote 10.4.0.95; ip link set back up; echo 1 >/proc/sys/net/ipv4/ip_forward"}),
		append(more("director",
			fault{kind: "way to a server", do: "ip route del default"},
			fault{kind: "way to a server", do: "ip route replace default via 10.1.0.250"},
			fault{kind: "way to a server", do: "ip route add blackhole 10.4.0.94"},
			fault{kind: "way to a server", do: "ip route add prohibit 10.4.0.0/24"},
			fault{kind: "way to a server", do: "ip rule add to 10.4.0.0/24 unreachable"},
			fault{kind: "tunnel's type", do: "ipvsadm -e -t 10.1.0.100:80 -r 10.4.0.94:80 -i --tun-type gre"},
			fault{kind: "mode", do: "ipvsadm -e -t 10.1.0.100:80 -r 10.4.0.94:80 -g"},
			fault{kind: "mode", do: "ipvsadm -d -t 10.1.0.100:80 -r 10.4.0.94:80; ipvsadm -a -t 10.1.0.100:80 -r 10.4.0.94:8080 -i"},
			fault{kind: "MTU", do: "echo 0 >/proc/sys/net/ipv4/vs/pmtu_disc"},
			fault{kind: "MTU", do: "ip link set eth0 mtu 1400"}),
			fault{kind: "MTU", on: "router", do: "ip link set eth3 mtu 1400", hidden: "the router is not checked", doubt: "path-mtu"},
			fault{kind: "router", on: "router", do: "tc qdisc add dev eth0 clsact; tc filter add dev eth0 ingress protocol ip flower ip_proto 4 action drop", hidden: "the router is not checked", doubt: "routers"})...)
}
