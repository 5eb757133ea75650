package ipvsadm

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// seedCommands returns the commands of ipvsadm in a script that the library began with,
// as the shell would call them.
func seedCommands(t *testing.T, name string) []string {
	text, err := os.ReadFile(filepath.Join("../testdata/seed", name))
	if err != nil {
		t.Fatal(err)
	}
	var commands, variables []string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if variable, value, ok := strings.Cut(line, "="); ok && !strings.Contains(variable, " ") {
			variables = append(variables, "$"+variable, strings.Trim(value, "'"))
		}
		line = strings.NewReplacer(variables...).Replace(line)
		if command, ok := strings.CutPrefix(line, "/sbin/ipvsadm "); ok {
			commands = append(commands, command)
		}
	}
	return commands
}

func TestSeed(t *testing.T) {
	for name, want := range map[string]string{
		"lvs_nat.sh": `tcp://192.168.0.11:80 lc persistent 5m0s
  -> 10.168.0.94:80 nat weight 1
  -> 10.168.0.95:80 nat weight 1`,
		"lvs_dr.sh": `tcp://10.168.0.91:80 rr
  -> 10.168.0.94:80 dr weight 1
  -> 10.168.0.95:80 dr weight 1`,
	} {
		f, err := ParseFile([]byte(strings.Join(seedCommands(t, name), "\n")))
		if err != nil || f.Table.String() != want {
			t.Errorf("%s: %v, %v", name, f.Table, err)
		}
	}
}
