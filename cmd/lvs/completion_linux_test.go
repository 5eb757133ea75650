package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// shells are how each completes a line without a terminal, %s. What zsh would show is
// in an array that its own function for that would read.
var shells = map[string][]string{
	"bash": {"--norc", "-c", `eval "$(lvs completion bash)"; COMP_LINE='%s'; COMP_POINT=${#COMP_LINE}; _lvs; printf '%%s\n' "${COMPREPLY[@]}"`},
	"zsh": {"-f", "-c", `compdef() { : }; compadd() { print -l -- "${values[@]}" }; _files() { print -l -- *(N) }
eval "$(lvs completion zsh)"; line='%s'; words=("${(@s: :)line}"); CURRENT=${#words}; _lvs | while read -r v; do [[ $v == $words[-1]* ]] && print -r -- $v; done`},
	"fish": {"--no-config", "-c", `lvs completion fish | source; complete -C '%s' | string replace -r '\t.*' ''`},
}

func TestCompletionInShells(t *testing.T) {
	folder := filepath.Dir(linkTo(t, "lvs"))
	if err := os.WriteFile(filepath.Join(folder, "table.json"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for shell, args := range shells {
		t.Run(shell, func(t *testing.T) {
			if _, err := exec.LookPath(shell); err != nil {
				t.Skipf("%s is not there", shell)
			}
			complete := func(line string) []string {
				cmd := exec.CommandContext(t.Context(), shell, args[0], args[1], fmt.Sprintf(args[2], line))
				cmd.Dir = folder
				cmd.Env = append(os.Environ(), "PATH="+folder+":"+os.Getenv("PATH"), "HOME="+folder, "GORACE=atexit_sleep_ms=0")
				out, err := cmd.Output()
				if err != nil {
					t.Logf("%s: %v", line, err)
				}
				return strings.Fields(string(out))
			}
			for line, want := range map[string]string{
				"lvs sho":                     "show",
				"lvs help dr":                 "drain",
				"lvs show -o ":                "table wide json yaml",
				"lvs show -dem":               "-demo",
				"lvs completion ":             "bash zsh fish",
				"lvs drain -demo fw":          "fwmark://7",
				"lvs restore table":           "table.json",
				"lvs drain -demo :443 10.168": "10.168.0.94:443 10.168.0.95:443 10.168.0.96:443",
			} {
				got, want := complete(line), strings.Fields(want)
				slices.Sort(got)
				slices.Sort(want)
				if !slices.Equal(got, want) {
					t.Errorf("%q: %q, want %q", line, got, want)
				}
			}
			if shell == "bash" { // sees only what is behind the colons
				if got := complete("lvs show -demo tcp://10.168.0.92:54"); !slices.Equal(got, []string{"5432"}) {
					t.Errorf("%q", got)
				}
			}
		})
	}
}

// Values come from the host that the flags name: this machine, or a simulated one.
func TestCompletionOfValues(t *testing.T) {
	for line, want := range map[string]string{
		"setup dr-director -interface |lo":        "lo",
		"setup dr-director -demo -interface |":    "lo eth0 eth1",
		"setup dr-server -demo -device |eth1":     "eth1",
		"whatif -demo -drain |10.168.0.100":       "10.168.0.100:0",
		"explain -protocol |":                     "tcp udp",
		"top -sort |a":                            "active address",
		"setup dr-server -netns nosuch -device |": "",
	} {
		before, word, _ := strings.Cut(line, "|")
		got := run(t, "", append(append([]string{"__complete"}, strings.Fields(before)...), word)...)
		for _, name := range strings.Fields(want) {
			if !strings.Contains(got.out, name) {
				t.Errorf("%s: %q is not offered: %q", line, name, got.out)
			}
		}
		if want == "" && got.out != "" || got.status != 0 {
			t.Error(got)
		}
	}
}

// TestBrokenPipe ends the reader of the output before it has read all, with SIGPIPE
// ignored as by some programs that start others, and without.
func TestBrokenPipe(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("bash is not there")
	}
	folder := filepath.Dir(linkTo(t, "lvs"))
	for _, before := range []string{"", "trap '' PIPE; "} {
		cmd := exec.CommandContext(t.Context(), "bash", "-c", before+"lvs show -demo -o json | true")
		cmd.Env = append(os.Environ(), "PATH="+folder+":"+os.Getenv("PATH"), "GORACE=atexit_sleep_ms=0")
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%v: %s", err, out)
		}
	}
}
