package clinic

import (
	"github.com/golvs/lvs"
)

// drDirector and drServer return the setups of package lvs for these hosts.
func drDirector(d lvs.DRDirector) func() (lvs.Setup, error) {
	if !d.VIP.IsValid() {
		d.VIP = vip
	}
	if d.Interface == "" {
		d.Interface = "eth0"
	}
	return d.Setup
}

func drServer(r lvs.DRRealServer) func() (lvs.Setup, error) {
	if !r.VIP.IsValid() {
		r.VIP = vip
	}
	return r.Setup
}

// The guides' ways to have a VIP without announcing it.
const (
	vipOnEth0  = "ip addr add 10.1.0.100/32 dev eth0\n"
	vipOnLo    = "ip addr add 10.1.0.100/32 dev lo\n"
	aliasOnLo  = "ifconfig lo:0 10.1.0.100 netmask 255.255.255.255 broadcast 10.1.0.100 up\nroute add -host 10.1.0.100 dev lo:0\n"
	silentAll  = "echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore\necho 2 >/proc/sys/net/ipv4/conf/all/arp_announce\n"
	silentLo   = "echo 1 >/proc/sys/net/ipv4/conf/lo/arp_ignore\necho 2 >/proc/sys/net/ipv4/conf/lo/arp_announce\n"
	silentEth0 = "echo 1 >/proc/sys/net/ipv4/conf/eth0/arp_ignore\necho 2 >/proc/sys/net/ipv4/conf/eth0/arp_announce\n"
	vipOnDummy = "ip link add dummy0 type dummy\nip link set dummy0 up\nip addr add 10.1.0.100/32 dev dummy0\n"
)

// dr is a site with everything on one network, except for the clients behind the router.
func dr(name, directorGuide, serverGuide string, server lvs.DRRealServer) site {
	hosts := append(clients(false), router("lan wan office"),
		judgedHost("director", "lan", 90, directorGuide, drDirector(lvs.DRDirector{})),
		judgedHost("rs1", "lan", 94, serverGuide, drServer(server)).listening(":80"),
		judgedHost("rs2", "lan", 95, serverGuide, drServer(server)).listening(":80"))
	return site{name: name, proto: "tcp", vip: vip4, hosts: hosts, answers: []string{"rs1", "rs2"}}
}

func drTable(options string) string {
	return table(vip4, options, "-g", "10.1.0.94:80", "10.1.0.95:80")
}

func sitesOfDR() []site {
	alias := dr("DR, ifconfig's aliases",
		"ifconfig eth0:0 10.1.0.100 netmask 255.255.255.255 broadcast 10.1.0.100 up\nroute add -host 10.1.0.100 dev eth0:0\n"+drTable("-s rr"),
		silentLo+silentAll+aliasOnLo, lvs.DRRealServer{})
	alias.faults = together(directorFaults(), drDirectorFaults(), drServerFaults(), drWays())

	all := dr("DR, silent by all, VIP on lo", vipOnEth0+drTable("-s wrr"), silentAll+vipOnLo, lvs.DRRealServer{})
	all.faults = more("rs2",
		fault{kind: "answers ARP", do: "echo 0 >/proc/sys/net/ipv4/conf/all/arp_ignore", past: true},
		fault{kind: "answers ARP", do: "echo 0 >/proc/sys/net/ipv4/conf/all/arp_announce", past: true},
		fault{kind: "VIP missing", do: "ip addr flush dev lo"},
		fault{kind: "VIP with a network", do: "ip addr add 10.1.0.100/24 dev lo"},
		fault{kind: "device down", do: "ip link set lo down"})

	nic := dr("DR, silent by the NIC alone", vipOnEth0+drTable("-s rr"), silentEth0+vipOnLo, lvs.DRRealServer{})
	nic.faults = more("rs2",
		fault{kind: "answers ARP", do: "echo 0 >/proc/sys/net/ipv4/conf/eth0/arp_ignore", past: true},
		fault{kind: "answers ARP", do: "ip addr add 10.1.0.100/32 dev eth0", past: true})

	dummy := dr("DR, VIP on a dummy", vipOnEth0+drTable("-s rr"), silentAll+vipOnDummy, lvs.DRRealServer{Device: "dummy0"})
	dummy.faults = more("rs2",
		fault{kind: "VIP missing", do: "ip link del dummy0"},
		fault{kind: "device down", do: "ip link set dummy0 down"},
		fault{kind: "answers ARP", do: "echo 0 >/proc/sys/net/ipv4/conf/all/arp_ignore", past: true},
		fault{kind: "VIP with a network", do: "ip addr add 10.1.0.100/24 dev dummy0"})

	return []site{alias, all, nic, dummy}
}

