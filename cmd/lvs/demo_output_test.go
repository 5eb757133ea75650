package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golvs/lvs/cmd/lvs/internal/cli"
	"github.com/golvs/lvs/cmd/lvs/internal/demo"
)

var update = flag.Bool("update", false, "write testdata/demo, and the captures of docs/command.md")

// demoOutputs are commands, each with the file of what it prints. Those of a group run in
// one world, which stands still, one after the other.
var demoOutputs = [][][2]string{{
	{"show", "show"},
	{"show-wide", "show -o wide"},
	{"show-json", "show -o json :8080"},
	{"show-yaml", "show -o yaml :8080"},
	{"conns", "conns -n 12"},
	{"conns-json", "conns -o json -n 3"},
	{"conns-origin", "conns -origin local -client 192.0.2.0/25 -state ESTABLISHED"},
	{"conns-servers", "conns -count server"},
	{"conns-clients", "conns -count client -bits4 24 -bits6 64 -top 5"},
	{"conns-states", "conns -count state -service tcp://10.168.0.91:80"},
	{"top", "top -once"},
	{"metrics", "metrics -servers none -states -totals"},
	{"plan", "plan site.yaml -prune -scope 10.168.0.91 -max-removal 1"},
	{"plan-json", "plan site.yaml -o json"},
	{"plan-ipvsadm", "plan site.yaml -o ipvsadm"},
	{"plan-keepalived", "plan keepalived.conf"},
	{"plan-keepalived-ipvsadm", "plan keepalived.conf -o ipvsadm"},
	{"save", "save"},
	{"save-json", "save -o json"},
	{"save-yaml", "save -o yaml"},
	{"check", "check -setups="},
	{"check-json", "check -setups= -o json -severity broken"},
	{"explain", "explain 198.51.100.20 :443"},
	{"explain-json", "explain 198.51.100.20 :443 -o json"},
	{"explain-mark", "explain 198.51.100.20 10.168.0.98:443 -fwmark 7"},
	{"explain-unreached", "explain 198.51.100.20:50000 tcp://10.168.0.99:25"},
	{"whatif", "whatif -service tcp://10.168.0.93:8080 -clients 200"},
	{"whatif-change", "whatif -service tcp://10.168.0.91:80 -clients 200 -drain 10.168.0.94:80 -add 10.168.0.98:80 -weight 2"},
	{"whatif-schedulers", "whatif -service tcp://10.168.0.91:80 -clients 200 -duration 5s -arrivals steady_50/s -event 3s_drain_10.168.0.94:80"},
	{"setup-plan", "setup dr-director -vip 10.168.0.99 -interface eth0"},
	{"setup-check", "setup dr-director -vip 10.168.0.99 -interface eth0 check"},
	{"ipvsadm", "ipvsadm -Ln"},
	{"ipvsadm-rate", "ipvsadm -Ln --rate"},
	{"ipvsadm-save", "ipvsadm-save -n"},
}, {
	{"weight", "weight :443 10.168.0.94 3"},
	{"drain", "drain :443 10.168.0.94 -no-wait -state drains.json"},
	{"undrain", "undrain :443 10.168.0.94 -state drains.json"},
	{"override-drain", "override drain :443 10.168.0.94 -for 2h -why maintenance -overrides overrides.json"},
	{"override-scale", "override scale :443 10.168.0.95 0.5 -by ann -overrides overrides.json"},
	{"override-clear", "override clear :443 10.168.0.94 -overrides overrides.json"},
	{"drain-deadline", "drain fwmark://7 10.168.0.101 -for 90s -remove"},
	{"apply", "apply site.yaml -drain 1m"},
	{"apply-again", "apply site.yaml"},
	{"restore", "restore site.yaml"},
	{"setup-apply", "setup dr-director -vip 10.168.0.99 -interface eth0 -plan plan.json apply"},
	{"setup-undo", "setup dr-director -vip 10.168.0.99 -interface eth0 -plan plan.json undo"},
	{"run", "run"},
	{"ipvsadm-change", "ipvsadm -e -t 10.168.0.91:80 -r 10.168.0.94:80 -g -w 7"},
	{"ipvsadm-refused", "ipvsadm -d -t 10.168.0.91:80 -r 10.168.0.99:80"},
	{"ipvsadm-restore", "ipvsadm-restore -n"},
}}

// TestDemoOutput holds what each command prints of the demo.
func TestDemoOutput(t *testing.T) {
	source, err := filepath.Abs("testdata/demo")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	for _, name := range []string{"site.yaml", "keepalived.conf"} {
		text, err := os.ReadFile(filepath.Join(source, name))
		if err == nil {
			err = os.WriteFile(name, text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, group := range demoOutputs {
		synctest.Test(t, func(t *testing.T) {
			world := frozen(t)
			for _, test := range group {
				words := strings.Fields(test[1])
				for i, w := range words {
					words[i] = strings.ReplaceAll(w, "_", " ")
				}
				got := runIn(t, world, words...)
				golden(t, filepath.Join(source, test[0]+".txt"), transcript(got))
			}
		})
	}
}

// frozen returns a world that always is the same.
func frozen(t *testing.T) *demo.World {
	t.Helper()
	world, err := demo.New(demo.Frozen())
	if err != nil {
		t.Fatal(err)
	}
	return world
}

// restored is what ipvsadm-restore reads.
const restored = "-A -t 10.168.0.91:80 -s rr\n"

// runIn runs a command with -demo in a world.
func runIn(t *testing.T, world *demo.World, words ...string) ran {
	t.Helper()
	most := time.Hour
	if words[0] == "run" {
		most = 10 * time.Second
	}
	args := append([]string{words[0], "-demo"}, words[1:]...)
	if words[0] == "setup" {
		args = append([]string{words[0], words[1], "-demo"}, words[2:]...)
	}
	return runFor(t.Context(), world, most, args...)
}

// runFor runs a command in a world, and interrupts it after a time.
func runFor(ctx context.Context, world *demo.World, most time.Duration, args ...string) ran {
	ctx, interrupt := context.WithCancel(ctx)
	defer time.AfterFunc(most, interrupt).Stop()
	var out, errs strings.Builder
	env := &cli.Env{In: strings.NewReader(restored), Out: &out, Err: &errs, Getenv: func(string) string { return "" },
		Demo: func() (*demo.World, error) { return world, nil }}
	status := program().Main(ctx, env, append([]string{"lvs"}, args...))
	return ran{args, status, out.String(), errs.String()}
}

// varying is what depends on the machine: times, and how long something lasted.
var varying = regexp.MustCompile(`(?m)\b(\d{4}-\d\d-\d\dT)?\d\d:\d\d:\d\d(\.\d+|Z|[+-]\d\d:\d\d)?\b|^lvs_scrape_duration_seconds .*$`)

// transcript returns what a command printed, and its exit status.
func transcript(r ran) string {
	text := fmt.Sprintf("$ lvs %s\n%s", strings.Join(r.args, " "), r.out)
	if r.errs != "" {
		text += "Standard error:\n" + r.errs
	}
	return varying.ReplaceAllString(text, "(varies)") + fmt.Sprintf("Exit status: %d\n", r.status)
}

// golden compares a text with the one in a file.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	is, was := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for n := range min(len(is), len(was)) {
		if is[n] != was[n] {
			t.Errorf("%s:%d: got\n%s\nwant\n%s", filepath.Base(path), n+1, is[n], was[n])
			return
		}
	}
	t.Errorf("%s: got %d lines, want %d", filepath.Base(path), len(is), len(was))
}
