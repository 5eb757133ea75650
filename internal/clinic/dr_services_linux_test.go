package clinic

import (
	"net/netip"

	"github.com/golvs/lvs"
)

// sitesOfDRServices returns sites with other services and directors than one of TCP by rr.
func sitesOfDRServices() []site {
	return []site{
		marked("tc", "tc qdisc add dev eth0 clsact\ntc filter add dev eth0 ingress protocol ip flower dst_ip 10.1.0.100 action skbedit mark 1\n",
			"tc filter del dev eth0 ingress"),
		marked("iptables", "iptables-legacy -t mangle -A PREROUTING -d 10.1.0.100 -p tcp --dport 80 -j MARK --set-mark 1\n",
			"iptables-legacy -t mangle -F"),
		pair(), localNode(), wideVIP(), datagrams(), associations(), persistent(), hashed("sh"), hashed("mh"), limited(),
	}
}

// marked has a service of a firewall mark.
func marked(by, rule, without string) site {
	s := dr("DR by a mark of "+by, vipOnEth0+rule+
		"ipvsadm -A -f 1 -s rr\nipvsadm -a -f 1 -r 10.1.0.94:0 -g\nipvsadm -a -f 1 -r 10.1.0.95:0 -g\n", silentAll+vipOnLo, lvs.DRRealServer{})
	s.needs = by
	s.faults = append(more("director",
		fault{kind: "mark", do: without, doubt: "firewall|fwmark|mark|clients-marked"},
		fault{kind: "mark", do: "ipvsadm -C; ipvsadm -A -f 2 -s rr; ipvsadm -a -f 2 -r 10.1.0.94:0 -g", doubt: "firewall|fwmark|mark"},
		fault{kind: "VIP missing", do: "ip addr del 10.1.0.100/32 dev eth0"},
		fault{kind: "takes no connections", do: "ipvsadm -d -f 1 -r 10.1.0.94:0; ipvsadm -d -f 1 -r 10.1.0.95:0"}),
		more("rs2", fault{kind: "VIP missing", do: "ip addr del 10.1.0.100/32 dev lo"},
			fault{kind: "answers ARP", do: "echo 0 >/proc/sys/net/ipv4/conf/all/arp_ignore", past: true})...)
	return s
}

// pair has an active director and a standby.
func pair() site {
	s := dr("DR, active and standby with sync daemons", vipOnEth0+drTable("-s wlc")+
		"ipvsadm --start-daemon master --mcast-interface eth0 --syncid 1\n", silentAll+vipOnLo, lvs.DRRealServer{})
	standby := judgedHost("standby", "lan", 91, drTable("-s wlc")+"ipvsadm --start-daemon backup --mcast-interface eth0 --syncid 1\n", nil)
	s.hosts = append(s.hosts, standby)
	s.faults = append(more("director",
		fault{kind: "standby", do: "ip addr del 10.1.0.100/32 dev eth0"},
		fault{kind: "backup_only", do: "echo 1 >/proc/sys/net/ipv4/vs/backup_only; ipvsadm --start-daemon backup --mcast-interface eth0"},
		fault{kind: "standby", do: "ip link set eth0 down"},
		fault{kind: "standby", do: "ipvsadm --start-daemon backup --mcast-interface eth0 --syncid 1"},
		fault{kind: "no service", do: "ipvsadm -C"}),
		more("standby",
			fault{kind: "standby", do: "ipvsadm --start-daemon master --mcast-interface eth0 --syncid 1"},
			fault{kind: "no service", do: "ipvsadm -C"},
			fault{kind: "standby", do: "ip link set eth0 down", right: "the standby cannot take over"},
			fault{kind: "standby", do: "ipvsadm --stop-daemon backup"},
			fault{kind: "standby", do: "ip addr add 10.1.0.100/32 dev eth0", right: "which director gets a client's packets changes with each ARP entry"},
			fault{kind: "no service", do: "ipvsadm -C; ip addr add 10.1.0.100/32 dev eth0\n@director ip addr del 10.1.0.100/32 dev eth0"})...)
	return s
}

// localNode has a director that is one of its own real servers.
func localNode() site {
	s := dr("DR, director is a real server too", vipOnEth0+table(vip4, "-s rr", "-g", "10.1.0.90:80", "10.1.0.95:80"), silentAll+vipOnLo, lvs.DRRealServer{})
	var hosts []host
	for _, h := range s.hosts {
		switch h.name {
		case "rs1":
			continue
		case "director":
			h.listen = ":80"
		}
		hosts = append(hosts, h)
	}
	s.hosts, s.answers = hosts, []string{"director", "rs2"}
	s.faults = append(more("director",
		fault{kind: "program", do: "stop-program"},
		fault{kind: "program", do: "listen-on 127.0.0.1:80"},
		fault{kind: "VIP missing", do: "ip addr del 10.1.0.100/32 dev eth0"}),
		more("rs2", fault{kind: "answers ARP", do: "echo 0 >/proc/sys/net/ipv4/conf/all/arp_ignore", past: true})...)
	return s
}

// wideVIP has the network's length on the director's VIP.
func wideVIP() site {
	s := dr("DR, VIP/24 on the director", "ip addr add 10.1.0.100/24 dev eth0\n"+drTable("-s rr"), silentAll+vipOnLo, lvs.DRRealServer{})
	s.faults = more("director",
		fault{kind: "address removed", do: "ip addr del 10.1.0.90/24 dev eth0"},
		fault{kind: "VIP missing", do: "ip addr del 10.1.0.100/24 dev eth0"})
	return s
}

