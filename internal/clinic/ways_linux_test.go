package clinic

// The faults of this file are in what the kernel consults on a packet's way: rules, routes,
// IPsec policies, traffic control, and the TTL.

// drWays returns the faults of a site of DR.
func drWays() []fault {
	return append(more("director",
		fault{kind: "way to a server", do: "ip route add 10.1.0.0/25 via 10.1.0.1"},
		fault{kind: "rule", do: "ip rule add iif lo prohibit"},
		fault{kind: "rule", do: "ip rule add iif eth0 blackhole"},
		fault{kind: "rule", do: "ip rule add not from 10.9.0.0/24 unreachable"},
		fault{kind: "rule", do: "ip rule add uidrange 0-0 prohibit"},
		fault{kind: "rule", do: "ip rule del pref 0"},
		fault{kind: "device down", do: "ip link add vrf1 type vrf table 10; ip link set vrf1 up; ip link set eth0 master vrf1"},
		fault{kind: "client's address", do: "ip route add local 10.2.0.0/24 dev lo"},
		fault{kind: "strict filter", do: "echo 1 >/proc/sys/net/ipv4/conf/all/rp_filter; ip route add 10.2.0.0/24 dev lo"},
		fault{kind: "packets dropped by tc", do: "tc qdisc add dev eth0 clsact; tc filter add dev eth0 egress protocol ip flower dst_ip 10.1.0.100 action drop"},
		fault{kind: "packets dropped by tc", do: "tc qdisc add dev eth0 clsact; tc filter add dev eth0 ingress protocol arp matchall action drop"},
		fault{kind: "VIP missing", do: "ip addr change 10.1.0.100/32 dev eth0 valid_lft 1 preferred_lft 1; sleep 3"},
		fault{kind: "address twice", do: "ip addr add 10.1.0.95/24 dev eth0"},
		fault{kind: "policy", do: "ip xfrm policy add dir in src 0.0.0.0/0 dst 10.1.0.100/32 action block"},
		fault{kind: "overflow", do: "ipvsadm -E -t 10.1.0.100:80 -s ovf"},
		fault{kind: "overflow", do: "ipvsadm -E -t 10.1.0.100:80 -s fo"}),
		more("rs2",
			fault{kind: "way back", do: "ip route add 10.2.0.0/24 dev lo"},
			fault{kind: "way back", do: "ip link add d9 type dummy; ip link set d9 up; ip route add 10.2.0.0/24 dev d9"},
			fault{kind: "way back", do: "ip nexthop add id 1 blackhole; ip route replace default nhid 1"},
			fault{kind: "way back", do: "ip route add 0.0.0.0/1 via 10.1.0.250"},
			fault{kind: "way back", do: "ip route replace default dev eth0"},
			fault{kind: "rule", do: "ip rule add uidrange 0-0 prohibit"},
			fault{kind: "rule", do: "ip rule add fwmark 0x0/0x1 prohibit"},
			fault{kind: "rule", do: "ip rule add not to 10.1.0.0/24 prohibit"},
			fault{kind: "rule", do: "ip rule add pref 100 lookup main suppress_prefixlength 0; ip rule del pref 32766"},
			fault{kind: "rule", do: "ip rule add pref 100 goto 32767"},
			fault{kind: "hops", do: "echo 1 >/proc/sys/net/ipv4/ip_default_ttl"},
			fault{kind: "address twice", do: "ip addr add 10.1.0.1/32 dev eth0"},
			fault{kind: "address twice", do: "ip addr add 10.1.0.90/32 dev lo"},
			fault{kind: "device down", do: "ip link add br9 type bridge; ip link set br9 up; ip link set eth0 master br9"},
			fault{kind: "VIP missing", do: "ip route del local 10.1.0.100 table local"},
			fault{kind: "answers ARP", do: "echo 3 >/proc/sys/net/ipv4/conf/all/arp_ignore", past: true},
			fault{kind: "answers ARP", do: "ip neigh add proxy 10.1.0.100 dev eth0", past: true},
			fault{kind: "packets dropped by tc", do: "tc qdisc add dev eth0 ingress; tc filter add dev eth0 parent ffff: matchall action drop"},
			fault{kind: "packets dropped by tc", do: "tc qdisc add dev eth0 clsact; tc filter add dev eth0 egress protocol ip flower src_ip 10.1.0.100 action drop"},
			fault{kind: "packets dropped by tc", do: "tc qdisc add dev eth0 root netem loss 100%"})...)
}

