package clinic

import (
	"github.com/golvs/lvs"
)

// sitesOfFirewalls returns sites with firewalls that let the service through, as guides
// write them, for the kernels that have the programs.
func sitesOfFirewalls() []site {
	const legacy = "iptables-legacy -P INPUT DROP\niptables-legacy -A INPUT -i lo -j ACCEPT\niptables-legacy -A INPUT -p icmp -j ACCEPT\n" +
		"iptables-legacy -A INPUT -p tcp --dport 80 -j ACCEPT\niptables-legacy -A INPUT -m state --state ESTABLISHED,RELATED -j ACCEPT\n"
	const ruleset = "nft -f - <<.\ntable inet filter {\n chain input {\n  type filter hook input priority 0; policy drop;\n" +
		"  iif lo accept\n  meta l4proto { icmp, ipv6-icmp } accept\n  tcp dport 80 accept\n  ct state established,related accept\n }\n" +
		" chain output {\n  type filter hook output priority 0; policy accept;\n }\n}\n.\n"
	return []site{
		behind("iptables", legacy, legacyFaults()), behind("nft", ruleset, nftFaults()), fullNAT("iptables"), fullNAT("nft"),
	}
}

// behind is DR with a firewall on director and real servers.
func behind(program, rules string, faults []fault) site {
	s := dr("DR behind a firewall of "+program, rules+vipOnEth0+drTable("-s rr"), rules+silentAll+vipOnLo, lvs.DRRealServer{})
	s.needs, s.faults = program, faults
	return s
}

// firewall returns the faults of firewalls on the director and on a real server.
func firewall(director, server []string) (all []fault) {
	add := func(on string, commands []string) {
		for _, command := range commands {
			all = append(all, fault{kind: "firewall", on: on, do: command, doubt: "firewall"})
		}
	}
	add("director", director)
	add("rs2", server)
	return all
}

func legacyFaults() []fault {
	return firewall([]string{
		"iptables-legacy -D INPUT -p tcp --dport 80 -j ACCEPT",
		"iptables-legacy -I INPUT -s 10.2.0.0/24 -j DROP",
		"iptables-legacy -I INPUT -p tcp --dport 80 -j REJECT",
		"iptables-legacy -I INPUT -p tcp --syn --dport 80 -m limit --limit 1/min --limit-burst 3 -j ACCEPT; iptables-legacy -I INPUT 2 -p tcp --syn -j DROP",
		"iptables-legacy -I INPUT -p tcp ! --syn -m state --state NEW -j DROP",
		"iptables-legacy -A OUTPUT -d 10.1.0.94 -p tcp -j DROP",
		"iptables-legacy -A OUTPUT -d 10.1.0.100 -j DROP",
		"iptables-legacy -P OUTPUT DROP",
		"iptables-legacy -t raw -A PREROUTING -p tcp --dport 80 -j DROP",
		"iptables-legacy -t mangle -A PREROUTING -d 10.1.0.100 -j DROP",
		"iptables-legacy -t mangle -A POSTROUTING -d 10.1.0.100 -j DROP",
		"iptables-legacy -t nat -A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 8080",
		"iptables-legacy -t nat -A PREROUTING -d 10.1.0.100 -p tcp -j DNAT --to-destination 10.1.0.94",
	}, []string{
		"iptables-legacy -D INPUT -p tcp --dport 80 -j ACCEPT",
		"iptables-legacy -I INPUT -d 10.1.0.100 -j DROP",
		"iptables-legacy -A OUTPUT -s 10.1.0.100 -j DROP",
		"iptables-legacy -t raw -A PREROUTING -d 10.1.0.100 -j DROP",
		"iptables-legacy -t nat -A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 8080",
		"iptables-legacy -t nat -A POSTROUTING -s 10.1.0.100 -j MASQUERADE",
	})
}

func nftFaults() []fault {
	one := func(family, hook, kind, rule string) string {
		return "nft 'table " + family + " more { chain c { type " + kind + " hook " + hook + " priority -150; " + rule + "; }; }'"
	}
	return firewall([]string{
		"nft flush chain inet filter input",
		one("ip", "input", "filter", "ip saddr 10.2.0.0/24 drop"),
		one("ip", "input", "filter", "tcp dport 80 reject"),
		one("ip", "output", "filter", "ip daddr 10.1.0.94 drop"),
		one("ip", "prerouting", "filter", "tcp dport 80 drop"),
		one("ip", "prerouting", "nat", "tcp dport 80 redirect to :8080"),
		"nft 'table netdev more { chain c { type filter hook ingress device eth0 priority 0; ip daddr 10.1.0.100 drop; }; }'",
		"nft 'table arp more { chain c { type filter hook input priority 0; drop; }; }'",
	}, []string{
		"nft flush chain inet filter input",
		one("ip", "input", "filter", "ip daddr 10.1.0.100 drop"),
		one("ip", "output", "filter", "ip saddr 10.1.0.100 drop"),
	})
}
