package outage

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/golvs/lvs/workload"
)

var asked = flags(flag.CommandLine)

func TestMain(m *testing.M) {
	flag.Parse()
	err := asked.complete()
	if err == nil && flag.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q: there are only flags", flag.Arg(0))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "outage:", err)
		os.Exit(2)
	}
	m.Run()
}

// parse returns options as the command line says them.
func parse(args ...string) (*options, error) {
	f := flag.NewFlagSet("outage", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	o := flags(f)
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	return o, o.complete()
}

// playAll plays all trials, and returns their reports.
func (o *options) playAll(t *testing.T) (trials []*trial, reports []*workload.Report) {
	trials = o.trials()
	t.Run("policy", func(t *testing.T) {
		for _, r := range trials {
			t.Run(r.policy.name, func(t *testing.T) {
				t.Parallel()
				r.play(t)
			})
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	for _, r := range trials {
		reports = append(reports, r.report)
	}
	return trials, reports
}

// TestOutage compares policies as the flags say.
func TestOutage(t *testing.T) {
	trials, reports := asked.playAll(t)
	out := t.Output()
	if asked.events {
		for _, r := range trials {
			if err := r.write(out); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := workload.WriteComparison(out, reports...); err != nil {
		t.Fatal(err)
	}
	if err := asked.writeFiles(reports); err != nil {
		t.Fatal(err)
	}
}

// In the usual story, the careful policy fails fewer clients.
func TestUsual(t *testing.T) {
	page := filepath.Join(t.TempDir(), "outage.html")
	o, err := parse("-html", page)
	if err != nil {
		t.Fatal(err)
	}
	_, reports := o.playAll(t)
	failed := func(r *workload.Report) int { return r.Refused + r.Lost + r.Broken }
	if plain, careful := failed(reports[0]), failed(reports[1]); careful == 0 || careful*3 > plain {
		t.Errorf("plain failed %d connections, careful %d", plain, careful)
	}
	if err := o.writeFiles(reports); err != nil {
		t.Fatal(err)
	}
	html, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"<h1>Health checks: plain, careful</h1>", "Failed connections a second", "drain 10.168.1.2:80"} {
		if !strings.Contains(string(html), part) {
			t.Errorf("the page has no %q", part)
		}
	}
}

// The same story has the same end each time. What happens at one moment may come in any
// order, and the source ports of probes with it.
func TestSame(t *testing.T) {
	sourcePort := regexp.MustCompile(`(10\.168\.0\.90:)\d+`)
	var ends [2][]string
	for i := range ends {
		o, err := parse("-duration", "4m")
		if err != nil {
			t.Fatal(err)
		}
		trials, _ := o.playAll(t)
		var end strings.Builder
		for _, r := range trials {
			if err := r.write(&end); err != nil {
				t.Fatal(err)
			}
		}
		ends[i] = slices.Sorted(strings.Lines(sourcePort.ReplaceAllString(end.String(), "${1}PORT")))
	}
	if diff := cmp.Diff(ends[0], ends[1]); diff != "" {
		t.Error(diff)
	}
}

// What lacks on the server alone costs a policy that checks its own address all
// connections that the server gets, and one that checks through IPVS those of the first
// seconds.
func TestPaths(t *testing.T) {
	o, err := parse("-duration", "2m", "-arrivals", "poisson 150/s", "-script", "10.168.1.2:80 30s novip; 1m30s answer")
	if err != nil {
		t.Fatal(err)
	}
	_, reports := o.playAll(t)
	// A sixth of 150 connections a second, for a minute, and for less than 4 s.
	if n := reports[0].Lost; n < 1400 || n > 1600 {
		t.Errorf("%d lost under a policy that does not look at the VIP", n)
	}
	if n := reports[1].Lost; n == 0 || n > 100 {
		t.Errorf("%d lost under a policy that looks at the VIP", n)
	}
}

func TestOptions(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	none, broken := file("none.json", "{}"), file("broken.json", `{"checks": [{"probe": {"ftp": {}}}]}`)
	o, err := parse("-policy", "none="+none, "-duration", "10s", "-servers", "2", "-csv", filepath.Join(dir, "o.csv"))
	if err != nil {
		t.Fatal(err)
	}
	_, reports := o.playAll(t)
	if err := o.writeFiles(reports); err != nil || reports[0].Name != "none" {
		t.Errorf("%s: %v", reports[0].Name, err)
	}
	o.csv = "/nowhere/o.csv"
	if err := o.writeFiles(reports); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	for want, args := range map[string][]string{
		"broken.json: ":             {"-policy", "x=" + broken},
		"want a form like mine":     {"-policy", none},
		"no such file":              {"-policy", "x=/nowhere.json"},
		"is not one of the 6":       {"-script", "10.9.9.9:80 1m refuse"},
		"want a form like \"10.168": {"-script", "10.168.1.1:80"},
		"Script[0]":                 {"-script", "10.168.1.1:80 dance"},
		"out of range [1, 250]":     {"-servers", "0"},
		"Arrivals":                  {"-arrivals", "often"},
	} {
		if _, err := parse(args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", args, err, want)
		}
	}
}
