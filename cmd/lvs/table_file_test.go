package main

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/golvs/lvs"
)

func addrPort(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// Whatever is wrong with a file, the error names it and says where, and nothing changes.
func TestWrongFiles(t *testing.T) {
	long := strings.Repeat(`{"id":"tcp://10.0.0.1:80","realServers":[]},`, 20000)
	for _, test := range []struct{ text, want string }{
		{"", "the file is empty"}, {" \n\n", "the file is empty"},
		{"{", "1:"}, {"hello", "1:1"}, {"\x00", "1:1: control character U+0000"}, {"[1]", "1:1"},
		{`{"version": 2, "services": []}`, "1:13: parse table: version: is 2"},
		{`{"services": []}`, "version"},
		{"version: 2\nservices: []\n", "1:10: parse table: version: is 2"},
		{"version: 1\nservices:\n- id: tcp://10.0.0.1:80\n  scheduler: [wrr\n", "5:1: did not find expected"},
		{"version: 1\nservices:\n- id: tcp://10.0.0.1:80\n  schedular: wrr\n", "4:14"},
		{"version: 1\nservices:\n- id: tcp://10.0.0.1:80\n- id: tcp://10.0.0.1:80\n", "4:"},
		{"virtual_server 10.0.0.1 80 {\n", "1:1: the block of virtual_server has no end"},
		{"! keepalived\n\nglobal_defs {\n}\n }\n", "5:2: this } ends no block"},
		{"virtual_server 10.0.0.1 80 {\n\tlb_algo x\n}\n", "2:10: lb_algo"},
		{"-A -t 10.0.0.1\n", "1:7: ipvsadm"}, {"-A -t 10.0.0.1:80 -s rr\n-Q\n", "2:1: "},
		{"ipvsadm -A -t 10.0.0.1:80\nversion: 1\n", "2:1: "},
		{`{"version": 1, "services": [` + long, "unexpected end"},
		{"version: 1\nservices: [" + long, ":"},
		{`{"version": 1, "want": {"version": 1, "services": []}, "steps": [{"x": 1}]}`, "steps[0].x"},
		{`{"version": 7, "want": {"version": 1, "services": []}, "steps": []}`, "1:13: parse table plan: version: is 7"},
		{"version: 7\nsteps: []\n", "1:10: parse table plan: version: is 7"},
	} {
		ctx, sim := onSimulator(t, lvs.SimOptions{})
		path := file(t, "site", test.text)
		for _, command := range []string{"plan", "apply"} {
			got := runWith(ctx, "", command, "-netns", "blue", path)
			got.args[len(got.args)-1] = "FILE"
			got.want(t, 1, path, test.want)
			if got.out != "" || len(got.errs) > 1000 {
				t.Errorf("%.100q: %d bytes, and errors of %d", test.text, len(got.out), len(got.errs))
			}
		}
		if now, err := sim.Client().Snapshot(ctx); err != nil || len(now.Services) > 0 {
			t.Errorf("%.100q: %v, %v", test.text, now, err)
		}
	}
	run(t, "", "plan", "-demo", t.TempDir()+"/none").want(t, 1, "no such file")
	run(t, "", "apply", "-demo", t.TempDir()).want(t, 1, "is a directory")
	run(t, "", "apply", "-demo").want(t, 1, "FILE is missing")
}
