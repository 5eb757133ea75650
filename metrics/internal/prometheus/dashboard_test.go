package prometheus

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// dashboard is the parts of a dashboard that have queries.
type dashboard struct {
	Panels []struct {
		Title, Description, Type string
		GridPos                  struct{ X, Y, W, H int }
		Targets                  []struct{ Expr, LegendFormat string }
	}
	Templating struct {
		List []struct{ Name, Type, Definition string }
	}
}

func readDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	text, err := os.ReadFile("../../dashboard.json")
	if err == nil {
		err = json.Unmarshal(text, &d)
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// queries returns the expressions of all panels, with values in place of variables.
func (d dashboard) queries() (all []string) {
	values := strings.NewReplacer("$__rate_interval", "1m", "$instance", ".*", "$service", ".*")
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			all = append(all, values.Replace(target.Expr))
		}
	}
	return all
}

var (
	legendLabel    = regexp.MustCompile(`\{\{(\w+)\}\}`)
	aggregation    = regexp.MustCompile(`\bby \(([^)]*)\)`)
	labelsOfMetric = regexp.MustCompile(`^label_values\((.*), (\w+)\)$`)
)

// Each query and each legend of the dashboard names what a collector exports, and each
// panel says what it shows.
func TestDashboard(t *testing.T) {
	v, d := exported(t), readDashboard(t)
	for _, p := range d.Panels {
		if (p.Description == "" || len(p.Targets) == 0) && p.Type != "row" {
			t.Errorf("%s: lacks a description or a query", p.Title)
		}
		if p.GridPos.X+p.GridPos.W > 24 || p.GridPos.H == 0 {
			t.Errorf("%s: is at %+v", p.Title, p.GridPos)
		}
		for _, target := range p.Targets {
			problems, labels := v.check(target.Expr)
			for _, problem := range problems {
				t.Errorf("%s: %s", p.Title, problem)
			}
			if by := aggregation.FindAllStringSubmatch(target.Expr, -1); len(by) > 0 && strings.Contains(target.Expr[:6], "sum by") {
				labels = label.FindAllString(by[0][1], -1)
			}
			for _, l := range legendLabel.FindAllStringSubmatch(target.LegendFormat, -1) {
				if !slices.Contains(labels, l[1]) && !strings.HasPrefix(target.Expr, "sum(") {
					t.Errorf("%s: the legend has %s, and the query %s", p.Title, l[1], target.Expr)
				}
			}
		}
	}
	for _, variable := range d.Templating.List {
		if variable.Type != "query" {
			continue
		}
		parts := labelsOfMetric.FindStringSubmatch(variable.Definition)
		if parts == nil {
			t.Fatalf("$%s is %s", variable.Name, variable.Definition)
		}
		if problems, labels := v.check(parts[1]); len(problems) > 0 || !slices.Contains(labels, parts[2]) {
			t.Errorf("$%s is %s: %q", variable.Name, variable.Definition, problems)
		}
	}
}
