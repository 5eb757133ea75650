package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golvs/lvs"
)

// webSite is a table that the tests want.
const webSite = `version: 1
services:
- id: tcp://10.168.0.91:80
  scheduler: wrr
  realServers:
  - {addr: "10.168.0.94:80", mode: dr, weight: 3}
  - {addr: "10.168.0.95:80", mode: dr}
`

// onSimulator returns a context in which -netns blue is a simulated kernel, and a client
// of it.
func onSimulator(t *testing.T, o lvs.SimOptions) (context.Context, *lvs.Simulator) {
	t.Helper()
	sim, err := lvs.NewSimulator(o)
	if err != nil {
		t.Fatal(err)
	}
	return lvs.WithSimulators(t.Context(), map[string]*lvs.Simulator{"blue": sim}), sim
}

// file writes a file for one test.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// want reports an error unless a run ended with a status, and printed some texts.
func (r ran) want(t *testing.T, status int, texts ...string) {
	t.Helper()
	if r.status != status {
		t.Errorf("want status %d: %s", status, r)
	}
	for _, text := range texts {
		if !strings.Contains(r.out+r.errs, text) {
			t.Errorf("want %q: %s", text, r)
		}
	}
}

// A file of each format gives the same plan, which apply makes once.
func TestPlanAndApply(t *testing.T) {
	for name, text := range map[string]string{
		"yaml":    webSite,
		"json":    `{"version": 1, "services": [{"id": "tcp://10.168.0.91:80", "scheduler": "wrr", "realServers": [{"addr": "10.168.0.94:80", "weight": 3}, {"addr": "10.168.0.95:80"}]}]}`,
		"ipvsadm": "-A -t 10.168.0.91:80 -s wrr\n-a -t 10.168.0.91:80 -r 10.168.0.94:80 -g -w 3\n-a -t 10.168.0.91:80 -r 10.168.0.95:80 -g -w 1\n",
	} {
		t.Run(name, func(t *testing.T) {
			ctx, _ := onSimulator(t, lvs.SimOptions{})
			steps := []string{"+ tcp://10.168.0.91:80 wrr", "+ tcp://10.168.0.91:80 -> 10.168.0.94:80 dr weight 3"}
			runWith(ctx, text, "plan", "-netns", "blue", "-").want(t, 2, steps...)
			runWith(ctx, text, "apply", "-netns", "blue", "-").want(t, 2, append(steps, "3 steps made")...)
			runWith(ctx, text, "plan", "-netns", "blue", "-").want(t, 0, "nothing to do")
			runWith(ctx, text, "apply", "-netns", "blue", "-").want(t, 0, "nothing to do")
		})
	}
}

// What plan writes is what apply makes, until the table changes.
func TestSavedPlans(t *testing.T) {
	for _, format := range []string{"json", "yaml"} {
		t.Run(format, func(t *testing.T) {
			ctx, sim := onSimulator(t, lvs.SimOptions{})
			saved := runWith(ctx, webSite, "plan", "-netns", "blue", "-o", format, "-")
			saved.want(t, 2)
			path := file(t, "plan", saved.out)
			runWith(ctx, "", "plan", "-netns", "blue", path).want(t, 2, "+ tcp://10.168.0.91:80 wrr")
			runWith(ctx, "", "apply", "-netns", "blue", "-prune", path).want(t, 1, "saved plan", "-prune")
			runWith(ctx, "", "apply", "-netns", "blue", path).want(t, 2, "3 steps made")
			runWith(ctx, "", "apply", "-netns", "blue", path).want(t, 0)
			if err := sim.Client().SetWeight(ctx, lvs.MustParseServiceID("tcp://10.168.0.91:80"), addrPort("10.168.0.95:80"), 7); err != nil {
				t.Fatal(err)
			}
			runWith(ctx, "", "apply", "-netns", "blue", path).want(t, 1, "changed", "lvs plan -o json", "nothing was changed")
		})
	}
}

func TestPlanAsCommands(t *testing.T) {
	ctx, _ := onSimulator(t, lvs.SimOptions{})
	got := runWith(ctx, webSite, "plan", "-netns", "blue", "-o", "ipvsadm", "-")
	got.want(t, 2, "ipvsadm -A -t 10.168.0.91:80 -s wrr\nipvsadm -a -t 10.168.0.91:80 -r 10.168.0.94:80 -g -w 3\n")
}

