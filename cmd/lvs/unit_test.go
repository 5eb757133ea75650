package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var execStart = regexp.MustCompile(`(?m)^ExecStart=/usr/local/bin/lvs (.*)$`)

// The units of the documentation start the program with flags that it has, and systemd
// accepts them, where it can be asked.
func TestUnits(t *testing.T) {
	for _, name := range []string{"lvs-run.service", "lvs-metrics.service"} {
		text, err := os.ReadFile("../../docs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		found := execStart.FindSubmatch(text)
		if found == nil {
			t.Fatalf("%s does not start the program", name)
		}
		args := append(strings.Fields(string(found[1])), "-netns", "nosuch")
		got := run(t, "", args...)
		expect(t, got, 1, "nosuch")
		if strings.Contains(got.errs, "lvs help") {
			t.Errorf("%s: %s", name, got)
		}
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		unit := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(unit, []byte(strings.Replace(string(text), "/usr/local/bin/lvs", self, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := exec.LookPath("systemd-analyze"); err != nil {
			t.Log("systemd-analyze is not installed: systemd was not asked")
			continue
		}
		out, err := exec.CommandContext(t.Context(), "systemd-analyze", "verify", unit).CombinedOutput()
		if strings.Contains(string(out), name) { // it may find fault with other units as well
			t.Errorf("%v\n%s", err, out)
		}
	}
}
