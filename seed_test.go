package lvs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// docs/from-scripts.md shows every line of the scripts, beside its counterpart in Go.
func TestDocsHaveScripts(t *testing.T) {
	page, err := os.ReadFile("docs/from-scripts.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"lvs_dr.sh", "lvs_dr_rs.sh", "lvs_nat.sh"} {
		script, err := os.ReadFile(filepath.Join("testdata/seed", name))
		if err != nil {
			t.Fatal(err)
		}
		_, rest, found := strings.Cut(string(page), "\n`"+name+"` is ")
		if !found {
			t.Errorf("docs/from-scripts.md does not say what %s is", name)
		}
		for line := range strings.Lines(string(script)) {
			line = strings.TrimSpace(line)
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			if _, rest, found = strings.Cut(rest, "\n| `"+line+"` | "); !found {
				t.Errorf("docs/from-scripts.md has no row for the line of %s: %s", name, line)
				break
			}
		}
	}
}
