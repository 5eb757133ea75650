package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/workload"
)

// simulate runs the command and returns what it prints.
func simulate(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out, messages bytes.Buffer
	err := run(t.Context(), args, &out, &messages)
	if messages.Len() > 0 && err == nil {
		t.Errorf("%q printed %q, although it has no terminal", args, &messages)
	}
	return out.String(), err
}

func TestCompares(t *testing.T) {
	text, err := simulate(t, "-duration", "10s", "-schedulers", "wrr,mh+fallback", "-weights", "1,3", "-event", "5s drain 10.168.1.1:80")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(text) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		names = append(names, name)
	}
	if want := []string{"connections", "wrr", "mh+fallback", "", "greatest/mean", "wrr", "mh+fallback"}; !slices.Equal(names, want) {
		t.Errorf("got\n%s", text)
	}
	text, err = simulate(t, "-duration", "10s", "-schedulers", "sh+port", "-servers", "2", "-arrivals", "bursts 100/s of 5", "-clients", "50 nat 5")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(text, "sh+port: tcp://10.168.0.91:80 for 10s") || !strings.Contains(text, "10.168.1.2:80") {
		t.Errorf("got\n%s", text)
	}
}

func TestWritesFiles(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	_, err := simulate(t, "-duration", "5s", "-schedulers", "rr,wlc", "-html", file("r.html"), "-json", file("r.json"), "-csv", file("r.csv"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file("r.json"))
	if err != nil {
		t.Fatal(err)
	}
	var reports []workload.Report
	if err := json.Unmarshal(text, &reports); err != nil || len(reports) != 2 || reports[1].Name != "wlc" || len(reports[1].Servers) != 4 {
		t.Errorf("%d reports: %v", len(reports), err)
	}
	for name, want := range map[string]string{"r.html": "<h1>rr, wlc on 4 real servers</h1>", "r.csv": "\nwlc,5,10.168.1.4:80,"} {
		if text, err := os.ReadFile(file(name)); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s has no %q: %v", name, want, err)
		}
	}
}

// What -print writes, -config reads, and flags change it wherever they stand.
func TestConfig(t *testing.T) {
	args := []string{
		"-duration", "5s", "-schedulers", "rr,mh+fallback+port", "-slow", "10.168.1.2:80=0.5", "-event", "1s drain 10.168.1.1:80",
		"-mode", "nat", "-kernel", "6.1.176", "-mh-table", "8", "-lifetime", "pareto 1s shape 1.5", "-samples", "5", "-seed", "7",
	}
	printed, err := simulate(t, append(args, "-print")...)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(path, []byte(printed), 0o600); err != nil {
		t.Fatal(err)
	}
	if again, err := simulate(t, "-config", path, "-print"); err != nil || again != printed {
		t.Errorf("got %s, want %s: %v", again, printed, err)
	}
	want, err := simulate(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := simulate(t, "-config="+path); err != nil || got != want {
		t.Errorf("got %s, want %s: %v", got, want, err)
	}
	if again, err := simulate(t, "-seed", "8", "-config", path, "-print"); err != nil || !strings.Contains(again, `"seed": 8`) {
		t.Errorf("got %s: %v", again, err)
	}
}

func TestRecorded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "recorded.csv")
	if err := os.WriteFile(path, []byte("0, 192.0.2.1, 3\n1.5\n2,,0.5\n2,192.0.2.1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := simulate(t, "-recorded", path, "-schedulers", "rr", "-duration", "0")
	if err != nil || !strings.Contains(text, "for 2s") || !strings.Contains(text, "4 connections of 3 clients") {
		t.Errorf("got %s: %v", text, err)
	}
	for _, bad := range []string{"x\n", "1,here\n", "1,,x\n"} {
		if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := parse([]string{"-recorded", path}, io.Discard); err == nil || !strings.Contains(err.Error(), "line 1") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestRefused(t *testing.T) {
	for want, args := range map[string][]string{
		"Arrivals":                  {"-arrivals", "poisson -5/s"},
		"Clients":                   {"-clients", "0 zipf 1"},
		"no real servers":           {"-servers", "0"},
		"weight 0":                  {"-weights", "0"},
		"-1 real servers":           {"-servers", "-1"},
		"is not a real server":      {"-slow", "10.9.9.9:80=2"},
		"scheduler \"nonsense\"":    {"-schedulers", "nonsense"},
		"unexpected argument":       {"rr"},
		"no such file":              {"-config", "/nowhere.json"},
		"is not like":               {"-event", "5s dance 10.168.1.1:80"},
		"Events[0]":                 {"-event", "1h drain 10.168.1.1:80"},
		"want a form like":          {"-slow", "fast"},
		"is not fallback, port":     {"-schedulers", "mh+x"},
		"Kernel":                    {"-kernel", "new"},
		"MHTableIndex":              {"-mh-table", "99"},
		"no such file or directory": {"-duration", "1s", "-schedulers", "rr", "-html", "/nowhere/report.html"},
	} {
		if _, err := simulate(t, args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", args, err, want)
		}
	}
	if _, err := simulate(t, "-h"); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: %v", err)
	}
}

// An interrupted run shows what it has.
func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	e := usual()
	e.Workload.Duration = 1000 * time.Hour
	reports, err := e.run(ctx, func(run int, p workload.Progress) {
		if p.Arrived > 1000 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || len(reports) != 1 || reports[0].Name != "rr" {
		t.Errorf("%d reports: %v", len(reports), err)
	}
}

func TestBar(t *testing.T) {
	b := newBar(io.Discard, 4)
	got := b.line(1, workload.Progress{Done: time.Minute, Of: 2 * time.Minute, Arrived: 99})
	if want := "[###############-------------------------]  38 %  run 2 of 4, 99 connections "; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if b.to != nil {
		t.Error("there is a bar where no terminal is")
	}
}

func TestAddresses(t *testing.T) {
	four, err := lvs.ParseServiceID("tcp://10.168.0.91:80")
	if err != nil {
		t.Fatal(err)
	}
	six, err := lvs.ParseServiceID("tcp://[2001:db8::91]:80")
	if err != nil {
		t.Fatal(err)
	}
	if got := serverAddr(0, four).String(); got != "10.168.1.1:80" {
		t.Error(got)
	}
	if got := serverAddr(254, four).String(); got != "10.168.2.1:80" {
		t.Error(got)
	}
	if got := serverAddr(0, six).String(); got != "[2001:db8:100::101]:80" {
		t.Error(got)
	}
}
