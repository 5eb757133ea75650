package clinic

import "github.com/golvs/lvs"

// dr6 is DR in IPv6.
func dr6(name, server, device string) site {
	director := judgedHost("director", "lan", 90, "ip -6 addr add 2001:db8:1::100/128 dev eth0 preferred_lft 0\n"+
		table(vip6, "-s rr", "-g", "[2001:db8:1::94]:80", "[2001:db8:1::95]:80"), drDirector(lvs.DRDirector{VIP: vip6.Addr()}))
	setup := drServer(lvs.DRRealServer{VIP: vip6.Addr(), Device: device})
	return site{name: name, proto: "tcp", vip: vip6, answers: []string{"rs1", "rs2"},
		hosts: append(clients(true), router("lan wan office"), director,
			judgedHost("rs1", "lan", 94, server, setup).listening(":80"),
			judgedHost("rs2", "lan", 95, server, setup).listening(":80"))}
}

func sitesOfDR6() []site {
	lo := dr6("DR of IPv6, VIP on lo", "ip -6 addr add 2001:db8:1::100/128 dev lo\n", "")
	lo.faults = together(dr6Ways(), more("director",
		fault{kind: "VIP missing", do: "ip -6 addr del 2001:db8:1::100/128 dev eth0"},
		fault{kind: "IPv6 switched off", do: "echo 1 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6"},
		fault{kind: "IPv6 switched off", do: "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6"},
		fault{kind: "link down", do: "ip link set eth0 down; ip link set eth0 up"},
		fault{kind: "duplicate address detected", do: "ip -6 addr del 2001:db8:1::100/128 dev eth0\n@router ip -6 addr add 2001:db8:1::100/128 dev eth0 nodad\n" +
			"echo 1 >/proc/sys/net/ipv6/conf/all/accept_dad; ip -6 addr add 2001:db8:1::100/128 dev eth0; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do ip -6 addr show dev eth0 dadfailed | grep -q :100/ && break; sleep 0.2; done\n" +
			"@router ip -6 addr del 2001:db8:1::100/128 dev eth0"},
		fault{kind: "way to a server", do: "ip -6 route add unreachable 2001:db8:1::94"},
		fault{kind: "way to a server", do: "ip -6 route add blackhole 2001:db8:1::94"},
		fault{kind: "rule", do: "ip -6 rule add to 2001:db8:1::94 prohibit"},
		fault{kind: "neighbour entry", do: "ip neigh replace 2001:db8:1::94 lladdr 02:00:00:00:00:01 dev eth0 nud permanent"},
		fault{kind: "takes no connections", do: "ipvsadm -d -t [2001:db8:1::100]:80 -r [2001:db8:1::94]:80; ipvsadm -d -t [2001:db8:1::100]:80 -r [2001:db8:1::95]:80"},
		fault{kind: "link down", do: "ip link set eth0 down"}),
		more("rs2",
			fault{kind: "VIP missing", do: "ip -6 addr del 2001:db8:1::100/128 dev lo"},
			fault{kind: "VIP missing", do: "ip link set lo down; ip link set lo up"},
			fault{kind: "answers ARP", do: "ip -6 addr add 2001:db8:1::100/128 dev eth0 nodad", past: true},
			fault{kind: "way back", do: "ip -6 route del default"},
			fault{kind: "way back", do: "ip -6 route add unreachable 2001:db8:2::/64"},
			fault{kind: "gateway is the director", do: "ip -6 route replace default via 2001:db8:1::90"},
			fault{kind: "IPv6 switched off", do: "echo 1 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6"},
			fault{kind: "IPv6 switched off", do: "echo 1 >/proc/sys/net/ipv6/conf/lo/disable_ipv6"},
			fault{kind: "program", do: "listen-on 0.0.0.0:80"}))
	dummy := dr6("DR of IPv6, VIP on a dummy", "ip link add dummy0 type dummy\nip link set dummy0 up\nip -6 addr add 2001:db8:1::100/128 dev dummy0\n", "dummy0")
	dummy.faults = more("rs2",
		fault{kind: "device down", do: "ip link set dummy0 down"},
		fault{kind: "VIP missing", do: "ip link del dummy0"},
		fault{kind: "VIP with a network", do: "ip -6 addr del 2001:db8:1::100/128 dev dummy0; ip -6 addr add 2001:db8:1::100/64 dev dummy0"})
	return []site{lo, dummy}
}