// A plan says which connections break, and apply refuses what takes too much away.
func TestApplyRefusesRemovals(t *testing.T) {
	ctx, sim := onSimulator(t, lvs.SimOptions{})
	runWith(ctx, webSite, "apply", "-netns", "blue", "-").want(t, 2)
	id := lvs.MustParseServiceID("tcp://10.168.0.91:80")
	if _, err := sim.Connect(lvs.Flow{Client: addrPort("192.0.2.1:40000"), VIP: id.AddrPort()}); err != nil {
		t.Fatal(err)
	}
	none := "version: 1\nservices:\n- {id: tcp://10.168.0.91:80, scheduler: wrr}\n"
	refused := "would take 2 of 2 real servers out of service"
	runWith(ctx, none, "plan", "-netns", "blue", "-").want(t, 2, "of 1 connection, 1 break", "refuses this", refused)
	runWith(ctx, none, "plan", "-netns", "blue", "-no-effect", "-").want(t, 2, refused)
	runWith(ctx, none, "apply", "-netns", "blue", "-").want(t, 1, refused, "-max-removal 1")
	runWith(ctx, webSite, "apply", "-netns", "blue", "-").want(t, 0)
	runWith(ctx, none, "apply", "-netns", "blue", "-max-removal", "1", "-").want(t, 2, "2 steps made")
}

// With a state file, what was applied and is not wanted any more goes with -prune, drains
// are awaited, and those of an interrupted run are continued.
func TestApplyDrains(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		ctx, sim := onSimulator(t, lvs.SimOptions{Clock: time.Now})
		state := filepath.Join(dir, "state")
		apply := func(ctx context.Context, text string, more ...string) ran {
			return runWith(ctx, text, append([]string{"apply", "-netns", "blue", "-state", state, "-prune", "-drain", "30s", "-"}, more...)...)
		}
		apply(ctx, webSite).want(t, 2)
		id := lvs.MustParseServiceID("tcp://10.168.0.91:80")
		for port := range uint16(8) {
			if _, err := sim.Connect(lvs.Flow{Client: addrPort("192.0.2.1:" + string(rune('1'+port)) + "000"), VIP: id.AddrPort()}); err != nil {
				t.Fatal(err)
			}
		}
		less := strings.Replace(webSite, `  - {addr: "10.168.0.95:80", mode: dr}`+"\n", "", 1)
		apply(ctx, less, "-no-wait").want(t, 2, "1 drain began", "draining until", "-state "+state)
		short, cancel := context.WithTimeout(ctx, 5*time.Second)
		apply(short, less).want(t, 1, "draining until")
		cancel()
		began := time.Now()
		apply(ctx, less).want(t, 2, "removed after 30s, at the deadline: 2 connections cut")
		if took := time.Since(began); took < 24*time.Second || took > 26*time.Second {
			t.Errorf("the drain was continued for %v, want 25s", took)
		}
		apply(ctx, less).want(t, 0, "nothing to do")
		apply(ctx, "version: 1\nservices: []\n", "-max-removal", "1").want(t, 2, "- tcp://10.168.0.91:80")
	})
}

// Without -state, the table is what says what drains.
func TestApplyIsInterrupted(t *testing.T) {
	ctx, _ := onSimulator(t, lvs.SimOptions{})
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	runWith(ctx, webSite, "apply", "-netns", "blue", "-").want(t, 1, "interrupted: nothing was changed")
}

func TestTableFlags(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"-scope 10.168.0.0/33", "want all, a VIP"}, {"-scope fwmark://9-1", "not a range of marks"},
		{"-shared", "needs -state"}, {"-drain -1s", "negative"}, {"-max-removal 0", "a share"}, {"-max-removal NaN", "a share"},
		{"-scope 10.0.0.0/8", "tcp://10.168.0.91:80"}, // without it, which is wanted
	} {
		text := webSite
		if strings.Contains(test.args, "10.0.0.0/8") {
			text = strings.ReplaceAll(webSite, "10.168", "11.168")
			test.want = "tcp://11.168.0.91:80"
		}
		for _, command := range []string{"plan", "apply"} {
			ctx, _ := onSimulator(t, lvs.SimOptions{})
			runWith(ctx, text, append([]string{command, "-netns", "blue", "-"}, strings.Fields(test.args)...)...).want(t, 1, test.want)
		}
	}
	ctx, _ := onSimulator(t, lvs.SimOptions{})
	runWith(ctx, webSite, "apply", "-netns", "blue", "-scope", "10.168.0.0/24,2001:db8::1,fwmark://1-9,tcp://10.0.0.1:80", "-").want(t, 2)
	runWith(ctx, "version: 1\nservices: []\n", "plan", "-netns", "blue", "-scope", "all", "-prune", "-").want(t, 2, "- tcp://10.168.0.91:80")
	runWith(ctx, "version: 1\nservices: []\n", "plan", "-netns", "blue", "-scope", "fwmark://1-9", "-prune", "-").want(t, 0, "nothing to do")
}
