package clinic

import (
	"net/netip"
	"strings"

	"github.com/golvs/lvs"
)

// sitesOfDRInterfaces returns sites with other interfaces and routes than one NIC each.
func sitesOfDRInterfaces() []site {
	return []site{twoNICs(), secondNetwork(), managed(), routed(), localRoute(), vlan(), macvlan(), bridged(), bonded()}
}

// twoNICs is a director between the clients' network and the servers'.
func twoNICs() site {
	s := dr("DR, director with two NICs", vipOnEth0+table(vip4, "-s rr", "-g", "10.3.0.94:80", "10.3.0.95:80"), "", lvs.DRRealServer{})
	server := func(name string, number int) host {
		return judgedHost(name, "inside", number, silentAll+vipOnLo, drServer(lvs.DRRealServer{})).listening(":80")
	}
	director := judgedHost("director", "lan inside", 90, s.hosts[4].guide, drDirector(lvs.DRDirector{}))
	s.hosts = append(clients(false), router("lan wan office inside"), director, server("rs1", 94), server("rs2", 95))
	s.faults = append(more("director",
		fault{kind: "link down", do: "ip link set eth1 down"},
		fault{kind: "address removed", do: "ip addr del 10.3.0.90/24 dev eth1"},
		fault{kind: "address removed", do: "ip addr del 10.3.0.90/24 dev eth1; ip addr add 10.3.0.90/32 dev eth1"},
		fault{kind: "does not answer ARP", do: "echo 8 >/proc/sys/net/ipv4/conf/all/arp_ignore"},
		fault{kind: "VIP missing", do: "ip addr del 10.1.0.100/32 dev eth0; ip addr add 10.1.0.100/32 dev eth1; echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore"},
		fault{kind: "way to a server", do: "ip route add 10.3.0.94 via 10.1.0.1"}),
		more("rs1", fault{kind: "way back", do: "ip route del default"},
			fault{kind: "gateway is the director", do: "ip route replace default via 10.3.0.90"})...)
	return s
}

// secondNetwork has the VIP in another network on the same wire.
func secondNetwork() site {
	second := netip.MustParseAddrPort("10.7.0.100:80")
	s := dr("DR, VIP of a second network on the wire", "ip addr add 10.7.0.90/24 dev eth0\nip addr add 10.7.0.100/32 dev eth0\n"+
		table(second, "-s rr", "-g", "10.1.0.94:80", "10.1.0.95:80"), silentAll+"ip addr add 10.7.0.100/32 dev lo\n", lvs.DRRealServer{VIP: second.Addr()})
	s.vip = second
	for i := range s.hosts {
		switch h := &s.hosts[i]; h.name {
		case "near":
			h.base += "addr add 10.7.0.10/24 dev eth0\naddr add 10.7.0.11/24 dev eth0\n"
			h.from = append(h.from[:2], "10.7.0.10", "10.7.0.11")
		case "router":
			h.base += "addr add 10.7.0.1/24 dev eth0\n"
		case "director":
			h.setup = drDirector(lvs.DRDirector{VIP: second.Addr()})
		}
	}
	s.faults = append(more("rs2",
		fault{kind: "answers ARP", do: "echo 0 >/proc/sys/net/ipv4/conf/all/arp_ignore", past: true},
		fault{kind: "answers ARP", do: "ip addr add 10.7.0.100/32 dev eth0", past: true}),
		more("director", fault{kind: "VIP missing", do: "ip addr del 10.7.0.100/32 dev eth0"})...)
	return s
}

// managed has servers whose default route leads by a second interface.
func managed() site {
	loose := "echo 2 >/proc/sys/net/ipv4/conf/all/rp_filter\n"
	s := dr("DR, servers with a second interface", vipOnEth0+drTable("-s rr"), loose+silentAll+vipOnLo, lvs.DRRealServer{})
	for i := range s.hosts {
		switch h := &s.hosts[i]; h.name {
		case "router":
			*h = router("lan wan office mgmt")
		case "rs1", "rs2":
			number := map[string]int{"rs1": 94, "rs2": 95}[h.name]
			h.nics, h.base = "lan mgmt", at("lan mgmt", number)+via("mgmt", 1)
		}
	}
	s.faults = more("rs2",
		fault{kind: "strict filter", do: "echo 1 >/proc/sys/net/ipv4/conf/all/rp_filter; echo 1 >/proc/sys/net/ipv4/conf/eth0/rp_filter"},
		fault{kind: "way back", do: "ip route del default"},
		fault{kind: "link down", do: "ip link set eth1 down"},
		fault{kind: "answers ARP", do: "echo 0 >/proc/sys/net/ipv4/conf/all/arp_ignore", past: true},
		fault{kind: "way back", do: "ip route replace default via 10.1.0.1"})
	return s
}

// routedVIP is in no network; the router sends it to the director.
var routedVIP = netip.MustParseAddrPort("10.9.0.100:80")

func routedSite(name, director, server string) site {
	s := dr(name, director+table(routedVIP, "-s rr", "-g", "10.1.0.94:80", "10.1.0.95:80"), silentAll+server, lvs.DRRealServer{VIP: routedVIP.Addr()})
	s.vip = routedVIP
	for i := range s.hosts {
		switch h := &s.hosts[i]; h.name {
		case "router":
			h.base += "route add 10.9.0.100 via 10.1.0.90\n"
		case "director":
			h.setup = drDirector(lvs.DRDirector{VIP: routedVIP.Addr(), Interface: "lo", Routed: true})
		}
	}
	return s
}

