package main

import (
	"encoding/hex"
	"flag"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/golvs/lvs"
)

type tunDirector struct{ lvs.TunnelDirector }

func (d *tunDirector) Name() string { return addrName(d.VIP) }

func (d *tunDirector) Flags(f *flag.FlagSet) {
	vipFlag(f, &d.VIP)
	interfaceFlag(f, &d.Interface)
	vipDetails(f, &d.Label, &d.Routed)
	marksFlag(f, &d.Marks)
	checksFlag(f, &d.Checks)
	f.Func("server", "the `ADDRESS` of a real server that is reached by -via, may be repeated", func(s string) error {
		a, err := netip.ParseAddr(s)
		d.Servers = append(d.Servers, a)
		return err
	})
	addrFlag(f, &d.Via, "via", "the `ADDRESS` of the router to the real servers of -server")
	ipsecFlag(f, func(t lvs.IPsecTunnel) { d.IPsec = append(d.IPsec, t) }, ", may be repeated")
}

type tunServer struct{ lvs.TunnelRealServer }

func (r *tunServer) Name() string { return addrName(r.VIP) }

func (r *tunServer) Flags(f *flag.FlagSet) {
	vipFlag(f, &r.VIP)
	f.TextVar(&r.Mode, "mode", lvs.DR(), "the `MODE` of the real server in the director's table: ipip, gue:PORT or gre; without the flag for -ipsec")
	addrFlag(f, &r.Local, "local", "the `ADDRESS` of the real server, by which the director knows it")
	f.IntVar(&r.MTU, "mtu", 0, "the MTU of the tunnel's device in `BYTES`; 0 leaves it to the kernel")
	f.IntVar(&r.MSS, "mss", 0, "the largest TCP segment in `BYTES` that clients are asked to send, which needs -gateway and -interface; 0 does not ask")
	addrFlag(f, &r.Gateway, "gateway", "the `ADDRESS` of the router to the clients, for -mss")
	f.StringVar(&r.Interface, "interface", "", "the `INTERFACE` by which answers leave, for -mss")
	f.IntVar(&r.Table, "table", 0, "the `NUMBER` of the routing table for -mss; 0 is 4004")
	ipsecFlag(f, func(t lvs.IPsecTunnel) { r.IPsec = t }, "")
}

// ipsecFlag defines a flag for an encrypted tunnel, which has the same value on both hosts.
func ipsecFlag(f *flag.FlagSet, set func(lvs.IPsecTunnel), usage string) {
	f.Func("ipsec", "an encrypted `TUNNEL` as director=ADDRESS,server=ADDRESS,inner=ADDRESS,spi=NUMBER,key=FILE; the file has 64 hexadecimal digits"+usage, func(s string) error {
		t, err := parseTunnel(s)
		if err == nil {
			set(t)
		}
		return err
	})
}

func parseTunnel(text string) (t lvs.IPsecTunnel, err error) {
	for field := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(field, "=")
		switch name {
		case "director":
			t.Director, err = netip.ParseAddr(value)
		case "server":
			t.Server, err = netip.ParseAddr(value)
		case "inner":
			t.Inner, err = netip.ParseAddr(value)
		case "spi":
			var spi uint64
			spi, err = strconv.ParseUint(value, 10, 32)
			t.SPI = uint32(spi)
		case "mtu":
			t.MTU, err = strconv.Atoi(value)
		case "key":
			t.Key, err = readKey(value)
		default:
			err = fmt.Errorf("want director, server, inner, spi, key, or mtu")
		}
		if err != nil {
			return t, fmt.Errorf("%s: %w", name, err)
		}
	}
	return t, nil
}

// readKey reads a key, which must not be on a command line, where others can read it.
func readKey(path string) (lvs.IPsecKey, error) {
	text, err := readSmall(path)
	if err != nil {
		return lvs.IPsecKey{}, err
	}
	secret, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		return lvs.IPsecKey{}, fmt.Errorf("%s: want %d hexadecimal digits", path, 2*lvs.IPsecKeySize)
	}
	return lvs.NewIPsecKey(secret)
}

// marksFlag defines a flag for packets of services by firewall mark.
func marksFlag(f *flag.FlagSet, marks *[]lvs.PacketMark) {
	f.Func("mark", "give packets to the VIP a firewall `MARK` as 7=tcp:80 or 7=tcp:8000-8099, may be repeated", func(s string) error {
		m, err := parseMark(s)
		*marks = append(*marks, m)
		return err
	})
}

func parseMark(text string) (m lvs.PacketMark, err error) {
	number, what, ok := strings.Cut(text, "=")
	protocol, ports, _ := strings.Cut(what, ":")
	mark, err := strconv.ParseUint(number, 10, 32)
	if err != nil || !ok {
		return m, fmt.Errorf("want a form like 7=tcp:80")
	}
	m.Mark = uint32(mark)
	if err := m.Protocol.UnmarshalText([]byte(protocol)); err != nil {
		return m, err
	}
	first, last, isRange := strings.Cut(ports, "-")
	if m.Ports.First, err = parsePort(first); err != nil || !isRange {
		return m, err
	}
	m.Ports.Last, err = parsePort(last)
	return m, err
}

func parsePort(text string) (uint16, error) {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("%q is not a port", text)
	}
	return uint16(n), nil
}