// directorFaults returns the faults of directors of any mode.
func directorFaults() []fault {
	return more("director",
		fault{kind: "VIP missing", do: "ip addr del 10.1.0.100/32 dev eth0"},
		fault{kind: "VIP missing", do: "ip addr flush dev eth0"},
		fault{kind: "VIP missing", do: "ip route del local 10.1.0.100 dev eth0 table local"},
		fault{kind: "no service", do: "ipvsadm -C"},
		fault{kind: "no service", do: "ipvsadm -C; ipvsadm -A -t 10.1.0.100:81 -s rr; ipvsadm -a -t 10.1.0.100:81 -r 10.1.0.94:81 -g", hidden: "no state shows that port 80 is wanted", doubt: "service"},
		fault{kind: "no service", do: "ipvsadm -C; ipvsadm -A -t 10.1.0.101:80 -s rr; ipvsadm -a -t 10.1.0.101:80 -r 10.1.0.94:80 -g"},
		fault{kind: "no service", do: "ipvsadm -C; ipvsadm -A -u 10.1.0.100:80 -s rr; ipvsadm -a -u 10.1.0.100:80 -r 10.1.0.94:80 -g", hidden: "no state shows that TCP is wanted", doubt: "service"},
		fault{kind: "no service", do: "ipvsadm -C; ipvsadm -A -t 127.0.0.1:80 -s rr; ipvsadm -a -t 127.0.0.1:80 -r 10.1.0.94:80 -g"},
		fault{kind: "port zero", do: "ipvsadm -C; ipvsadm -A -t 10.1.0.100:0 -s rr -p 300; ipvsadm -a -t 10.1.0.100:0 -r 10.1.0.94:0 -g"},
		fault{kind: "takes no connections", do: "ipvsadm -d -t 10.1.0.100:80 -r 10.1.0.94:80; ipvsadm -d -t 10.1.0.100:80 -r 10.1.0.95:80"},
		fault{kind: "takes no connections", do: "ipvsadm -e -t 10.1.0.100:80 -r 10.1.0.94:80 -g -w 0; ipvsadm -e -t 10.1.0.100:80 -r 10.1.0.95:80 -g -w 0"},
		fault{kind: "takes no connections", do: "ipvsadm -e -t 10.1.0.100:80 -r 10.1.0.94:80 -g -x 1; ipvsadm -e -t 10.1.0.100:80 -r 10.1.0.95:80 -g -x 1"},
		fault{kind: "takes no connections", do: "ipvsadm -e -t 10.1.0.100:80 -r 10.1.0.94:80 -g -w 0; ipvsadm -e -t 10.1.0.100:80 -r 10.1.0.95:80 -g -x 1"},
		fault{kind: "program", do: "ipvsadm -e -t 10.1.0.100:80 -r 10.1.0.95:80 -g -w 0\n@rs2 stop-program"},
		fault{kind: "hash without fallback", do: "ipvsadm -E -t 10.1.0.100:80 -s dh; ipvsadm -e -t 10.1.0.100:80 -r 10.1.0.94:80 -g -w 0; ipvsadm -e -t 10.1.0.100:80 -r 10.1.0.95:80 -g -w 0"},
		fault{kind: "hash without fallback", do: "ipvsadm -E -t 10.1.0.100:80 -s sh; ipvsadm -e -t 10.1.0.100:80 -r 10.1.0.94:80 -g -w 0"},
		fault{kind: "hash without fallback", do: "ipvsadm -E -t 10.1.0.100:80 -s mh; ipvsadm -e -t 10.1.0.100:80 -r 10.1.0.94:80 -g -w 0"},
		fault{kind: "a server that is nowhere", do: "ipvsadm -a -t 10.1.0.100:80 -r 10.1.0.99:80 -g", doubt: "real-server.*10.1.0.99"},
		fault{kind: "link down", do: "ip link set eth0 down"},
		fault{kind: "link down", do: "ip link del eth0"},
		fault{kind: "does not answer ARP", do: "ip link set eth0 arp off"},
		fault{kind: "does not answer ARP", do: "echo 8 >/proc/sys/net/ipv4/conf/all/arp_ignore"},
		fault{kind: "does not answer ARP", do: "echo 8 >/proc/sys/net/ipv4/conf/eth0/arp_ignore"},
		fault{kind: "way to a server", do: "ip route add blackhole 10.1.0.94"},
		fault{kind: "way to a server", do: "ip route add prohibit 10.1.0.94"},
		fault{kind: "way to a server", do: "ip route add unreachable 10.1.0.94"},
		fault{kind: "way to a server", do: "ip route add throw 10.1.0.94; ip route add blackhole 10.1.0.0/25"},
		fault{kind: "rule", do: "ip rule add to 10.1.0.94 prohibit"},
		fault{kind: "rule", do: "ip rule add to 10.1.0.94 blackhole"},
		fault{kind: "rule", do: "ip rule add to 10.1.0.0/24 unreachable"},
		fault{kind: "rule", do: "ip rule add ipproto tcp dport 80 to 10.1.0.94 blackhole"},
		fault{kind: "rule", do: "ip route add blackhole default table 7; ip rule add to 10.1.0.94 lookup 7"},
		fault{kind: "way to a server", do: "ip link add dummy1 type dummy; ip link set dummy1 up; ip route add 10.1.0.94 dev dummy1"},
		fault{kind: "way to a server", do: "ip route add 10.1.0.94 dev lo"},
		fault{kind: "address removed", do: "ip addr add 10.1.0.94/32 dev lo"},
		fault{kind: "address removed", do: "ip addr del 10.1.0.90/24 dev eth0"},
		fault{kind: "address removed", do: "ip addr del 10.1.0.90/24 dev eth0; ip addr add 10.1.0.90/30 dev eth0"},
		fault{kind: "neighbour entry", do: "ip neigh replace 10.1.0.94 lladdr 02:00:00:00:00:01 dev eth0 nud permanent"},
		fault{kind: "device down", do: "ip link add br0 type bridge; ip link set br0 up; ip link set eth0 master br0"},
		fault{kind: "drop_packet", do: "echo 3 >/proc/sys/net/ipv4/vs/drop_packet; echo 2 >/proc/sys/net/ipv4/vs/am_droprate"},
		fault{kind: "drop_packet", do: "echo 1000000000 >/proc/sys/net/ipv4/vs/amemthresh; echo 1 >/proc/sys/net/ipv4/vs/drop_packet; sleep 2"},
		fault{kind: "defence", do: "echo 3 >/proc/sys/net/ipv4/vs/drop_entry; echo 3 >/proc/sys/net/ipv4/vs/secure_tcp; sleep 2"},
		fault{kind: "defence", do: "echo 1 >/proc/sys/net/ipv4/vs/sloppy_tcp; echo 1 >/proc/sys/net/ipv4/vs/backup_only"},
		fault{kind: "backup_only", do: "echo 1 >/proc/sys/net/ipv4/vs/backup_only; ipvsadm --start-daemon backup --mcast-interface eth0"},
		fault{kind: "strict filter", do: "echo 1 >/proc/sys/net/ipv4/conf/all/rp_filter; ip route del default"},
		fault{kind: "packets dropped by tc", do: "tc qdisc add dev eth0 clsact; tc filter add dev eth0 ingress protocol ip matchall action drop", doubt: "firewall|tc"},
		fault{kind: "packets dropped by tc", do: "tc qdisc add dev eth0 root netem loss 100%", doubt: "firewall|tc|qdisc"})
}