// natWays returns the faults of a director between two networks.
func natWays() []fault {
	return append(more("director",
		fault{kind: "rule", do: "ip rule add from 10.3.0.94 blackhole"},
		fault{kind: "rule", do: "ip rule add iif eth1 prohibit"},
		fault{kind: "rule", do: "ip rule add sport 8080 ipproto tcp blackhole"},
		fault{kind: "rule", do: "ip rule add sport 80 ipproto tcp blackhole"},
		fault{kind: "rule", do: "ip rule add dport 8080 ipproto tcp blackhole"},
		fault{kind: "director's way to the clients", do: "ip route add 10.2.0.0/24 via 10.3.0.1"},
		fault{kind: "policy", do: "ip xfrm policy add dir fwd src 10.3.0.0/24 dst 0.0.0.0/0 action block"},
		fault{kind: "packets dropped by tc", do: "tc qdisc add dev eth1 clsact; tc filter add dev eth1 ingress protocol ip flower src_ip 10.3.0.94 action drop"}),
		more("rs2",
			fault{kind: "way back", do: "ip route add 0.0.0.0/1 via 10.3.0.1"},
			fault{kind: "way back", do: "ip route add default via 10.3.0.94 metric 5; ip route del default via 10.3.0.90; ip route add default via 10.3.0.90 metric 10"},
			fault{kind: "way back", do: "ip route replace default via 10.3.0.90 dev eth0 onlink"},
			fault{kind: "rule", do: "ip rule add ipproto tcp sport 8080 prohibit"},
			fault{kind: "hops", do: "echo 1 >/proc/sys/net/ipv4/ip_default_ttl"},
			fault{kind: "hops", do: "echo 2 >/proc/sys/net/ipv4/ip_default_ttl"},
			fault{kind: "policy", do: "ip xfrm policy add dir in src 0.0.0.0/0 dst 10.3.0.95/32 action block"},
			fault{kind: "does not answer ARP", do: "ip link set eth0 arp off"})...)
}

// tunnelWays returns the faults of IPIP tunnels to servers that have the VIP on tunl0.
func tunnelWays() []fault {
	return append(more("director",
		fault{kind: "rule", do: "ip rule add iif lo prohibit"},
		fault{kind: "rule", do: "ip rule add from 10.1.0.90 prohibit"},
		fault{kind: "tunnel's source", do: "ip route replace default via 10.1.0.1 src 10.1.0.100"},
		fault{kind: "hops", do: "echo 2 >/proc/sys/net/ipv4/ip_default_ttl"}),
		more("rs2",
			fault{kind: "tunnel's device", do: "ip link set tunl0 down; ip link add mine type ipip local 10.4.0.95 remote 10.1.0.91; ip link set mine up; ip addr add 10.1.0.100/32 dev mine; echo 0 >/proc/sys/net/ipv4/conf/mine/rp_filter"},
			fault{kind: "strict filter", do: "ip link add mine type ipip local 10.4.0.95 remote 10.1.0.90; ip link set mine up; echo 1 >/proc/sys/net/ipv4/conf/mine/rp_filter"},
			fault{kind: "hops", do: "echo 1 >/proc/sys/net/ipv4/ip_default_ttl"},
			fault{kind: "policy", do: "ip xfrm policy add dir in src 0.0.0.0/0 dst 10.1.0.100/32 action block"},
			fault{kind: "address twice", do: "ip addr add 10.1.0.90/32 dev lo"},
			fault{kind: "packets dropped by tc", do: "tc qdisc add dev tunl0 clsact; tc filter add dev tunl0 ingress protocol ip matchall action drop"},
			fault{kind: "device down", do: "ip link add vrf1 type vrf table 10; ip link set vrf1 up; ip link set tunl0 master vrf1"},
			fault{kind: "way back", do: "ip link add d9 type dummy; ip link set d9 up; ip addr add 10.2.0.10/24 dev d9"})...)
}

// dr6Ways returns the faults of a site of DR in IPv6.
func dr6Ways() []fault {
	return append(more("director",
		fault{kind: "rule", do: "ip -6 rule add iif lo prohibit"},
		fault{kind: "rule", do: "ip -6 rule del pref 0"},
		fault{kind: "way to a server", do: "ip -6 route add 2001:db8:1::94 via 2001:db8:1::1"},
		fault{kind: "way to a server", do: "ip -6 addr add 2001:db8:1::94/128 dev lo"},
		fault{kind: "VIP missing", do: "ip -6 addr change 2001:db8:1::100/128 dev eth0 valid_lft 1 preferred_lft 1; sleep 3"},
		fault{kind: "does not answer ARP", do: "ip link set eth0 arp off"}),
		more("rs2",
			fault{kind: "client's address", do: "ip -6 route add local 2001:db8:2::/64 dev lo"},
			fault{kind: "hops", do: "ip -6 route replace default via 2001:db8:1::1 hoplimit 1"},
			fault{kind: "hops", do: "echo 1 >/proc/sys/net/ipv6/conf/eth0/hop_limit"},
			fault{kind: "rule", do: "ip -6 rule add sport 80 ipproto tcp prohibit"},
			fault{kind: "rule", do: "ip -6 rule add not to 2001:db8:1::/64 blackhole"},
			fault{kind: "way back", do: "ip -6 route add unreachable default metric 1"},
			fault{kind: "VIP missing", do: "ip -6 route del local 2001:db8:1::100 dev lo table local"},
			fault{kind: "neighbour entry", do: "ip -6 neigh replace 2001:db8:1::1 lladdr 02:00:00:00:00:01 dev eth0 nud permanent"},
			fault{kind: "MTU", do: "ip link set eth0 mtu 1200"})...)
}
