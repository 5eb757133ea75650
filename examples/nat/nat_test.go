package main

import (
	"testing"

	"github.com/golvs/lvs/examples/internal/role/roletest"
)

func TestCommands(t *testing.T) {
	const forwarding = `
ip link set dev lo up
sysctl -w net.ipv4.ip_forward=1
sysctl -w net.ipv4.conf.all.send_redirects=0
sysctl -w net.ipv4.conf.default.send_redirects=0
sysctl -w net.ipv4.conf.eth1.send_redirects=0
sysctl -w net.ipv4.conf.eth0.send_redirects=0
ip addr add 192.168.0.11/32 dev eth1`
	const table = `
ipvsadm -A -t 192.168.0.11:80 -s lc -p 300
ipvsadm -a -t 192.168.0.11:80 -r 10.168.0.94:80 -m -w 1
ipvsadm -a -t 192.168.0.11:80 -r 10.168.0.95:80 -m -w 1`
	roletest.Commands(t, program(), forwarding+`
nft 'table ip lvs_nat_from_10_168_0_0_24 { chain postrouting { type nat hook postrouting priority 100; ip saddr 10.168.0.0/24 masquerade; }; }'`+table)
	roletest.Commands(t, program(), forwarding+`
sysctl -w net.ipv4.vs.conntrack=1
nft 'table ip lvs_nat_to_10_168_0_0_24_vip_192_168_0_11 { chain postrouting { type nat hook postrouting priority 100; ip daddr 10.168.0.0/24 ct original ip daddr 192.168.0.11 masquerade; }; }'`+table,
		"-masquerade=false", "-fullnat")
	roletest.Commands(t, program(), `
ip route replace default via 10.168.0.90`, "-role", "realserver")
}

func TestRefused(t *testing.T) {
	for why, args := range map[string][]string{
		"needs nothing":                {"-role", "realserver", "-fullnat"},
		"is an address, not a network": {"-network", "10.168.0.90/24"},
		"not of the family":            {"-vip", "[2001:db8::11]:80", "-servers", "2001:db8::94"},
		"Inside":                       {"-inside", "a/b"},
	} {
		roletest.Refused(t, program(), why, args...)
	}
}

func TestOnSimulator(t *testing.T) {
	for _, args := range [][]string{
		nil, {"-fullnat", "-masquerade=false"}, {"-role", "realserver"},
		{"-vip", "[2001:db8::91]:80", "-servers", "2001:db8::94", "-interface", "eth0", "-network", "2001:db8::/64"},
	} {
		_, host := roletest.Simulated(t)
		roletest.Cycle(t, program(), host, args...)
	}
}