// drDirectorFaults returns the faults of directors that only DR has.
func drDirectorFaults() []fault {
	return append(more("director",
		fault{kind: "mode", do: "ipvsadm -d -t 10.1.0.100:80 -r 10.1.0.94:80; ipvsadm -a -t 10.1.0.100:80 -r 10.1.0.94:8080 -g"},
		fault{kind: "way to a server", do: "ip route add 10.1.0.94 via 10.1.0.1"},
		fault{kind: "way to a server", do: "ip route add 10.1.0.94 via 10.1.0.95", past: true},
		fault{kind: "way to a server", do: "ipvsadm -a -t 10.1.0.100:80 -r 10.2.0.10:80 -g"},
		fault{kind: "mode", do: "ipvsadm -e -t 10.1.0.100:80 -r 10.1.0.94:80 -m"},
		fault{kind: "mode", do: "ipvsadm -e -t 10.1.0.100:80 -r 10.1.0.94:80 -i"},
		fault{kind: "forwarding off", do: "echo 0 >/proc/sys/net/ipv4/ip_forward"}),
		fault{kind: "router", on: "router", do: "ip addr add 10.1.0.100/32 dev eth0", hidden: "the router is not checked", doubt: "arp-other"},
		fault{kind: "router", on: "router", do: "ip route add blackhole 10.1.0.100", hidden: "the router is not checked", doubt: "routers"},
		fault{kind: "router", on: "router", do: "echo 0 >/proc/sys/net/ipv4/ip_forward", hidden: "the router is not checked", doubt: "routers"})
}

