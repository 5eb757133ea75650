package main

import (
	"strings"
	"testing"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/internal/testbed"
)

// hostile is a name that the kernel accepts for an interface, and a terminal obeys.
const hostile = "e\x1b[31mth9"

// No name of the host or of the command line reaches a terminal as a control sequence.
func TestEscapesKernel(t *testing.T) {
	ns, netns := kernel(t)
	if !testbed.IsNewest() {
		return // they accept the same names
	}
	ns.Run("ip", "link", "add", hostile, "type", "dummy")
	ns.Run("ip", "addr", "add", "10.168.0.91/24", "dev", hostile)
	ns.Run("ip", "link", "set", hostile, "up")
	ns.Run("ipvsadm", "--start-daemon", "master", "--mcast-interface", hostile)
	ns.Commands("ipvsadm -A -t 10.168.0.91:80 -s rr", "ipvsadm -a -t 10.168.0.91:80 -r 10.168.0.94 -m")
	for _, args := range []string{
		"show -o wide", "show -o json", "save", "save -o yaml", "plan -", "apply -", "restore -", "check", "check -state", "check -o json",
		"explain 10.168.0.7 :80", "explain -o json 10.168.0.7 :80", "conns", "top -once", "metrics", "whatif", "drain :80 -no-wait",
		"setup nat-director -vip 10.168.0.92 -interface eth0", "setup nat-director -vip 10.168.0.92 -inside eth0 check -interface " + hostile,
		"setup dr-server -vip 10.168.0.92", "setup dr-server -vip 10.168.0.92 check",
	} {
		words := strings.Fields(args)
		at := 1
		if words[0] == "setup" {
			at = 2
		}
		words = append(append(words[:at:at], "-netns", netns), words[at:]...)
		wantHarmless(t, run(t, webSite, words...))
	}
	for _, args := range []string{"ipvsadm -L", "ipvsadm -L --daemon", "ipvsadm -S --full", "ipvsadm-save -n"} {
		words := strings.Fields(args)
		words = append([]string{words[0], "-netns", netns}, words[1:]...)
		wantHarmless(t, ran{args: words, out: onTerminal(t, t.Context(), 80, map[string]string{"NO_COLOR": "1"}, words...)})
		if got := run(t, "", words...); strings.Contains(args, "--daemon") && !strings.Contains(got.out, "mcast="+hostile+",") {
			t.Errorf("not as ipvsadm: %q", got.out)
		}
	}
}

// The same with what is given to the program.
func TestEscapes(t *testing.T) {
	ctx, _ := small(t, lvs.SimOptions{})
	path := file(t, "\x1b[31m", "version: 1\nservices:\n- id: \"\\e[31m\"\n")
	for _, args := range [][]string{
		{"\x1b[31m"}, {"show", "\x1b[31m"}, {"show", "-\x1b[31m"}, {"show", "-o", "\x1b[31m"}, {"conns", "-service", "\x1b[31m"}, {"explain", "\x1b[31m", ":80"},
		{"plan", path}, {"apply", path}, {"plan", path + "\x1b[31m"}, {"run", path}, {"whatif", "-table", path}, {"drain", ":80", "\x1b[31m"},
		{"weight", ":80", "10.168.0.94", "\x1b[31m"}, {"undrain", ":80", "-state", path}, {"setup", "dr-server", "-vip", "\x1b[31m"},
		{"setup", "dr-server", "-config", path}, {"setup", "dr-server", "undo", "-plan", path}, {"check", "-peer", path}, {"top", "-state", path, "-once"},
		{"help", "\x1b[31m"}, {"ipvsadm", "-A", "-t", "\x1b[31m"}, {"ipvsadm", "\x1b[31m"}, {"completion", "\x1b[31m"},
	} {
		if c := args[0]; c != "ipvsadm" && c != "help" && c != "completion" && c[0] > ' ' {
			args = append(args, "-netns", "blue")
		}
		wantHarmless(t, runWith(ctx, "", args...))
	}
}

func wantHarmless(t *testing.T, got ran) {
	t.Helper()
	for line := range strings.Lines(got.out + got.errs) {
		if strings.Contains(line, "\x1b") {
			t.Errorf("%q writes %q", got.args, line)
		}
	}
}
