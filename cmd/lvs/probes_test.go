package main

import (
	"strings"
	"testing"
)

const oneProbe = `-A -t 10.168.0.91:80 -s wrr
-a -t 10.168.0.91:80 -r 10.168.0.94:80 -g -w 3
-A -f 1819672576 -s rr -o
-a -f 1819672576 -r 10.168.0.94:0 -g -w 1
`

// Services that carry health checks are shown on request alone, and stay when others go.
func TestProbes(t *testing.T) {
	ctx, client := simulated(t, oneProbe)
	for _, c := range []struct {
		args  string
		shown bool
	}{
		{"show", false},
		{"show -o json", false},
		{"show -probes", true},
		{"show fwmark://1819672576", true},
		{"top -once", false},
		{"top -once -probes", true},
		{"save", false},
		{"save -o json", false},
		{"metrics", false},
		{"metrics -probes", true},
	} {
		args := strings.Fields(c.args)
		got := runWith(ctx, "", append(args[:1:1], append([]string{"-netns", "sim"}, args[1:]...)...)...)
		if got.status != 0 || strings.Contains(got.out, "1819672576") != c.shown {
			t.Errorf("%s: %v", c.args, got)
		}
	}
	expect(t, runWith(ctx, `{"version": 1, "services": []}`, "apply", "-netns", "sim", "-prune", "-scope", "all", "-max-removal", "1", "-"), 2, "1 step made")
	table, err := client.Snapshot(t.Context())
	if err != nil || len(table.Services) != 1 || !table.Services[0].ID.IsProbe() {
		t.Errorf("%s, %v", table, err)
	}
}
