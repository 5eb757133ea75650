package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golvs/lvs"
)

// simulated returns a context in which "-netns sim" is a simulated host with a table.
func simulated(t *testing.T, commands string) (context.Context, *lvs.Client) {
	t.Helper()
	sim, err := lvs.NewSimulator(lvs.SimOptions{})
	if err != nil {
		t.Fatal(err)
	}
	client := sim.Client()
	t.Cleanup(func() { client.Close() })
	ctx := lvs.WithSimulators(t.Context(), map[string]*lvs.Simulator{"sim": sim})
	if commands != "" {
		if got := runWith(ctx, commands, "restore", "-netns", "sim", "-"); got.status != 0 {
			t.Fatal(got)
		}
	}
	return ctx, client
}

const twoServices = `--set 100 20 30
-A -t 10.168.0.91:80 -s wrr
-a -t 10.168.0.91:80 -r 10.168.0.94:80 -g -w 3
-a -t 10.168.0.91:80 -r 10.168.0.95:80 -g -w 1 -x 9 -y 4
-A -u 10.168.0.91:53 -s rr
-a -u 10.168.0.91:53 -r 10.168.0.94:53 -g -w 1
`

func TestSaveAndRestore(t *testing.T) {
	for _, format := range []string{"ipvsadm", "json", "yaml"} {
		from, _ := simulated(t, twoServices)
		file := filepath.Join(t.TempDir(), "table")
		if err := os.WriteFile(file, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		expect(t, runWith(from, "", "save", "-netns", "sim", "-o", format, file), 0, "")
		if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
		to, client := simulated(t, "-A -t 10.9.9.9:9 -s rr\n")
		expect(t, runWith(to, "", "restore", "-netns", "sim", file), 0, "2 services, 3 real servers: 6 steps made")
		expect(t, runWith(to, "", "restore", "-netns", "sim", file), 0, "nothing to do")
		got, err := client.Snapshot(t.Context())
		if err != nil || len(got.Services) != 2 || got.Services[0].RealServers[1].LowerThreshold != 4 {
			t.Errorf("%s: %v, %v", format, err, got)
		}
		if timeouts, err := client.Timeouts(t.Context()); err != nil || format == "ipvsadm" && timeouts.TCP != 100*time.Second {
			t.Errorf("%s: %v, %v", format, timeouts, err)
		}
	}
}

func TestRestoreNoflush(t *testing.T) {
	ctx, client := simulated(t, "-A -t 10.9.9.9:9 -s rr\n")
	expect(t, runWith(ctx, twoServices, "restore", "-netns", "sim", "-no-flush", "-"), 0, "2 services")
	if got, err := client.Snapshot(t.Context()); err != nil || len(got.Services) != 3 {
		t.Errorf("%v, %v", got, err)
	}
}

// Nothing is changed if a file has an error anywhere.
func TestRestoreRefused(t *testing.T) {
	ctx, client := simulated(t, twoServices)
	before, err := client.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for text, says := range map[string]string{
		"":                                       "standard input: the file is empty",
		"-A -t 10.0.0.1:80\n-A -t x\n":           "standard input:2:7: ipvsadm: -t",
		`{"version": 1, "services": [}`:          "standard input:1:29",
		"version: 1\nservices: [{}]\n":           "standard input:2:12",
		"-A -t 10.0.0.1:80 -s nosuch\n":          "nosuch",
		"-A -t 10.0.0.1:80\n-A -t 10.0.0.1:80\n": "exists",
	} {
		expect(t, runWith(ctx, text, "restore", "-netns", "sim", "-"), 1, says)
	}
	expect(t, runWith(ctx, "", "restore", "-netns", "sim", "/does/not/exist"), 1, "/does/not/exist")
	if after, err := client.Snapshot(t.Context()); err != nil || !after.Equal(before) {
		t.Errorf("changed, %v:\n%v", err, after)
	}
}

func TestSaveFails(t *testing.T) {
	ctx, _ := simulated(t, twoServices)
	expect(t, runWith(ctx, "", "save", "-netns", "sim", "/does/not/exist"), 1, "/does/not")
	if _, err := os.Stat("/dev/full"); err == nil {
		expect(t, runWith(ctx, "", "save", "-netns", "sim", "/dev/full"), 1, "no space")
	}
}

func TestWeight(t *testing.T) {
	ctx, _ := simulated(t, twoServices)
	expect(t, runWith(ctx, "", "weight", "-netns", "sim", ":80", "10.168.0.94", "7"), 0, "tcp://10.168.0.91:80 -> 10.168.0.94:80: weight 7, was 3\n")
	for says, args := range map[string]string{
		"WEIGHT is missing":                      ":80 10.168.0.94",
		`"-1" is not a weight`:                   "-- :80 10.168.0.94 -1",
		`"many" is not a weight`:                 ":80 10.168.0.94 many",
		"could be tcp://10.168.0.91:80 or udp":   "10.168.0.91 10.168.0.94 1",
		"there are tcp://10.168.0.91:80, udp://": ":81 10.168.0.94 1",
		`"10.168.0.91:53" is not a service`:      "10.168.0.91:53 10.168.0.94 1",
		`"tcp://10.168.0.91:8" is not a service`: "tcp://10.168.0.91:8 10.168.0.94 1",
		"which has 10.168.0.94:80, 10.168.0.95":  ":80 10.168.0.96 1",
		"could be 10.168.0.94:80 or 10.168.0.95": ":80 :80 1",
	} {
		expect(t, runWith(ctx, "", append([]string{"weight", "-netns", "sim"}, strings.Fields(args)...)...), 1, says)
	}
}

func TestDrainAndUndrain(t *testing.T) {
	ctx, client := simulated(t, twoServices)
	state := filepath.Join(t.TempDir(), "state")
	weights := func() (all []int) {
		for _, r := range readTable(t, client).Services[0].RealServers {
			all = append(all, r.Weight)
		}
		return all
	}
	expect(t, runWith(ctx, "", "drain", "-netns", "sim", ":80", "10.168.0.94", "-state", state), 0, "weight 0, was 3\ntcp://10.168.0.91:80 -> 10.168.0.94:80: no connections left")
	expect(t, runWith(ctx, "", "drain", "-netns", "sim", ":80", "10.168.0.94", "-state", state, "-no-wait"), 0, "weight 0, was 0\n")
	expect(t, runWith(ctx, "", "undrain", "-netns", "sim", ":80", "10.168.0.94"), 1, "is not known; give it: 'lvs undrain tcp://10.168.0.91:80 10.168.0.94:80 WEIGHT'")
	expect(t, runWith(ctx, "", "undrain", "-netns", "sim", ":80", "10.168.0.94", "-state", state), 0, "10.168.0.94:80: weight 3\n")
	expect(t, runWith(ctx, "", "undrain", "-netns", "sim", ":80", "10.168.0.94", "5"), 1, "has weight 3, so it is not drained")
	expect(t, runWith(ctx, "", "drain", "-netns", "sim", ":80", "-state", state), 0, "weight 0 for 2 real servers")
	if got := weights(); got[0] != 0 || got[1] != 0 {
		t.Errorf("%v", got)
	}
	expect(t, runWith(ctx, "", "undrain", "-netns", "sim", ":80", "-state", state), 0, "10.168.0.95:80: weight 1\n")
	if got := weights(); got[0] != 3 || got[1] != 1 {
		t.Errorf("%v", got)
	}
	expect(t, runWith(ctx, "", "undrain", "-netns", "sim", ":80", "-state", state), 1, "has no drain of tcp://10.168.0.91:80")
	expect(t, runWith(ctx, "", "drain", "-netns", "sim", ":80", "10.168.0.95", "-remove"), 0, "drained in")
	if got := weights(); len(got) != 1 {
		t.Errorf("%v", got)
	}
}

func readTable(t *testing.T, client *lvs.Client) lvs.Snapshot {
	t.Helper()
	table, err := client.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// TestDrainWaits drains a server with connections in fake time.
func TestDrainWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		expect(t, run(t, "", "drain", "-demo", "fwmark:7", "10.168.0.100", "-for", "5s"), 2, "left at the deadline, which continue; it stays with weight 0")
		expect(t, run(t, "", "drain", "-demo", "fwmark:7", "10.168.0.100", "-for", "5s", "-remove"), 2, "at the deadline")
		expect(t, run(t, "", "drain", "-demo", "fwmark:7", "10.168.0.100", "-for", "20m"), 0, "no connections left")
	})
}

func TestDrainInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		expect(t, runWith(ctx, "", "drain", "-demo", ":443", "10.168.0.94"), 130, "'lvs undrain tcp://10.168.0.91:443 10.168.0.94:443 2' takes that back")
	})
}

func TestShow(t *testing.T) {
	ctx, client := simulated(t, twoServices)
	want := `SERVICE               METHOD  WT  ACT  INACT  SHARE  NEW/s  NOTE
tcp://10.168.0.91:80  wrr           0      0             0
  10.168.0.94:80      dr       3    0      0             0
  10.168.0.95:80      dr       1    0      0             0
udp://10.168.0.91:53  rr            0      0             0
  10.168.0.94:53      dr       1    0      0             0
`
	got := runWith(ctx, "", "show", "-netns", "sim")
	if got.out != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	var all lvs.Snapshot
	if err := json.Unmarshal([]byte(runWith(ctx, "", "show", "-netns", "sim", "-o", "json").out), &all); err != nil || !all.Equal(readTable(t, client)) {
		t.Errorf("%v: %v", err, all)
	}
	if got := runWith(ctx, "", "show", "-netns", "sim", ":53", "-o", "yaml"); !strings.Contains(got.out, "version: 1") || strings.Contains(got.out, "tcp://") {
		t.Error(got)
	}
	empty, _ := simulated(t, "")
	expect(t, runWith(empty, "", "show", "-netns", "sim"), 0, "The table is empty.")
	expect(t, runWith(empty, "", "show", "-netns", "sim", ":80"), 1, "the table is empty")
}
