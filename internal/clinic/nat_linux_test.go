package clinic

import (
	"fmt"
	"net/netip"

	"github.com/golvs/lvs"
)

const forwardingOn = "echo 1 >/proc/sys/net/ipv4/ip_forward\n"

func natDirector(d lvs.NATDirector) func() (lvs.Setup, error) {
	if !d.VIP.IsValid() {
		d.VIP = vip
	}
	d.Interface = "eth0"
	return d.Setup
}

func natServer(director string) func() (lvs.Setup, error) {
	return lvs.NATRealServer{Director: netip.MustParseAddr(director)}.Setup
}

func natTable(options string) string {
	return table(vip4, options, "-m", "10.3.0.94:8080", "10.3.0.95:8080")
}

// nat is a site with the director between the clients and the servers.
func nat(name, director string, setup func() (lvs.Setup, error)) site {
	server := func(name string, number int) host {
		h := judgedHost(name, "inside", number, "", natServer("10.3.0.90")).listening(":8080")
		h.base = at("inside", number) + via("inside", 90)
		return h
	}
	return site{name: name, proto: "tcp", vip: vip4, answers: []string{"rs1", "rs2"},
		hosts: append(clients(false), router("lan wan office"),
			judgedHost("director", "lan inside", 90, director, setup), server("rs1", 94), server("rs2", 95))}
}

func sitesOfNAT() []site {
	return []site{natTwoLegs(), natOneLeg(), nat6(), natByRule()}
}

func natTwoLegs() site {
	s := nat("NAT, director between two networks", forwardingOn+vipOnEth0+natTable("-s rr"), natDirector(lvs.NATDirector{Inside: "eth1"}))
	s.faults = append(more("director",
		fault{kind: "VIP missing", do: "ip addr del 10.1.0.100/32 dev eth0"},
		fault{kind: "forwarding off", do: "echo 0 >/proc/sys/net/ipv4/ip_forward"},
		fault{kind: "forwarding off", do: "echo 0 >/proc/sys/net/ipv4/conf/eth1/forwarding"},
		fault{kind: "forwarding off", do: "echo 0 >/proc/sys/net/ipv4/conf/eth0/forwarding"},
		fault{kind: "link down", do: "ip link set eth0 down"},
		fault{kind: "link down", do: "ip link set eth1 down"},
		fault{kind: "address removed", do: "ip addr del 10.3.0.90/24 dev eth1"},
		fault{kind: "address removed", do: "ip addr del 10.3.0.90/24 dev eth1; ip addr add 10.3.0.89/24 dev eth1"},
		fault{kind: "address removed", do: "ip addr del 10.3.0.90/24 dev eth1; ip addr add 10.3.0.90/32 dev eth1"},
		fault{kind: "director's way to the clients", do: "ip route del default"},
		fault{kind: "director's way to the clients", do: "ip route replace blackhole default"},
		fault{kind: "director's way to the clients", do: "ip route add prohibit 10.5.0.0/24"},
		fault{kind: "director's way to the clients", do: "ip route replace default via 10.1.0.250"},
		fault{kind: "director's way to the clients", do: "ip route add 10.2.0.0/24 via 10.3.0.94"},
		fault{kind: "director's way to the clients", do: "ip route replace default nexthop via 10.1.0.1 nexthop via 10.1.0.250"},
		fault{kind: "rule", do: "ip rule add to 10.5.0.0/24 unreachable"},
		fault{kind: "rule", do: "ip rule add from 10.3.0.0/24 prohibit"},
		fault{kind: "way to a server", do: "ip route add blackhole 10.3.0.94"},
		fault{kind: "way to a server", do: "ip route add 10.3.0.94 via 10.1.0.1"},
		fault{kind: "way to a server", do: "ip route add local 10.3.0.94 dev lo"},
		fault{kind: "strict filter", do: "echo 1 >/proc/sys/net/ipv4/conf/all/rp_filter; ip route add 10.2.0.0/24 via 10.3.0.1"},
		fault{kind: "neighbour entry", do: "ip neigh replace 10.3.0.94 lladdr 02:00:00:00:00:01 dev eth1 nud permanent"},
		fault{kind: "takes no connections", do: "ipvsadm -d -t 10.1.0.100:80 -r 10.3.0.94:8080; ipvsadm -d -t 10.1.0.100:80 -r 10.3.0.95:8080"},
		fault{kind: "mode", do: "ipvsadm -d -t 10.1.0.100:80 -r 10.3.0.94:8080; ipvsadm -a -t 10.1.0.100:80 -r 10.3.0.94:80 -m"},
		fault{kind: "NAT to loopback", do: "ipvsadm -a -t 10.1.0.100:80 -r 127.0.0.1:8080 -m"},
		fault{kind: "mode", do: "ipvsadm -d -t 10.1.0.100:80 -r 10.3.0.94:8080; ipvsadm -a -t 10.1.0.100:80 -r 10.3.0.94:80 -g"},
		fault{kind: "conntrack", do: "echo 1 >/proc/sys/net/ipv4/vs/conntrack"},
		fault{kind: "defence", do: "echo 0 >/proc/sys/net/ipv4/vs/snat_reroute"},
		fault{kind: "redirects", do: "echo 1 >/proc/sys/net/ipv4/conf/all/send_redirects"}),
		more("rs2",
			fault{kind: "way back", do: "ip route del default"},
			fault{kind: "way back", do: "ip route replace default via 10.3.0.1"},
			fault{kind: "way back", do: "ip route replace blackhole default"},
			fault{kind: "way back", do: "ip route add unreachable 10.2.0.0/24"},
			fault{kind: "way back", do: "ip route add 10.2.0.0/24 via 10.3.0.94"},
			fault{kind: "way back", do: "ip route add 10.2.0.0/24 dev eth0"},
			fault{kind: "way back", do: "ip rule add to 10.5.0.0/24 prohibit"},
			fault{kind: "way back", do: "ip addr add 10.2.0.200/24 dev eth0"},
			fault{kind: "link down", do: "ip link set eth0 down"},
			fault{kind: "address removed", do: "ip addr del 10.3.0.95/24 dev eth0; ip addr add 10.3.0.96/24 dev eth0; ip route add default via 10.3.0.90", doubt: "real-server.*10.3.0.95"},
			fault{kind: "program", do: "stop-program"},
			fault{kind: "program", do: "listen-on 127.0.0.1:8080"},
			fault{kind: "program", do: "listen-on :80"},
			fault{kind: "does not answer ARP", do: "echo 8 >/proc/sys/net/ipv4/conf/all/arp_ignore"})...)
	s.faults = append(s.faults, natWays()...)
	return s
}

