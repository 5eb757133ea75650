package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// outage runs the command and returns what it prints.
func outage(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := run(t.Context(), args, &out, io.Discard)
	return out.String(), err
}

// The same story has the same end each time, and the careful policy fails fewer
// clients.
func TestUsual(t *testing.T) {
	page := filepath.Join(t.TempDir(), "outage.html")
	first, err := outage(t, "-v", "-html", page)
	if err != nil {
		t.Fatal(err)
	}
	again, err := outage(t, "-v")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, again); diff != "" {
		t.Error(diff)
	}
	failed := map[string]int{}
	for line := range strings.Lines(first) {
		if f := strings.Fields(strings.ReplaceAll(line, ",", "")); len(f) > 5 && f[1] == "107944" {
			for _, n := range f[2:5] { // refused, lost, broken
				k, err := strconv.Atoi(n)
				if err != nil {
					t.Fatal(err)
				}
				failed[f[0]] += k
			}
		}
	}
	if len(failed) != 2 || failed["careful"] == 0 || failed["careful"]*10 > failed["plain"] {
		t.Errorf("failed connections: %v\n%s", failed, first)
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

// What lacks on the server alone costs a policy that checks its own address all
// connections that the server gets, and one that checks through IPVS those of the first
// seconds.
func TestPaths(t *testing.T) {
	lost := func(name string) int {
		o, err := parse([]string{"-duration", "2m", "-script", "10.168.1.2:80 30s novip; 1m30s answer"}, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range o.policies {
			if p.name != name {
				continue
			}
			r, err := (&trial{story: o.story, policy: p}).inFakeTime(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return r.Lost
		}
		t.Fatalf("no policy is called %s", name)
		return 0
	}
	// A sixth of 150 connections a second, for a minute, and for less than 4 s.
	if n := lost("plain"); n < 1400 || n > 1600 {
		t.Errorf("%d lost under a policy that does not look at the VIP", n)
	}
	if n := lost("careful"); n == 0 || n > 100 {
		t.Errorf("%d lost under a policy that looks at the VIP", n)
	}
}

func TestOwnPolicy(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	none, broken := file("none.json", "{}"), file("broken.json", `{"checks": [{"probe": {"ftp": {}}}]}`)
	got, err := outage(t, "-policy", "none="+none, "-duration", "10s", "-servers", "2", "-script", "10.168.1.1:80 2s refuse", "-csv", filepath.Join(dir, "o.csv"))
	if err != nil || !strings.Contains(got, "none ") {
		t.Errorf("got %s: %v", got, err)
	}
	for want, args := range map[string][]string{
		"broken.json: ":             {"-policy", "x=" + broken},
		"want a form like mine":     {"-policy", none},
		"no such file":              {"-policy", "x=/nowhere.json"},
		"is not one of the 6":       {"-script", "10.9.9.9:80 1m refuse"},
		"want a form like \"10.168": {"-script", "10.168.1.1:80"},
		"Script[0]":                 {"-script", "10.168.1.1:80 dance"},
		"out of range [1, 250]":     {"-servers", "0"},
		"unexpected argument":       {"plain"},
		"Arrivals":                  {"-arrivals", "poisson -5/s"},
		"no such file or directory": {"-duration", "1s", "-csv", "/nowhere/o.csv"},
	} {
		if _, err := outage(t, args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", args, err, want)
		}
	}
}

// An interrupt ends a day at once.
func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := run(ctx, []string{"-duration", "100000h"}, io.Discard, io.Discard); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}
