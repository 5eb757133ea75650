package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/term"
)

func TestExplain(t *testing.T) {
	ctx := balancing(t)
	expect(t, runWith(ctx, "", "explain", "192.168.0.7", "10.168.0.91:80"), 2, "is not an address of the director")
	expect(t, runWith(ctx, "", "setup", "dr-director", "-vip", "10.168.0.91", "-interface", "eth0", "-plan", t.TempDir()+"/p", "apply"), 2, "")
	for _, test := range []struct {
		args   string
		status int
		want   string
	}{
		{"192.168.0.7 10.168.0.91:80", 0, "tcp 192.168.0.7:40000 -> 10.168.0.91:80\n  forwarded to 10.168.0.94:80 by dr: the scheduler picked it\n"},
		{"192.168.0.7:999 10.168.0.91", 0, "tcp 192.168.0.7:999 -> 10.168.0.91:80\n"},
		{"192.168.0.7 tcp://10.168.0.91:80", 0, "tcp 192.168.0.7:40000 -> 10.168.0.91:80\n"},
		{"192.168.0.7 udp://10.168.0.91:80", 2, "udp 192.168.0.7:40000 -> 10.168.0.91:80\n"},
		{"-protocol udp 192.168.0.7 10.168.0.91:80", 2, "udp 192.168.0.7:40000 -> 10.168.0.91:80\n"},
		{"-icmp 3/4 192.168.0.7 10.168.0.91:80", 2, "ICMP error 3/4 from the client's side, about tcp 192.168.0.7:40000 -> 10.168.0.91:80\n  passed on: it belongs to no"},
		{"-icmp 11/0 -icmp-from server 192.168.0.7 10.168.0.91:80", 2, "ICMP error 11/0 from the server's side, about tcp"},
	} {
		got := runWith(ctx, "", append([]string{"explain"}, strings.Fields(test.args)...)...)
		if got.status != test.status || !strings.HasPrefix(got.out, test.want) {
			t.Errorf("want status %d and\n%s\n%s", test.status, test.want, got)
		}
	}
	got := runWith(ctx, "", "explain", "-o", "json", "192.168.0.7", "10.168.0.91:80")
	var x lvs.Explanation
	if err := json.Unmarshal([]byte(got.out), &x); err != nil || got.status != 0 || !x.Certain {
		t.Errorf("%v: %s", err, got)
	}
}

func TestExplainRefused(t *testing.T) {
	ctx := balancing(t)
	for why, args := range map[string]string{
		"CLIENT is missing":                   "",
		"VIP is missing":                      "10.0.0.1",
		`"client" is not a client`:            "client 10.168.0.91:80",
		`"vip" is not a service; there are`:   "192.168.0.7 vip",
		"any address and port will do":        "192.168.0.7 10.168.0.92",
		"give the address and port":           "192.168.0.7 fwmark://7",
		"does not have the address family":    "2001:db8::7 10.168.0.91:80",
		"is not a type and a code":            "192.168.0.7 10.168.0.91:80 -icmp 3",
		"-icmp-from is for errors":            "192.168.0.7 10.168.0.91:80 -icmp-from server",
		"the flag -icmp-from cannot be":       "192.168.0.7 10.168.0.91:80 -icmp 3/4 -icmp-from router",
		"no port 0":                           "192.168.0.7:0 10.168.0.91:80",
		"has more than 32 bits":               "192.168.0.7 10.168.0.91:80 -fwmark 4294967296",
		"the flag -protocol cannot be \"ip\"": "192.168.0.7 10.168.0.91:80 -protocol ip",
		"the flag -o cannot be \"yaml\"":      "192.168.0.7 10.168.0.91:80 -o yaml",
	} {
		expect(t, runWith(ctx, "", append([]string{"explain"}, strings.Fields(args)...)...), 1, why)
	}
}

// Text fits the terminal, and commands stay whole.
func TestProseWidth(t *testing.T) {
	report := lvs.Report{Host: "director", Findings: []lvs.Finding{{
		Code: lvs.FindingVIPMissing, Severity: lvs.SeverityBroken, Detail: strings.Repeat("much is wrong ", 20),
		Why: lvs.FindingVIPMissing.Why(), Advice: "look", Commands: []string{"ip " + strings.Repeat("x", 200)},
	}}}
	for _, width := range []int{80, 120} {
		p := &prose{out: term.Output{Width: width, Style: term.Coloured}}
		p.report(report, lvs.SeverityUnknown, 0)
		if !strings.Contains(p.b.String(), "\x1b[1;31mbroken\x1b[0m") {
			t.Errorf("no colour in %q", p.b.String())
		}
		p = &prose{out: term.Output{Width: width}}
		p.report(report, lvs.SeverityUnknown, 0)
		for line := range strings.Lines(p.b.String()) {
			if term.Width(strings.TrimSpace(line)) > width && !strings.HasPrefix(line, "  run     ip x") {
				t.Errorf("wider than %d: %q", width, line)
			}
		}
	}
}
