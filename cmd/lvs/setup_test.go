package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/golvs/lvs"
)

func write(t *testing.T, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "file.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// expect runs the program and checks its status, and that it says a text.
func expect(t *testing.T, got ran, status int, says string) {
	t.Helper()
	if got.status != status || !strings.Contains(got.out+got.errs, says) {
		t.Errorf("want status %d and %q: %s", status, says, got)
	}
}

// Bad input is refused before the host is opened.
func TestSetupRefused(t *testing.T) {
	for why, args := range map[string]string{
		"VIP: needs an address":          "dr-director -interface eth0",
		"'lvs help setup dr-director'":   "dr-director -interface eth0",
		"Interface: needs the name":      "dr-director -vip 10.168.0.91",
		"not a valid interface name":     "dr-director -vip 10.168.0.91 -interface ../all",
		"IPv4 address too short":         "dr-server -vip 10.168",
		"is an address, not a network":   "nat-director -vip 10.168.0.91 -interface eth0 -network 10.168.0.90/24 -masquerade",
		"is not of the family":           "nat-director -vip 2001:db8::11 -interface eth0 -network 10.168.0.0/24",
		"is the network of the director": "nat-server -director 10.168.0.90 -clients 10.168.0.0/24",
		"is not a tunnel":                "tun-server -vip 10.168.0.91 -mode dr -local 10.168.0.94",
		"want dr, nat, ipip, gue:PORT":   "tun-server -vip 10.168.0.91 -mode vxlan",
		"Gateway":                        "tun-server -vip 10.168.0.91 -mode ipip -local 10.168.0.94 -mss 1400",
		"MSS":                            "tun-server -vip 10.168.0.91 -mode ipip -local 10.168.0.94 -mss 1",
		"want a form like 7=tcp:80":      "dr-director -vip 10.168.0.91 -interface eth0 -mark web",
		`"http" is not a port`:           "dr-director -vip 10.168.0.91 -interface eth0 -mark 7=tcp:http",
		"want director, server, inner":   "tun-director -vip 10.168.0.91 -interface eth0 -ipsec client=10.0.0.1",
		"no such file":                   "tun-director -vip 10.168.0.91 -interface eth0 -ipsec key=/nowhere",
		"IPsec.Key":                      "tun-director -vip 10.168.0.91 -interface eth0 -ipsec director=10.168.0.90,server=10.168.0.94,inner=10.99.0.94,spi=256",
		"want plan, apply, check, or":    "dr-server -vip 10.168.0.91 remove",
		"is not a flag of this command":  "dr-server -vip 10.168.0.91 -inside eth0",
		"is not a command":               "dr -vip 10.168.0.91",
		"the address is missing":         "dr-server undo",
		"a network namespace without a":  "dr-server -vip 10.168.0.91 -netns /proc/1/ns/net apply",
	} {
		expect(t, runWith(noHost(t), "", append([]string{"setup"}, strings.Fields(args)...)...), 1, why)
	}
}

// What is wrong with the host is said, and nothing is changed or saved.
func TestSetupOfHostRefused(t *testing.T) {
	ctx, _ := site(t)
	for why, args := range map[string]string{
		"the host has no interface eth7": "dr-director -vip 10.168.0.91 -interface eth7 apply",
		"is in no network of eth0":       "dr-director -vip 10.9.9.9 -interface eth0 apply",
		"does not exist":                 "dr-server -vip 10.168.0.91 -netns nowhere plan",
	} {
		plan := filepath.Join(t.TempDir(), "plan")
		expect(t, runWith(ctx, "", append([]string{"setup"}, append(strings.Fields(args), "-plan", plan)...)...), 1, why)
		if _, err := os.Stat(plan); err == nil {
			t.Errorf("%s: a plan was saved", args)
		}
	}
}

// A failure undoes what was done, and leaves no plan.
func TestSetupFails(t *testing.T) {
	for _, resource := range []lvs.Resource{lvs.Address{}, lvs.Route{}} {
		ctx, sim := site(t)
		plan := filepath.Join(t.TempDir(), "plan")
		args := []string{"setup", "dr-director", "-vip", "10.168.0.91", "-interface", "eth0", "-forward", "-plan", plan}
		before := runWith(ctx, "", args...).out
		if err := sim.InjectHost(lvs.SimHostFault{Resource: resource, Errno: lvs.EPERM}); err != nil {
			t.Fatal(err)
		}
		expect(t, runWith(ctx, "", append(args, "apply")...), 1, "operation not permitted")
		if after := runWith(ctx, "", args...).out; after != before {
			t.Errorf("after a failure of a %T:\n%s\nbefore:\n%s", resource, after, before)
		}
		if _, err := os.Stat(plan); err == nil {
			t.Error("the plan is there")
		}
		expect(t, runWith(ctx, "", append(args, "apply")...), 2, "# applied")
	}
}

// A plan that was saved before nothing or some of it was done is finished by the next run.
func TestSetupInterrupted(t *testing.T) {
	ctx, _ := site(t)
	folder := t.TempDir()
	plan, old := filepath.Join(folder, "plan"), filepath.Join(folder, "old")
	args := []string{"setup", "dr-server", "-vip", "10.168.0.91", "-plan"}
	expect(t, runWith(ctx, "", append(args, plan, "apply")...), 2, "")
	if err := os.Link(plan, old); err != nil {
		t.Fatal(err)
	}
	expect(t, runWith(ctx, "", append(args, plan, "undo")...), 2, "")
	host, err := lvs.OpenHost(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := host.SetSysctl(ctx, "net.ipv4.conf.lo.arp_ignore", "1"); err != nil { // as the plan would
		t.Fatal(err)
	}
	expect(t, runWith(ctx, "", append(args, old, "apply")...), 2, "# applied")
	expect(t, runWith(ctx, "", append(args, old, "undo")...), 2, "# undone")
	if v, err := host.Sysctl(ctx, "net.ipv4.conf.lo.arp_ignore"); v != "0" {
		t.Errorf("arp_ignore is %s: %v", v, err)
	}
}

// A plan of another set-up, version or host is refused, and stays.
func TestSetupOtherPlans(t *testing.T) {
	ctx, _ := site(t)
	plan := filepath.Join(t.TempDir(), "plan")
	args := []string{"setup", "dr-server", "-vip", "10.168.0.91", "-plan", plan}
	expect(t, runWith(ctx, "", append(args, "apply")...), 2, "")
	expect(t, runWith(ctx, "", "setup", "dr-server", "-vip", "10.168.0.92", "-plan", plan, "apply"), 1, "another set-up")
	expect(t, runWith(ctx, "", "setup", "tun-server", "-plan", plan, "undo"), 1, "is the plan of a dr-server")
	text, err := os.ReadFile(plan)
	if err != nil {
		t.Fatal(err)
	}
	for why, broken := range map[string]string{
		"version is 2, but":  strings.Replace(string(text), `"version": 1`, `"version": 2`, 1),
		"version is missing": strings.Replace(string(text), `"version": 1,`, "", 1),
		"unknown field":      strings.Replace(string(text), `"version": 1,`, `"version": 1, "more": 1,`, 1),
		"unexpected end":     string(text[:len(text)/2]),
		"not a set-up that":  `{"version": 1}`,
		"version: is 7":      strings.Replace(string(text), "\"plan\": {\n    \"version\": 1", `"plan": {"version": 7`, 1),
	} {
		other := write(t, broken)
		for _, action := range []string{"apply", "undo"} {
			got := runWith(ctx, "", "setup", "dr-server", "-vip", "10.168.0.91", "-plan", other, action)
			expect(t, got, 1, why)
			expect(t, got, 1, "file.json: ")
		}
	}
}

// What was changed since stays, and is listed.
func TestSetupUndoLeaves(t *testing.T) {
	ctx, sim := site(t)
	folder := t.TempDir()
	file := filepath.Join(folder, "plan.json")
	args := []string{"setup", "dr-server", "-vip", "10.168.0.91", "-plan", file}
	expect(t, runWith(ctx, "", append(args, "apply")...), 2, "")
	host := sim.Host()
	defer host.Close()
	if err := host.SetSysctl(t.Context(), "net.ipv4.conf.all.arp_ignore", "3"); err != nil {
		t.Fatal(err)
	}
	expect(t, runWith(ctx, "", "check", "-setups", folder), 3, "arp-flux")
	expect(t, runWith(ctx, "", append(args, "undo")...), 2, "all.arp_ignore=1: it has been changed since")
	expect(t, runWith(ctx, "", append(args, "undo")...), 0, "# nothing to do")
}

// What another set-up of the folder needs stays until that is undone.
func TestSetupUndoStill(t *testing.T) {
	ctx, _ := site(t)
	folder := t.TempDir()
	one, two := filepath.Join(folder, "1.json"), filepath.Join(folder, "2.json")
	a := []string{"setup", "dr-server", "-vip", "10.168.0.91", "-plan", one}
	b := []string{"setup", "dr-server", "-vip", "10.168.0.92", "-plan", two}
	expect(t, runWith(ctx, "", append(a, "apply")...), 2, "")
	expect(t, runWith(ctx, "", append(b, "apply")...), 2, "")
	expect(t, runWith(ctx, "", append(a, "undo")...), 2, "another setup needs it")
	if left := findings(t, ctx, b); left != "" {
		t.Errorf("the other set-up lost\n%s", left)
	}
	expect(t, runWith(ctx, "", append(b, "undo")...), 2, "# undone")
	expect(t, runWith(ctx, "", append(a, "undo")...), 2, "# undone")
	expect(t, runWith(ctx, "", append(a, "undo")...), 1, "nothing to undo: there is no "+one)
}

func TestSetupConfig(t *testing.T) {
	ctx, _ := site(t)
	good := write(t, `{"version": 1, "setup": "nat-server", "director": "10.168.0.91", "clients": ["192.0.2.0/24", "198.51.100.0/24"], "metric": 5}`)
	expect(t, runWith(ctx, "", "setup", "nat-server", "-config", good), 0, "ip route replace 198.51.100.0/24 via 10.168.0.91 metric 5")
	expect(t, runWith(ctx, "", "setup", "nat-server", "-config", good, "-director", "10.168.0.92"), 0, "192.0.2.0/24 via 10.168.0.92 metric 5")
	for text, why := range map[string]string{
		`{"setup": "nat-server"}`:                                      "version is missing",
		`{"version": 2, "setup": "nat-server"}`:                        "version is 2",
		`{"version": 1}`:                                               "setup is missing",
		`{"version": 1, "setup": "dr-server"}`:                         `setup is dr-server, not "nat-server"`,
		`{"version": 1, "setup": "nat-server", "vip": "10.0.0.1"}`:     `1:39: "vip" is not a flag of nat-server`,
		`{"version": 1, "setup": "nat-server", "metric": {}}`:          `"metric": want a string`,
		`{"version": 1, "setup": "nat-server", "metric": "many"}`:      `1:39: "metric": `,
		`{"version": 1, "setup": "nat-server", "metric":1,"metric":2}`: "twice",
		`{"version": 1, "setup": "nat-server"} {}`:                     "invalid character",
		`[]`: "1:1: is array, and must be an object",
		``:   "unexpected end",
	} {
		got := runWith(ctx, "", "setup", "nat-server", "-config", write(t, text))
		expect(t, got, 1, why)
		expect(t, got, 1, "file.json:1:")
	}
}

// With -demo, a set-up can be tried without a trace.
func TestSetupDemo(t *testing.T) {
	args := []string{"setup", "dr-director", "-demo", "-vip", "10.168.0.89", "-interface", "eth0"}
	expect(t, run(t, "", append(args, "apply")...), 2, "ends with this program")
	expect(t, run(t, "", append(args, "undo")...), 2, "# undone")
}
