package prometheus

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	alert      = regexp.MustCompile(`(?m)^ *- alert: (\w+)$`)
	alertLabel = regexp.MustCompile(`\$labels\.(\w+)`)
)

// Each alert names what a collector exports, and is tested: once for not firing yet, and
// once for firing.
func TestAlerts(t *testing.T) {
	v := exported(t)
	rules, tests := read(t, "../../alerts.yaml"), read(t, "../../alerts_test.yaml")
	at := alert.FindAllStringSubmatchIndex(rules, -1)
	if len(at) == 0 {
		t.Fatal("there are no alerts")
	}
	for i, m := range at {
		name, end := rules[m[2]:m[3]], len(rules)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		problems, labels := v.check(rules[m[0]:end])
		for _, l := range alertLabel.FindAllStringSubmatch(rules[m[0]:end], -1) {
			if !slices.Contains(labels, l[1]) {
				problems = append(problems, "no metric has the label "+l[1])
			}
		}
		for _, tested := range []string{"- {alertname: " + name + ",", "- alertname: " + name + "\n"} {
			if !strings.Contains(tests, tested) {
				problems = append(problems, fmt.Sprintf("alerts_test.yaml has no %q", tested))
			}
		}
		for _, p := range problems {
			t.Errorf("%s: %s", name, p)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Prometheus's own tool accepts the alerts, runs their tests, and parses each query of the
// dashboard. ./scripts/test makes sure that it is there.
func TestPromtool(t *testing.T) {
	if _, err := exec.LookPath("promtool"); err != nil {
		t.Skip("promtool, of Debian's package prometheus, is not installed: neither alerts nor queries are tried")
	}
	var b strings.Builder
	b.WriteString("groups:\n- name: dashboard\n  rules:\n")
	for i, query := range readDashboard(t).queries() {
		fmt.Fprintf(&b, "  - record: query%d\n    expr: '%s'\n", i, query)
	}
	queries := filepath.Join(t.TempDir(), "queries.yaml")
	if err := os.WriteFile(queries, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"check", "rules", "../../alerts.yaml"}, {"test", "rules", "../../alerts_test.yaml"}, {"check", "rules", queries},
	} {
		if out, err := exec.CommandContext(t.Context(), "promtool", args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}
