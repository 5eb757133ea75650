package ipvsadm

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what is read of testdata/commands.txt into testdata/commands.golden")

// tried is a command of testdata, with those that were done before.
type tried struct {
	before []string
	line   string
}

// triedCommands returns the commands of testdata/commands.txt.
func triedCommands(t *testing.T) (all []tried) {
	t.Helper()
	text, err := os.ReadFile("testdata/commands.txt")
	if err != nil {
		t.Fatal(err)
	}
	var before []string
	isBefore := false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		first, wasBefore := "", isBefore
		if first, isBefore = strings.CutPrefix(line, ":"); isBefore {
			if !wasBefore {
				before = nil
			}
			before = append(before, first)
		} else if !strings.HasPrefix(line, "#") {
			all = append(all, tried{before, line})
		}
	}
	return all
}

// TestTriedCommands holds what each command means, or why it is refused. Tests inside
// kernels hold that ipvsadm agrees.
func TestTriedCommands(t *testing.T) {
	const name = "testdata/commands.golden"
	var b strings.Builder
	for _, c := range triedCommands(t) {
		b.WriteString(c.line + "\n")
		changes, err := Parse([]byte(c.line))
		if err == nil {
			var f File
			if f, err = ParseFile([]byte(strings.Join(c.before, "\n"))); err != nil {
				t.Fatal(err)
			}
			_, err = f.After(changes...)
		}
		switch {
		case err != nil:
			b.WriteString("\trefused: " + strings.TrimPrefix(err.Error(), "ipvsadm: ") + "\n")
		case len(changes) == 0:
			b.WriteString("\tno change\n")
		default:
			b.WriteString("\t" + texts(changes)[0] + "\n")
		}
	}
	if *update {
		if err := os.WriteFile(name, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if diff := cmp.Diff(string(want), b.String()); err != nil || diff != "" {
		t.Errorf("%v; after a change that is wanted, run go test ./ipvsadm -update (-want +got):\n%s", err, diff)
	}
}
