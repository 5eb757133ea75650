package lvs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// README shows every line of the scripts, beside what stands for it.
func TestReadmeHasScripts(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"lvs_dr.sh", "lvs_dr_rs.sh", "lvs_nat.sh"} {
		script, err := os.ReadFile(filepath.Join("testdata/seed", name))
		if err != nil {
			t.Fatal(err)
		}
		_, rest, found := strings.Cut(string(readme), "\n`"+name+"` is ")
		if !found {
			t.Errorf("README does not tell what %s is", name)
		}
		for line := range strings.Lines(string(script)) {
			line = strings.TrimSpace(line)
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			if _, rest, found = strings.Cut(rest, "\n| `"+line+"` | "); !found {
				t.Errorf("README has no row for the line of %s: %s", name, line)
				break
			}
		}
	}
}