func routed() site {
	s := routedSite("DR, VIP routed to the director", "ip addr add 10.9.0.100/32 dev lo\n", "ip addr add 10.9.0.100/32 dev lo\n")
	s.faults = append(more("director",
		fault{kind: "VIP missing", do: "ip addr del 10.9.0.100/32 dev lo"},
		fault{kind: "address removed", do: "ip addr del 10.1.0.90/24 dev eth0"}),
		fault{kind: "router", on: "router", do: "ip route del 10.9.0.100", hidden: "the router is not checked", doubt: "routers"},
		fault{kind: "VIP missing", on: "rs2", do: "ip addr del 10.9.0.100/32 dev lo"})
	return s
}

func localRoute() site {
	local := "ip route add local 10.9.0.100/32 dev lo\n"
	s := routedSite("DR, VIP as a local route", local, local)
	for i := range s.hosts {
		s.hosts[i].setup = nil
	}
	s.faults = append(more("director", fault{kind: "VIP missing", do: "ip route del local 10.9.0.100/32 dev lo"}),
		more("rs2", fault{kind: "VIP missing", do: "ip route del local 10.9.0.100/32 dev lo"})...)
	return s
}

// vlan has director and servers joined by a VLAN on the wire.
func vlan() site {
	tagged := func(number string) string {
		return "ip link add link eth0 name eth0.5 type vlan id 5\nip link set eth0.5 up\nip addr add 10.3.0." + number + "/24 dev eth0.5\n"
	}
	s := dr("DR, servers behind a VLAN", tagged("90")+vipOnEth0+table(vip4, "-s rr", "-g", "10.3.0.94:80", "10.3.0.95:80"), "", lvs.DRRealServer{})
	for i := range s.hosts {
		if h := &s.hosts[i]; h.name[:2] == "rs" {
			h.guide = tagged("9"+map[string]string{"rs1": "4", "rs2": "5"}[h.name]) + silentAll + vipOnLo
		}
	}
	s.faults = append(more("director",
		fault{kind: "device down", do: "ip link set eth0.5 down"},
		fault{kind: "device down", do: "ip link del eth0.5"},
		fault{kind: "link down", do: "ip link set eth0 down"},
		fault{kind: "device down", do: "ip link del eth0.5; ip link add link eth0 name eth0.5 type vlan id 6; ip link set eth0.5 up; ip addr add 10.3.0.90/24 dev eth0.5"}),
		more("rs2",
			fault{kind: "device down", do: "ip link set eth0.5 down"},
			fault{kind: "device down", do: "ip link del eth0.5"},
			fault{kind: "strict filter", do: "echo 1 >/proc/sys/net/ipv4/conf/all/rp_filter"})...)
	return s
}

// macvlan has the VIP on a macvlan, as VRRP with a virtual MAC address does.
func macvlan() site {
	s := dr("DR, VIP on a macvlan", "ip link add mac0 link eth0 type macvlan mode private\nip link set mac0 up\nip addr add 10.1.0.100/32 dev mac0\n"+
		"echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore\n"+drTable("-s rr"), silentAll+vipOnLo, lvs.DRRealServer{})
	for i := range s.hosts {
		if s.hosts[i].name == "director" {
			s.hosts[i].setup = nil
		}
	}
	s.faults = more("director",
		fault{kind: "device down", do: "ip link set mac0 down"},
		fault{kind: "device down", do: "ip link del mac0"},
		fault{kind: "link down", do: "ip link set eth0 down"},
		fault{kind: "strict filter", do: "echo 1 >/proc/sys/net/ipv4/conf/all/rp_filter"})
	return s
}

// onTop moves a host's addresses to a device on top of its NIC.
func onTop(h host, device, make string) host {
	lines := strings.Split(h.base, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "addr") {
			lines[i] = strings.Replace(line, "dev eth0", "dev "+device, 1)
		}
	}
	h.base = make + strings.Join(lines, "\n")
	h.guide = strings.ReplaceAll(h.guide, "eth0", device)
	return h
}

// bridged has servers with their address on a bridge, as hosts of virtual machines.
func bridged() site {
	s := dr("DR, servers on a bridge", vipOnEth0+drTable("-s rr"), silentAll+vipOnLo, lvs.DRRealServer{})
	for i := range s.hosts {
		if h := &s.hosts[i]; h.name[:2] == "rs" {
			*h = onTop(*h, "br0", "link add br0 type bridge\nlink set br0 up\nlink set eth0 master br0\n")
		}
	}
	s.faults = more("rs2",
		fault{kind: "device down", do: "ip link set br0 down"},
		fault{kind: "device down", do: "ip link set eth0 nomaster"},
		fault{kind: "link down", do: "ip link set eth0 down"},
		fault{kind: "answers ARP", do: "echo 0 >/proc/sys/net/ipv4/conf/all/arp_ignore", past: true})
	return s
}

// bonded has a director with a bond.
func bonded() site {
	s := dr("DR, director with a bond", vipOnEth0+drTable("-s rr"), silentAll+vipOnLo, lvs.DRRealServer{})
	for i := range s.hosts {
		if h := &s.hosts[i]; h.name == "director" {
			*h = onTop(*h, "bond0", "link add bond0 type bond mode active-backup miimon 50\nlink set eth0 down\nlink set eth0 master bond0\nlink set bond0 up\n")
			h.setup = drDirector(lvs.DRDirector{Interface: "bond0"})
		}
	}
	s.faults = more("director",
		fault{kind: "device down", do: "ip link set bond0 down"},
		fault{kind: "device down", do: "ip link set eth0 nomaster"},
		fault{kind: "VIP missing", do: "ip addr del 10.1.0.100/32 dev bond0"})
	return s
}
