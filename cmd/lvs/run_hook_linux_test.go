package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs"
)

// The program of -hook hears of a server that fails.
func TestRunHook(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		t.Helper()
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	heard := filepath.Join(folder, "heard")
	hook := write("hook", fmt.Sprintf("#!/bin/sh\nread -r line\necho \"$LVS_EVENT $LVS_SERVER $LVS_STATE $line\" >> %s\n", heard), 0o700)
	table := write("table.json", fmt.Sprintf(`{"version": 1, "services": [{
		"id": "tcp://10.168.0.91:80", "scheduler": "wlc",
		"realServers": [{"addr": "10.168.0.94:80", "mode": "dr"}],
		"health": {"checks": [{"probe": {"file": {"path": "%s/none"}}, "interval": "50ms"}]}}]}`, folder), 0o600)
	sim, err := lvs.NewSimulator(lvs.SimOptions{Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	ctx, interrupt := context.WithTimeout(lvs.WithSimulators(t.Context(), map[string]*lvs.Simulator{"blue": sim}), 30*time.Second)
	defer interrupt()
	ended := make(chan ran)
	go func() {
		ended <- runWith(ctx, "", "run", table, "-hook", hook, "-scope", "10.168.0.0/24", "-netns", "blue")
	}()
	var text []byte
	for len(text) == 0 && ctx.Err() == nil {
		time.Sleep(10 * time.Millisecond)
		text, _ = os.ReadFile(heard) // it is not there at first
	}
	interrupt()
	(<-ended).want(t, 0, "10.168.0.94:80 is down")
	if want := `server changed 10.168.0.94:80 down {"version":1,"event":"server changed"`; !strings.HasPrefix(string(text), want) {
		t.Errorf("the hook heard %q, want %q", text, want)
	}
}
