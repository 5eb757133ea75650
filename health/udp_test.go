package health

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestUDP(t *testing.T) {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() {
		b := make([]byte, 1<<16)
		for {
			n, from, err := server.ReadFrom(b)
			if err != nil {
				return
			}
			if string(b[:n]) != "silence" {
				_, _ = server.WriteTo(append([]byte("you said "), b[:n]...), from)
			}
		}
	}()
	addr := netip.MustParseAddrPort(server.LocalAddr().String())
	closed, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := netip.MustParseAddrPort(closed.LocalAddr().String())
	closed.Close()
	for _, c := range []struct {
		name  string
		probe UDP
		to    netip.AddrPort
		err   string
	}{
		{"any answer", UDP{Send: "hello"}, addr, ""},
		{"an empty datagram", UDP{}, addr, ""},
		{"the expected answer", UDP{Send: "hello", Expect: "you said h"}, addr, ""},
		{"another answer", UDP{Send: "hello", Expect: "bye"}, addr, `begins with "you said hello", not with "bye"`},
		{"a text in it", UDP{Send: "hello", Contains: "said h"}, addr, ""},
		{"another text", UDP{Send: "hello", Expect: "you", Contains: "bye"}, addr, `the answer does not contain "bye"; it has 14 bytes: "you said hello"`},
		{"a pattern", UDP{Send: "hello", Matches: "^you .*o$"}, addr, ""},
		{"another pattern", UDP{Send: "hello", Matches: "^bye"}, addr, `the answer does not match "^bye"; it has 14 bytes: "you said hello"`},
		{"a text at the end of a long answer", UDP{Send: strings.Repeat("x", 60_000) + "end", Contains: "xend", Matches: "end$"}, addr, ""},
		{"bytes in it", UDP{Hex: true, Send: "00ff", Contains: "2000ff"}, addr, ""},
		{"bytes", UDP{Hex: true, Send: "00ff", Expect: "796f75207361696420" + "00FF"}, addr, ""},
		{"other bytes", UDP{Hex: true, Send: "00ff", Expect: "796f75207361696420" + "00fe"}, addr, `with 796f7520736169642000ff, not with 79`},
		{"a long answer", UDP{Send: strings.Repeat("x", 60_000), Expect: "you said x"}, addr, ""},
		{"on another port", UDP{Port: addr.Port()}, netip.AddrPortFrom(addr.Addr(), 1), ""},
		{"no answer", UDP{Send: "silence"}, addr, "deadline exceeded"},
		{"silence is enough", UDP{Send: "silence", Silence: 50 * time.Millisecond}, addr, ""},
		{"closed", UDP{Silence: 500 * time.Millisecond}, nobody, "connection refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.probe.validate(); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), patienceFor(c.err))
			defer cancel()
			_, err := c.probe.Probe(ctx, Target{Server: c.to, Addr: c.to})
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v, want %q", err, c.err)
			}
		})
	}
}

func TestUDPValidate(t *testing.T) {
	for field, p := range map[string]UDP{
		"Send":     {Hex: true, Send: "0"},
		"Expect":   {Hex: true, Expect: "xy"},
		"Contains": {Hex: true, Contains: "0"},
		"Matches":  {Matches: "("},
		"Silence":  {Matches: "x", Silence: time.Second},
	} {
		var invalid *InvalidError
		if err := p.validate(); !errors.As(err, &invalid) || invalid.Field != field {
			t.Errorf("%+v: %v, want an error of %s", p, err, field)
		}
	}
	for _, p := range []UDP{{Send: "\xff"}, {Contains: "\xff"}, {Expect: "x", Silence: 1}, {Contains: "x", Silence: 1}, {Send: strings.Repeat("x", mostDatagram+1)}, {Silence: -1}} {
		if p.validate() == nil {
			t.Errorf("%.20q, %s: no error", p.Send, p.Silence)
		}
	}
}

// A check whose timeout ends before the silence would always fail.
func TestUDPSilence(t *testing.T) {
	second := UDP{Silence: time.Second}
	for _, c := range []struct {
		probe   Probe
		timeout time.Duration
		good    bool
	}{
		{second, 0, false}, {second, time.Second, false}, {second, 2 * time.Second, true}, {UDP{Silence: 900 * time.Millisecond}, 0, true},
		{&second, 0, false}, {All{TCP{}, second}, 0, false}, {Any{TCP{}, second}, 0, true}, {At{Addr: rip(1).Addr(), Ask: second}, 0, false},
		{From{Addr: rip(1).Addr(), Ask: second}, 0, false},
	} {
		err := Check{Probe: c.probe, Timeout: c.timeout}.validate()
		if (err == nil) != c.good {
			t.Errorf("%+v, timeout %s: %v", c.probe, c.timeout, err)
		}
	}
}

// patienceFor returns how long a probe may take that ends with an error: short if that is
// the deadline, and long enough for a busy machine otherwise.
func patienceFor(err string) time.Duration {
	if strings.Contains(err, "deadline") {
		return 500 * time.Millisecond
	}
	return 30 * time.Second
}
