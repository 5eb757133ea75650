package main

import (
	"context"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"github.com/golvs/lvs"
)

// connsSite returns a context in which "site" is a simulated director with five
// connections.
func connsSite(t *testing.T) context.Context {
	t.Helper()
	sim, err := lvs.NewSimulator(lvs.SimOptions{})
	if err != nil {
		t.Fatal(err)
	}
	web, dns := lvs.MustParseServiceID("tcp://10.168.0.91:80"), lvs.MustParseServiceID("udp://[2001:db8::91]:53")
	server4, server6 := netip.MustParseAddrPort("10.168.0.94:80"), netip.MustParseAddrPort("[2001:db8::95]:53")
	if err := sim.Client().Do(t.Context(),
		lvs.AddService(lvs.Service{ID: web, Scheduler: lvs.RR}), lvs.AddRealServer(web, lvs.NewRealServer(server4, lvs.DR())),
		lvs.AddService(lvs.Service{ID: dns, Scheduler: lvs.RR}), lvs.AddRealServer(dns, lvs.NewRealServer(server6, lvs.DR()))); err != nil {
		t.Fatal(err)
	}
	for _, client := range []string{"192.0.2.1:40000", "192.0.2.2:40000", "192.0.3.1:40000"} {
		if _, err := sim.Connect(lvs.Flow{Client: netip.MustParseAddrPort(client), VIP: web.AddrPort()}); err != nil {
			t.Fatal(err)
		}
	}
	for _, client := range []string{"[2001:db8:1::1]:40000", "[2001:db8:1::2]:40000"} {
		if _, err := sim.Deliver(lvs.SimPacket{Protocol: lvs.ProtocolUDP, Source: netip.MustParseAddrPort(client), Destination: dns.AddrPort()}); err != nil {
			t.Fatal(err)
		}
	}
	return lvs.WithSimulators(t.Context(), map[string]*lvs.Simulator{"site": sim})
}

func TestConns(t *testing.T) {
	ctx := connsSite(t)
	for _, test := range []struct {
		args, want string
	}{
		{"-client 192.0.2.1", "" +
			"PROTO  CLIENT                 VIP                    SERVER                 STATE        EXPIRES  ENGINE\n" +
			"tcp    192.0.2.1:40000        10.168.0.91:80         10.168.0.94:80         ESTABLISHED  15m0s\n"},
		{"-client 2001:db8:1::1 -origin any", "" +
			"PROTO  CLIENT                 VIP                    SERVER                 STATE        EXPIRES  ORIGIN\n" +
			"udp    [2001:db8:1::1]:40000  [2001:db8::91]:53      [2001:db8::95]:53      UDP          5m0s     LOCAL\n"},
		{"-client 10.0.0.0/8", ""},
		{"-origin sync", ""},
		{"-state udp -client 2001:db8:1::2 -o json", `{"protocol":"udp","client":"[2001:db8:1::2]:40000","vip":"[2001:db8::91]:53","server":"[2001:db8::95]:53","state":"UDP","expires":"5m0s"}` + "\n"},
		{"-count client -bits4 24 -bits6 48", "CONNECTIONS  CLIENT\n          2  192.0.2.0/24\n          2  2001:db8:1::/48\n          1  192.0.3.0/24\n"},
		{"-count client -bits4 24 -top 1", "CONNECTIONS  CLIENT\n          2  192.0.2.0/24\n"},
		{"-count server -service 10.168.0.91:80", "CONNECTIONS  SERVER\n          3  10.168.0.94:80\n"},
		{"-count server -server 2001:db8::95", "CONNECTIONS  SERVER\n          2  [2001:db8::95]:53\n"},
		{"-count server -server [2001:db8::95]:54", "CONNECTIONS  SERVER\n"},
		{"-count state -o json", `{"state":"ESTABLISHED","connections":3}` + "\n" + `{"state":"UDP","connections":2}` + "\n"},
		{"-count state -templates only", "CONNECTIONS  STATE\n"},
	} {
		got := runWith(ctx, "", append([]string{"conns", "-netns", "site"}, strings.Fields(test.args)...)...)
		if got.status != 0 || got.out != test.want || got.errs != "" {
			t.Errorf("%s\nwant\n%s", got, test.want)
		}
	}
}

// -n ends the list, and what is printed as JSON can be read again.
func TestConnsSome(t *testing.T) {
	got := runWith(connsSite(t), "", "conns", "-netns", "site", "-n", "2", "-o", "json")
	lines := json.NewDecoder(strings.NewReader(got.out))
	for range 2 {
		var c lvs.Connection
		if err := lines.Decode(&c); err != nil || !c.Client.IsValid() {
			t.Errorf("%v, %v", c, err)
		}
	}
	if got.status != 0 || lines.More() {
		t.Error(got)
	}
}

func TestConnsRefused(t *testing.T) {
	for args, says := range map[string]string{
		"web":                                   `"web" is one`,
		"-service web":                          `-service "web" is not a service`,
		"-server 10.168.0.94:http":              "-server",
		"-client 10.0.0.0/33":                   "-client",
		"-state ESTABLISHED,OPEN":               `"OPEN" is not a state`,
		"-state UDP -service 10.1.1.1:80":       "States",
		"-client fd00::/8 -service 10.1.1.1:80": "clients of tcp://10.1.1.1:80 are IPv4",
		"-service fwmark://7 -templates no":     "Templates",
		"-templates some":                       "-templates",
		"-origin here":                          "-origin",
		"-count port":                           "-count",
		"-n -1":                                 "-n -1",
		"-count state -n 2":                     "use -top",
		"-top 2":                                "-top needs -count",
		"-bits4 24":                             "need -count client",
		"-count client -bits6 129":              "out of range [0, 128]",
	} {
		got := connsOf(t, args)
		if got.status != 1 || got.out != "" || !strings.Contains(got.errs, says) {
			t.Errorf("%s\nwant %q", got, says)
		}
	}
}

// connsOf runs conns on the site.
func connsOf(t *testing.T, args string) ran {
	t.Helper()
	return runWith(connsSite(t), "", append([]string{"conns", "-netns", "site"}, strings.Fields(args)...)...)
}

func TestConnsDemo(t *testing.T) {
	got := runWith(t.Context(), "", "conns", "-demo", "-count", "state")
	if got.status != 0 || !strings.Contains(got.out, "ESTABLISHED") {
		t.Error(got)
	}
}