// datagrams is DNS by one-packet scheduling.
func datagrams() site {
	dns := netip.MustParseAddrPort("10.1.0.100:53")
	s := dr("DR, UDP by one-packet scheduling", vipOnEth0+"ipvsadm -A -u 10.1.0.100:53 -s rr -o\n"+
		"ipvsadm -a -u 10.1.0.100:53 -r 10.1.0.94:53 -g\nipvsadm -a -u 10.1.0.100:53 -r 10.1.0.95:53 -g\n", silentAll+vipOnLo, lvs.DRRealServer{})
	s.proto, s.vip = "udp", dns
	for i := range s.hosts {
		if s.hosts[i].listen != "" {
			s.hosts[i].listen = dns.String()
		}
	}
	s.faults = append(more("director",
		fault{kind: "no service", do: "ipvsadm -C; ipvsadm -A -t 10.1.0.100:53 -s rr; ipvsadm -a -t 10.1.0.100:53 -r 10.1.0.94:53 -g", hidden: "no state shows that UDP is wanted", doubt: "service"},
		fault{kind: "no service", do: "ipvsadm -C"},
		fault{kind: "no service", do: "listen-on :53\nipvsadm -C", past: true},
		fault{kind: "takes no connections", do: "ipvsadm -e -u 10.1.0.100:53 -r 10.1.0.94:53 -g -w 0; ipvsadm -e -u 10.1.0.100:53 -r 10.1.0.95:53 -g -w 0"}),
		more("rs2",
			fault{kind: "program", do: "stop-program"},
			fault{kind: "program", do: "listen-on 10.1.0.95:53"},
			fault{kind: "VIP missing", do: "ip addr del 10.1.0.100/32 dev lo"})...)
	return s
}

// associations is SCTP, which carries signalling in telephone networks.
func associations() site {
	signalling := netip.MustParseAddrPort("10.1.0.100:2905")
	add := "ipvsadm -A --sctp-service 10.1.0.100:2905 -s rr\n" +
		"ipvsadm -a --sctp-service 10.1.0.100:2905 -r 10.1.0.94:2905 -g\nipvsadm -a --sctp-service 10.1.0.100:2905 -r 10.1.0.95:2905 -g\n"
	s := dr("DR, SCTP", vipOnEth0+add, "modprobe sctp\n"+silentAll+vipOnLo, lvs.DRRealServer{})
	s.proto, s.vip = "sctp", signalling
	for i := range s.hosts {
		if s.hosts[i].listen != "" {
			s.hosts[i].listen = signalling.String()
		}
	}
	s.faults = append(more("director",
		fault{kind: "no service", do: "ipvsadm -C"},
		fault{kind: "no service", do: "ipvsadm -C; ipvsadm -A -t 10.1.0.100:2905 -s rr; ipvsadm -a -t 10.1.0.100:2905 -r 10.1.0.94:2905 -g", hidden: "no state shows that SCTP is wanted", doubt: "service"},
		fault{kind: "takes no connections", do: "ipvsadm -e --sctp-service 10.1.0.100:2905 -r 10.1.0.94:2905 -g -w 0; ipvsadm -e --sctp-service 10.1.0.100:2905 -r 10.1.0.95:2905 -g -w 0"}),
		more("rs2",
			fault{kind: "program", do: "stop-program"},
			fault{kind: "program", do: "listen-on 10.1.0.95:2905"},
			fault{kind: "VIP missing", do: "ip addr del 10.1.0.100/32 dev lo"})...)
	return s
}

// persistent keeps clients on their server.
func persistent() site {
	s := dr("DR, persistence", vipOnEth0+drTable("-s rr -p 300"), silentAll+vipOnLo, lvs.DRRealServer{})
	s.faults = []fault{
		{kind: "persistence", on: "director", do: "ipvsadm -e -t 10.1.0.100:80 -r 10.1.0.95:80 -g -w 0\n@rs2 stop-program"},
		{kind: "program", on: "rs2", do: "stop-program"},
		{kind: "persistence", on: "director", do: "ipvsadm -E -t 10.1.0.100:80 -s rr -p 300 -M 0.0.0.0", past: false},
	}
	return s
}

// hashed sends clients by a hash of their address, past servers that accept none.
func hashed(scheduler string) site {
	s := dr("DR by "+scheduler+" with fallback", vipOnEth0+drTable("-s "+scheduler+" -b "+scheduler+"-fallback")+
		"ipvsadm -e -t 10.1.0.100:80 -r 10.1.0.94:80 -g -w 0\n", silentAll+vipOnLo, lvs.DRRealServer{})
	s.answers = []string{"rs2"}
	s.faults = more("director",
		fault{kind: "hash without fallback", do: "ipvsadm -E -t 10.1.0.100:80 -s " + scheduler},
		fault{kind: "takes no connections", do: "ipvsadm -e -t 10.1.0.100:80 -r 10.1.0.95:80 -g -w 0"})
	return s
}

// limited has thresholds that are not reached.
func limited() site {
	limits := "ipvsadm -e -t 10.1.0.100:80 -r 10.1.0.94:80 -g -x 1000 -y 500\nipvsadm -e -t 10.1.0.100:80 -r 10.1.0.95:80 -g -x 1000 -y 500\n"
	s := dr("DR by wlc with thresholds", vipOnEth0+drTable("-s wlc")+limits, silentAll+vipOnLo, lvs.DRRealServer{})
	s.faults = more("director",
		fault{kind: "takes no connections", do: "ipvsadm -e -t 10.1.0.100:80 -r 10.1.0.94:80 -g -x 2 -y 1; ipvsadm -e -t 10.1.0.100:80 -r 10.1.0.95:80 -g -x 2 -y 1"},
		fault{kind: "takes no connections", do: "ipvsadm -d -t 10.1.0.100:80 -r 10.1.0.95:80; ipvsadm -e -t 10.1.0.100:80 -r 10.1.0.94:80 -g -x 3"})
	return s
}
