package main

import (
	"context"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"github.com/golvs/lvs"
)

// balancing returns the site with one service, whose VIP the director has not yet.
func balancing(t *testing.T) context.Context {
	t.Helper()
	ctx, sim := site(t)
	web := lvs.TCP(netip.MustParseAddrPort("10.168.0.91:80"))
	sim.LoadModule("ip_vs_rr")
	err := sim.Client().Do(ctx,
		lvs.AddService(lvs.Service{ID: web, Scheduler: lvs.RR}),
		lvs.AddRealServer(web, lvs.NewRealServer(netip.MustParseAddrPort("10.168.0.94:80"), lvs.DR())))
	if err != nil {
		t.Fatal(err)
	}
	return ctx
}

// The exit status is by the worst finding, of those that -severity shows.
func TestCheck(t *testing.T) {
	ctx := balancing(t)
	got := runWith(ctx, "", "check", "-setups", "")
	const want = `10.168.0.90: 1 broken

broken  vip-missing
  tcp://10.168.0.91:80: 10.168.0.91 is not an address of the host
  why     IPVS, and the program of a real server, see only packets that are delivered to their host
  fix     ip addr add 10.168.0.91/32 broadcast 10.168.0.91 dev eth0

Not checked:
`
	if got.status != 3 || !strings.HasPrefix(got.out, want) {
		t.Errorf("want status 3 and\n%s\n%s", want, got)
	}
	expect(t, runWith(ctx, "", "check", "-setups", "", "-severity", "broken"), 3, "things could not be checked; -severity unknown lists them")
	director := []string{"setup", "dr-director", "-vip", "10.168.0.91", "-interface", "eth0", "-plan", t.TempDir() + "/plan"}
	expect(t, runWith(ctx, "", append(director, "apply")...), 2, "")
	expect(t, runWith(ctx, "", "check", "-setups", ""), 0, "nothing wrong was found in what could be checked")
	expect(t, runWith(ctx, "", append(director, "check")...), 0, "Not checked:")
}

// A real server is checked by the set-up that was saved.
func TestCheckRealServer(t *testing.T) {
	ctx, sim := site(t)
	folder := t.TempDir()
	expect(t, runWith(ctx, "", "setup", "dr-server", "-vip", "10.168.0.91", "-plan", folder+"/plan.json", "apply"), 2, "")
	expect(t, runWith(ctx, "", "check", "-setups", folder), 0, "nothing wrong")
	host := sim.Host()
	defer host.Close()
	if err := host.SetSysctl(t.Context(), "net.ipv4.conf.all.arp_announce", "0"); err != nil {
		t.Fatal(err)
	}
	if err := host.SetSysctl(t.Context(), "net.ipv4.conf.lo.arp_announce", "0"); err != nil {
		t.Fatal(err)
	}
	expect(t, runWith(ctx, "", "check", "-setups", folder), 2, "arp-flux")
	expect(t, runWith(ctx, "", "check", "-setups", folder, "-severity", "broken"), 0, "nothing is broken")
}

func TestCheckPeers(t *testing.T) {
	ctx := balancing(t)
	state := runWith(ctx, "", "check", "-state")
	var read lvs.HostState
	if err := json.Unmarshal([]byte(state.out), &read); state.status != 0 || err != nil {
		t.Fatalf("%v: %s", err, state)
	}
	expect(t, runWith(ctx, "", "check", "-setups", "", "-peer", write(t, state.out)), 3, "vip-missing")
	expect(t, runWith(ctx, "", "check", "-peer", "/nowhere"), 1, "no such file")
	expect(t, runWith(ctx, "", "check", "-peer", write(t, "{}")), 1, "'lvs check -state' on that host writes it")
}

func TestCheckJSON(t *testing.T) {
	got := runWith(balancing(t), "", "check", "-setups", "", "-o", "json", "-severity", "risk")
	var report lvs.Report
	if err := json.Unmarshal([]byte(got.out), &report); err != nil || got.status != 3 || len(report.Findings) != 1 || len(report.Unchecked) != 0 {
		t.Errorf("%v: %s", err, got)
	}
}

func TestCheckRefused(t *testing.T) {
	for why, args := range map[string][]string{
		"want text or json":          {"check", "-o", "yaml"},
		"want unknown, risk, or":     {"check", "-severity", "bad"},
		"is one argument too many":   {"check", "director"},
		"-netns":                     {"check", "-netns"},
		"does not exist":             {"check", "-netns", "nowhere"},
		"what other set-ups need is": {"check", "-demo", "-setups", strings.TrimSuffix(write(t, `{"setup": "x", "plan": {}, "version": 3}`), "/file.json")},
	} {
		expect(t, runWith(noHost(t), "", args...), 1, why)
	}
}