// drServerFaults returns the faults of a real server of DR.
func drServerFaults() []fault {
	return more("rs2",
		fault{kind: "VIP missing", do: "ifconfig lo:0 down"},
		fault{kind: "answers ARP", do: "echo 0 >/proc/sys/net/ipv4/conf/all/arp_ignore", past: true},
		fault{kind: "answers ARP", do: "echo 0 >/proc/sys/net/ipv4/conf/all/arp_announce", past: true},
		fault{kind: "answers ARP", do: "echo 0 >/proc/sys/net/ipv4/conf/lo/arp_ignore", past: true},
		fault{kind: "does not answer ARP", do: "echo 8 >/proc/sys/net/ipv4/conf/all/arp_ignore"},
		fault{kind: "way back", do: "ip route del default"},
		fault{kind: "way back", do: "ip route replace blackhole default"},
		fault{kind: "way back", do: "ip route add unreachable 10.2.0.0/24"},
		fault{kind: "way back", do: "ip rule add to 10.2.0.0/24 prohibit"},
		fault{kind: "way back", do: "ip rule add from 10.1.0.100 blackhole"},
		fault{kind: "way back", do: "ip route replace default via 10.1.0.250"},
		fault{kind: "way back", do: "ip route replace default via 10.1.0.94"},
		fault{kind: "way back", do: "ip route add local 10.2.0.0/24 dev lo"},
		fault{kind: "way back", do: "ip route replace default nexthop via 10.1.0.1 nexthop via 10.1.0.250"},
		fault{kind: "way back", do: "ip rule add ipproto tcp sport 80 prohibit"},
		fault{kind: "policy", do: "ip xfrm policy add dir in src 0.0.0.0/0 dst 10.1.0.100 action block"},
		fault{kind: "policy", do: "ip xfrm policy add dir out src 10.1.0.100 dst 0.0.0.0/0 action block"},
		fault{kind: "device down", do: "ip link add vrf1 type vrf table 10; ip link set vrf1 up; ip link set eth0 master vrf1"},
		fault{kind: "gateway is the director", do: "ip route replace default via 10.1.0.90"},
		fault{kind: "link down", do: "ip link set eth0 down"},
		fault{kind: "link down", do: "ip link set eth0 down; ip link set eth0 up"},
		fault{kind: "address removed", do: "ip addr del 10.1.0.95/24 dev eth0"},
		fault{kind: "address removed", do: "ip addr del 10.1.0.95/24 dev eth0; ip addr add 10.1.0.96/24 dev eth0; ip route add default via 10.1.0.1", doubt: "real-server.*10.1.0.95"},
		fault{kind: "address removed", do: "ip addr del 10.1.0.95/24 dev eth0; ip addr add 10.1.0.95/32 dev eth0"},
		fault{kind: "program", do: "stop-program"},
		fault{kind: "program", do: "listen-on 127.0.0.1:80"},
		fault{kind: "program", do: "listen-on 10.1.0.95:80"},
		fault{kind: "program", do: "listen-on :8080"},
		fault{kind: "neighbour entry", do: "ip neigh replace 10.1.0.1 lladdr 02:00:00:00:00:01 dev eth0 nud permanent"},
		fault{kind: "VIP with a network", do: "ifconfig lo:0 10.1.0.100 netmask 255.255.255.0 up"},
		fault{kind: "MTU", do: "ip link set eth0 mtu 600"},
		fault{kind: "packets dropped by tc", do: "tc qdisc add dev eth0 clsact; tc filter add dev eth0 ingress protocol ip flower dst_ip 10.1.0.100 action drop", doubt: "firewall|tc"})
}