// natOneLeg has director, servers and VIP in one network, and clients elsewhere.
func natOneLeg() site {
	quiet := "for i in all default eth0; do echo 0 >/proc/sys/net/ipv4/conf/$i/send_redirects; done\n"
	s := nat("NAT, all in one network", forwardingOn+quiet+vipOnEth0+table(vip4, "-s rr", "-m", "10.1.0.94:8080", "10.1.0.95:8080"), natDirector(lvs.NATDirector{}))
	s.hosts = s.hosts[1:] // a client beside the servers is answered directly
	for i := range s.hosts {
		switch h := &s.hosts[i]; h.name {
		case "director":
			h.nics, h.base = "lan", at("lan", 90)+via("lan", 1)
		case "rs1", "rs2":
			number := map[string]int{"rs1": 94, "rs2": 95}[h.name]
			h.nics, h.base, h.setup = "lan", at("lan", number)+via("lan", 90), natServer("10.1.0.90")
		}
	}
	s.faults = append(more("director",
		fault{kind: "redirects", do: "echo 1 >/proc/sys/net/ipv4/conf/all/send_redirects; echo 1 >/proc/sys/net/ipv4/conf/eth0/send_redirects"},
		fault{kind: "forwarding off", do: "echo 0 >/proc/sys/net/ipv4/ip_forward"},
		fault{kind: "director's way to the clients", do: "ip route del default"}),
		more("rs2",
			fault{kind: "way back", do: "ip route replace default via 10.1.0.1"},
			fault{kind: "way back", do: "ip route add 10.2.0.0/24 via 10.1.0.1"})...)
	return s
}

