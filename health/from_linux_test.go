package health

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"
)

// sourceServer starts a server that tells each client where it comes from.
func sourceServer(t *testing.T) Target {
	return on(t, func(c net.Conn) { fmt.Fprintf(c, "you are %s\n", c.RemoteAddr()) })
}

func TestFrom(t *testing.T) {
	target := sourceServer(t)
	other := sourceServer(t)
	addr := netip.MustParseAddr("127.0.0.9")
	port := freePort(t)
	ask := func(expect string) TCP { return TCP{Expect: expect} }
	for name, p := range map[string]From{
		"an address":          {Addr: addr, Ask: ask("you are 127.0.0.9:")},
		"an address and port": {Addr: addr, Port: uint16(port), Ask: ask(fmt.Sprintf("you are 127.0.0.9:%d\n", port))},
		"a port":              {Port: uint16(port), Ask: ask(fmt.Sprintf("you are 127.0.0.1:%d\n", port))},
		"an interface":        {Interface: "lo", Ask: ask("you are 127.0.0.1:")},
	} {
		if err := p.validate(); err != nil {
			t.Fatal(err)
		}
		for range 3 { // a fixed port is free again at once
			for _, to := range []Target{target, other} {
				if _, err := p.Probe(seconds(t, 10*time.Second), to); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
	}
}

// freePort returns a port that is not in use, and that the kernel does not choose itself.
func freePort(t *testing.T) int {
	t.Helper()
	for port := 20000 + rand.IntN(10000); port < 32768; port++ {
		if l, err := net.Listen("tcp", fmt.Sprintf(":%d", port)); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

func TestFromFails(t *testing.T) {
	target := sourceServer(t)
	away := From{Addr: netip.MustParseAddr("192.0.2.77"), Ask: TCP{}}
	if _, err := away.Probe(seconds(t, 10*time.Second), target); !errors.Is(err, syscall.EADDRNOTAVAIL) || !strings.Contains(err.Error(), "192.0.2.77 is not an address of this host") {
		t.Errorf("an address of another host: %v", err)
	}
	if _, err := (From{Interface: "none", Ask: TCP{}}).Probe(seconds(t, 10*time.Second), target); !errors.Is(err, syscall.ENODEV) && !errors.Is(err, syscall.EPERM) {
		t.Errorf("an interface that does not exist: %v", err)
	}
	target.Network = &net.Dialer{}
	if _, err := away.Probe(seconds(t, 10*time.Second), target); err == nil || !strings.Contains(err.Error(), "not in a *net.Dialer") {
		t.Errorf("another network: %v", err)
	}
}

func TestFromValues(t *testing.T) {
	addr := netip.MustParseAddr("10.2.0.9")
	p := From{Addr: addr, Port: 9, Interface: "eth1", Mark: 3, Ask: TCP{Port: 8}}
	if got := p.String(); got != "tcp :8 from 10.2.0.9 port 9 eth1 mark 3" {
		t.Error(got)
	}
	if got := (From{Mark: 3, Ask: TCP{}}).String(); got != "tcp from mark 3" {
		t.Error(got)
	}
	text, err := MarshalProbe(p)
	if string(text) != `{"from":{"addr":"10.2.0.9","port":9,"interface":"eth1","mark":3,"ask":{"tcp":{"port":8}}}}` || err != nil {
		t.Errorf("%s, %v", text, err)
	}
	if read, err := UnmarshalProbe(text); read != p || err != nil {
		t.Errorf("%v, %v", read, err)
	}
	for field, bad := range map[string]From{
		"Ask": {Addr: addr}, "Addr": {Ask: TCP{}}, "Interface": {Interface: "a b", Ask: TCP{}}, "Ask.HTTP.Path": {Mark: 1, Ask: HTTP{Path: "x"}},
	} {
		checkField(t, bad.validate(), field)
	}
	checkField(t, From{Addr: netip.IPv6Unspecified(), Ask: TCP{}}.validate(), "Addr")
}
