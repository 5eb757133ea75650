package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/director"
)

func noSignals(func() bool, func()) (stop func()) { return func() {} }

// The demo ends with the table that is wanted, and no client loses a connection.
func TestDemo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		if err := run(t.Context(), []string{"-demo"}, &out, &out, noSignals); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{
			"applied 4 steps",
			"another program changed it from 10.168.0.94:80 nat weight 1 to 10.168.0.94:80 nat weight 0; repaired",
			"another program added it: 10.168.0.99:80 nat weight 1; repaired",
			"tcp://10.168.0.91:80 -> 10.168.0.96:80 draining until",
			"tcp://10.168.0.91:80 -> 10.168.0.96:80 removed after 3s",
			"refused: it would take 2 of 2 real servers out of service",
			"tcp://10.168.0.91:80 wrr\n  -> 10.168.0.94:80 nat weight 1\n  -> 10.168.0.95:80 nat weight 1\n\n",
			"in sync with 1 service and 2 real servers",
			" connections; 0 were refused and 0 cut.",
		} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("the demo does not print %q", want)
			}
		}
		if t.Failed() {
			t.Log(out.String())
		}
	})
}

func TestDemoIsInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		var out bytes.Buffer
		if err := run(ctx, []string{"-demo"}, &out, &out, noSignals); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

// The table of a file is kept, a broken file is reported with its place, and the table
// stays when the program ends.
func TestConfig(t *testing.T) {
	text, err := os.ReadFile("table.yaml")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "table.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(string(text))
	synctest.Test(t, func(t *testing.T) {
		sim, err := lvs.NewSimulator(lvs.SimOptions{Clock: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		client := sim.Client()
		defer client.Close()
		has := func(when string, servers ...int) {
			t.Helper()
			snapshot, err := client.Snapshot(t.Context())
			if err != nil || len(snapshot.Services) != len(servers) {
				t.Fatalf("%s: %v\n%s", when, err, snapshot)
			}
			for i, s := range snapshot.Services {
				if len(s.RealServers) != servers[i] {
					t.Errorf("%s: %s", when, s)
				}
			}
		}
		ctx, cancel := context.WithCancel(lvs.WithSimulators(t.Context(), map[string]*lvs.Simulator{"blue": sim}))
		var out bytes.Buffer
		done := make(chan error)
		go func() {
			args := []string{"-config", path, "-state", path + ".state", "-scope", "10.168.0.0/24", "-prune", "-netns", "blue"}
			done <- run(ctx, args, &out, &out, noSignals)
		}()
		time.Sleep(3 * time.Second)
		has("at first", 2, 2)
		write(strings.Replace(string(text), "weight: 2", "weight: two", 1))
		time.Sleep(3 * time.Second)
		has("with a broken file", 2, 2)
		write(strings.Replace(string(text), `      - {addr: "10.168.0.95:53", mode: dr}`, "", 1))
		time.Sleep(3 * time.Second)
		has("with another table", 2, 1)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		has("in the end", 2, 1)
		if want := path + ":7:53: "; !strings.Contains(out.String(), want) {
			t.Errorf("the output has no %q:\n%s", want, out.String())
		}
	})
}

// Whatever is wrong with a file, the error says where.
func TestDecodeYAML(t *testing.T) {
	text, err := os.ReadFile("table.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if table, err := decodeYAML(text); err != nil || len(table.Services) != 2 || len(table.Services[0].RealServers) != 2 {
		t.Errorf("%s: %v", table, err)
	}
	for _, test := range []struct {
		old, new     string
		line, column int
	}{
		{"scheduler: wrr", "scheduler: [wrr", 6, 16},
		{"scheduler: wrr", "schedular: wrr", 5, 16},
		{"scheduler: wrr", "scheduler: wrr\n    scheduler: rr", 6, 5},
		{"weight: 2", "weight: 2147483648", 7, 53},
		{`"10.168.0.95:80"`, `"10.168.0.94:80"`, 8, 16},
		{`"10.168.0.95:80"`, "7", 8, 16},
		{"udp://10.168.0.91:53", "tcp://10.168.0.91:80", 9, 9},
		{"version: 1", "version: 2", 2, 10},
		{"  - id", "\t- id", 4, 1},
	} {
		content := strings.Replace(string(text), test.old, test.new, 1)
		_, err := decodeYAML([]byte(content))
		var line, column int
		var syntax *director.FileError
		var value *lvs.Error
		switch {
		case errors.As(err, &syntax):
			line, column = syntax.Line, syntax.Column
		case errors.As(err, &value):
			line, column = value.Line, value.Column
		}
		if line != test.line || column != test.column {
			t.Errorf("%s: want the place %d:%d: %v", test.new, test.line, test.column, err)
		}
	}
	for _, bad := range []string{"", "services", "[]", "\x00", "version: 1\nservices:\n  x: 1\n", "a: &a [*a]", "--- 1\n--- 2\n"} {
		if table, err := decodeYAML([]byte(bad)); err == nil {
			t.Errorf("%q is %s", bad, table)
		}
	}
}

func TestArguments(t *testing.T) {
	for _, args := range [][]string{
		{}, {"-config"}, {"-config", "a", "b"}, {"-scope", "10.168.0.0/33", "-demo"}, {"-scope", "", "-demo"}, {"-drain", "5", "-demo"},
		{"-config", "a", "-share", "2"}, {"-config", "a", "-drain", "-1s"}, {"-config", "a", "-shared"},
	} {
		var messages bytes.Buffer
		ctx := lvs.WithSimulators(t.Context(), nil)
		if err := run(ctx, args, &messages, &messages, noSignals); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}