func nat6() site {
	s := nat("NAT of IPv6", "echo 1 >/proc/sys/net/ipv6/conf/all/forwarding\nip -6 addr add 2001:db8:1::100/128 dev eth0\n"+
		table(vip6, "-s rr", "-m", "[2001:db8:3::94]:8080", "[2001:db8:3::95]:8080"), natDirector(lvs.NATDirector{VIP: vip6.Addr(), Inside: "eth1"}))
	s.vip = vip6
	s.hosts = append(clients(true), s.hosts[3:]...)
	for i := range s.hosts {
		if h := &s.hosts[i]; h.name[:2] == "rs" {
			h.setup = natServer("2001:db8:3::90")
		}
	}
	s.faults = append(more("director",
		fault{kind: "forwarding off", do: "echo 0 >/proc/sys/net/ipv6/conf/all/forwarding"},
		fault{kind: "IPv6 switched off", do: "echo 1 >/proc/sys/net/ipv6/conf/eth1/disable_ipv6"},
		fault{kind: "director's way to the clients", do: "ip -6 route del default"},
		fault{kind: "VIP missing", do: "ip -6 addr del 2001:db8:1::100/128 dev eth0"},
		fault{kind: "link down", do: "ip link set eth1 down; ip link set eth1 up"}),
		more("rs2",
			fault{kind: "way back", do: "ip -6 route del default"},
			fault{kind: "way back", do: "ip -6 route replace default via 2001:db8:3::1"},
			fault{kind: "way back", do: "ip -6 route add unreachable 2001:db8:2::/64"})...)
	return s
}

// natByRule has servers that answer through the director by a routing rule, and send their
// own packets another way.
func natByRule() site {
	s := nat("NAT, servers with a rule for their answers", forwardingOn+vipOnEth0+natTable("-s rr"), natDirector(lvs.NATDirector{Inside: "eth1"}))
	for i := range s.hosts {
		switch h := &s.hosts[i]; h.name {
		case "router":
			*h = router("lan wan office inside")
		case "rs1", "rs2":
			number := map[string]int{"rs1": 94, "rs2": 95}[h.name]
			h.base, h.setup = at("inside", number)+via("inside", 1), nil
			h.guide = fmt.Sprintf("ip route add default via 10.3.0.90 table 100\nip rule add from 10.3.0.%d lookup 100\n", number)
		}
	}
	s.faults = more("rs2",
		fault{kind: "rule", do: "ip rule del from 10.3.0.95 lookup 100"},
		fault{kind: "rule", do: "ip route flush table 100"},
		fault{kind: "rule", do: "ip route replace default via 10.3.0.1 table 100"},
		fault{kind: "rule", do: "ip rule add to 10.2.0.0/24 lookup main pref 10"})
	return s
}

// fullNAT has servers whose answers return because the director masquerades.
func fullNAT(program string) site {
	masquerade := "iptables-legacy -t nat -A POSTROUTING -m ipvs --vaddr 10.1.0.100/32 --vport 80 -j MASQUERADE\n"
	faults := []string{
		"iptables-legacy -t nat -F",
		"iptables-legacy -A FORWARD -j DROP",
		"iptables-legacy -A INPUT -j DROP",
		"iptables-legacy -P FORWARD DROP",
		"iptables-legacy -t raw -A PREROUTING -j NOTRACK",
		"iptables-legacy -A OUTPUT -d 10.3.0.94 -j DROP",
	}
	if program == "nft" {
		masquerade = "nft 'table ip nat { chain postrouting { type nat hook postrouting priority 100; ip daddr 10.3.0.0/24 masquerade; }; }'\n"
		faults = []string{
			"nft delete table ip nat",
			"nft 'table ip filter { chain forward { type filter hook forward priority 0; policy drop; }; }'",
			"nft 'table ip filter { chain input { type filter hook input priority 0; policy drop; }; }'",
			"nft 'table ip raw { chain prerouting { type filter hook prerouting priority -300; notrack; }; }'",
		}
	}
	s := nat("NAT with masquerading by "+program, forwardingOn+"echo 1 >/proc/sys/net/ipv4/vs/conntrack\n"+masquerade+vipOnEth0+natTable("-s rr"),
		natDirector(lvs.NATDirector{Inside: "eth1"}))
	s.needs = program
	for i := range s.hosts {
		switch h := &s.hosts[i]; h.name {
		case "router":
			*h = router("lan wan office inside")
		case "rs1", "rs2":
			number := map[string]int{"rs1": 94, "rs2": 95}[h.name]
			h.base, h.setup = at("inside", number)+via("inside", 1), nil
		}
	}
	s.faults = append(firewall(faults, nil), fault{kind: "conntrack", on: "director", do: "echo 0 >/proc/sys/net/ipv4/vs/conntrack", doubt: "firewall|nat|return-route"})
	return s
}
