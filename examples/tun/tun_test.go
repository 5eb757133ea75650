package main

import (
	"testing"

	"github.com/golvs/lvs/examples/internal/role/roletest"
)

const silent = `
sysctl -w net.ipv4.conf.all.arp_ignore=1
sysctl -w net.ipv4.conf.all.arp_announce=2
ip addr add 10.168.0.91/32 broadcast 10.168.0.91 dev `

func TestCommands(t *testing.T) {
	roletest.Commands(t, program(), `
ip link set dev lo up
ip addr add 10.168.0.91/32 broadcast 10.168.0.91 dev eth0 label eth0:0
ip route replace 10.168.0.91/32 dev eth0
ipvsadm -A -t 10.168.0.91:80 -s rr
ipvsadm -a -t 10.168.0.91:80 -r 10.168.0.94:80 -i -w 1
ipvsadm -a -t 10.168.0.91:80 -r [2001:db8::95]:80 -i -w 1`, "-servers", "10.168.0.94,2001:db8::95")
	roletest.Commands(t, program(), `
ip link set dev lo up
ip -6 addr add 2001:db8::91/128 dev eth0 preferred_lft 0
ipvsadm -A -t [2001:db8::91]:80 -s rr
ipvsadm -a -t [2001:db8::91]:80 -r 10.168.0.94:80 -i -w 1 --tun-type gue --tun-port 7000 --tun-nocsum
ipvsadm -a -t [2001:db8::91]:80 -r 10.168.0.95:80 -i -w 1 --tun-type gue --tun-port 7000 --tun-nocsum`,
		"-vip", "[2001:db8::91]:80", "-type", "gue", "-port", "7000")
	roletest.Commands(t, program(), `
modprobe ipip
modprobe fou
ip fou add port 6080 gue
ip link set dev tunl0 up
sysctl -w net.ipv4.conf.tunl0.rp_filter=2
sysctl -w net.ipv4.conf.tunl0.arp_ignore=1
sysctl -w net.ipv4.conf.tunl0.arp_announce=2`+silent+`tunl0
ip route replace default via 10.168.0.1 dev eth0 table 4004 advmss 1400
ip rule add from 10.168.0.91/32 lookup 4004 priority 4004`,
		"-role", "realserver", "-type", "gue", "-mss", "1400", "-gateway", "10.168.0.1")
	roletest.Commands(t, program(), `
modprobe ip_gre
ip link set dev gre0 up
sysctl -w net.ipv4.conf.gre0.rp_filter=2
sysctl -w net.ipv4.conf.gre0.arp_ignore=1
sysctl -w net.ipv4.conf.gre0.arp_announce=2`+silent+`gre0`, "-role", "realserver", "-type", "gre")
}

func TestRefused(t *testing.T) {
	for why, args := range map[string][]string{
		"ipip, gue or gre": {"-type", "vxlan"},
		"not a UDP port":   {"-type", "gue", "-port", "65536", "-role", "realserver"},
		"-local":           {"-servers", "2001:db8::94", "-role", "realserver"},
		"Gateway":          {"-mss", "1400", "-role", "realserver"},
		"MSS":              {"-mss", "1", "-role", "realserver"},
	} {
		roletest.Refused(t, program(), why, args...)
	}
}

func TestOnSimulator(t *testing.T) {
	for _, args := range [][]string{
		nil, {"-type", "gue"}, {"-role", "realserver"}, {"-role", "realserver", "-type", "gue"},
		{"-role", "realserver", "-type", "gre", "-vip", "[2001:db8::91]:80"},
		{"-role", "realserver", "-servers", "2001:db8::94", "-local", "2001:db8::90"},
	} {
		_, host := roletest.Simulated(t, "ipip", "fou", "ip_gre", "ip6_tunnel")
		roletest.Cycle(t, program(), host, args...)
	}
}
