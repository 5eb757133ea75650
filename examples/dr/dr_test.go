package main

import (
	"testing"

	"github.com/golvs/lvs/examples/internal/role/roletest"
)

func TestCommands(t *testing.T) {
	roletest.Commands(t, program(), `
sysctl -w net.ipv4.ip_forward=1
ip link set dev lo up
ip addr add 10.168.0.91/32 broadcast 10.168.0.91 dev eth0 label eth0:0
ip route replace 10.168.0.91/32 dev eth0
ipvsadm -A -t 10.168.0.91:80 -s rr
ipvsadm -a -t 10.168.0.91:80 -r 10.168.0.94:80 -g -w 1
ipvsadm -a -t 10.168.0.91:80 -r 10.168.0.95:80 -g -w 1`)
	roletest.Commands(t, program(), `
ip link set dev lo up
sysctl -w net.ipv4.conf.lo.arp_ignore=1
sysctl -w net.ipv4.conf.lo.arp_announce=2
sysctl -w net.ipv4.conf.all.arp_ignore=1
sysctl -w net.ipv4.conf.all.arp_announce=2
ip addr add 10.168.0.91/32 broadcast 10.168.0.91 dev lo label lo:0
ip route replace 10.168.0.91/32 dev lo`, "-role", "realserver")
	roletest.Commands(t, program(), `
ip link set dev lo up
ip -6 addr add 2001:db8::91/128 dev lan preferred_lft 0
ipvsadm -A -t [2001:db8::91]:443 -s wrr -p 60
ipvsadm -a -t [2001:db8::91]:443 -r [2001:db8::94]:443 -g -w 1
ipvsadm -a -t [2001:db8::91]:443 -r [2001:db8::95]:443 -g -w 1`,
		"-vip", "[2001:db8::91]:443", "-servers", "2001:db8::94,[2001:db8::95]:443", "-interface", "lan",
		"-scheduler", "wrr", "-persistent", "1m", "-forward=false")
}

func TestRefused(t *testing.T) {
	for why, args := range map[string][]string{
		"there are only flags":    {"director"},
		"not \"client\"":          {"-role", "client"},
		"mutually exclusive":      {"-check", "-undo"},
		"not defined":             {"-vips", "10.168.0.91"},
		"not an ip:port":          {"-vip", "10.168.0.91"},
		"unable to parse IP":      {"-servers", "10.168.0.94,"},
		"must be reached through": {"-vip", "[2001:db8::91]:80"},
		"port":                    {"-servers", "10.168.0.94:8080"},
		"scheduler":               {"-scheduler", "best"},
		"Interface":               {"-interface", "../all"},
		"Persistence":             {"-persistent", "1ms"},
	} {
		roletest.Refused(t, program(), why, args...)
	}
}

func TestOnSimulator(t *testing.T) {
	for _, args := range [][]string{
		nil, {"-role", "realserver"},
		{"-vip", "[2001:db8::91]:80", "-servers", "2001:db8::94,2001:db8::95"},
		{"-vip", "[2001:db8::91]:80", "-role", "realserver"},
	} {
		_, host := roletest.Simulated(t)
		roletest.Cycle(t, program(), host, args...)
	}
}
