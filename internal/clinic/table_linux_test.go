package clinic

import (
	"cmp"
	"fmt"
	"strings"
)

// result is the outcome of one fault.
type result struct {
	site string
	fault
	traffic string // what went wrong, "" if nothing did
	says    string // what was found, or the unchecked finding that leads to it
	answer  answer
	by      string // what was tried last to let traffic flow again
	cure    string // what was wrong then, "" if nothing was
}

// answer is what Check made of a fault.
type answer string

const (
	answerFound     answer = "found"
	answerRisk      answer = "risk"
	answerUnchecked answer = "unchecked"
	answerSilent    answer = "SILENT"
	answerHarmless  answer = "harmless"
	answerAlarm     answer = "FALSE ALARM"
)

func (r *result) broke() bool { return r.traffic != "" }

// share formats a part of a whole.
func share(part, whole int) string {
	if whole == 0 {
		return "none"
	}
	return fmt.Sprintf("%d of %d (%d %%)", part, whole, 100*part/whole)
}

func count(all []*result, is func(*result) bool) (n int) {
	for _, r := range all {
		if is(r) {
			n++
		}
	}
	return n
}

// figures are the sums of a run.
type figures struct {
	sites, alarms, faults, broke    int
	found, risks, unchecked, silent int
	visible, visibleFound           int // of what the states of hosts show; risks count as found
	harmlessAlarms                  int
	treated, cured, retired, heeded int // cured by the findings' fixes, retired: of these by taking a server out
}

func sum(sites, alarms int, all []*result) figures {
	is := func(a answer) int { return count(all, func(r *result) bool { return r.answer == a }) }
	f := figures{
		sites: sites, alarms: alarms, faults: len(all), broke: count(all, (*result).broke),
		found: is(answerFound), risks: is(answerRisk), unchecked: is(answerUnchecked), silent: is(answerSilent), harmlessAlarms: is(answerAlarm),
	}
	for _, r := range all {
		if !r.broke() {
			continue
		}
		isFound := r.answer == answerFound || r.answer == answerRisk
		if r.hidden == "" {
			f.visible++
			if isFound {
				f.visibleFound++
			}
		}
		if isFound {
			f.treated++
			switch {
			case r.cure != "":
			case r.by == byFix:
				f.cured++
			case r.by == byRetire:
				f.cured++
				f.retired++
			default:
				f.heeded++
			}
		}
	}
	return f
}

// measure is a figure with a goal.
type measure struct {
	what              string
	is, reached, goal int // in percent
}

// measures are compared with what was reached before, so that nothing is lost, and with
// the goal.
func (f figures) measures() []measure {
	percent := func(part, whole int) int {
		if whole == 0 {
			return 100
		}
		return 100 * part / whole
	}
	return []measure{
		{"healthy hosts that are called healthy, in each form", percent(len(forms)*f.sites-f.alarms, len(forms)*f.sites), 100, 100},
		{"harmless faults that are not called broken", percent(f.faults-f.broke-f.harmlessAlarms, f.faults-f.broke), 100, 100},
		{"faults found of those that the states of hosts show", percent(f.visibleFound, f.visible), 95, 95},
		{"faults that are found, or led to by what is listed as unchecked", percent(f.broke-f.silent, f.broke), 98, 100},
		{"findings cured by their own fix", percent(f.cured, f.treated), 85, 90},
	}
}

func (f figures) String() string {
	var b strings.Builder
	row := func(what, value, goal string) { fmt.Fprintf(&b, "| %s | %s | %s |\n", what, value, goal) }
	row("figure", "value", "goal")
	row("---", "---", "---")
	row("services on healthy hosts", fmt.Sprint(f.sites), "")
	row("false alarms there, with and without setup and peers", fmt.Sprint(f.alarms), "")
	row("single faults", fmt.Sprint(f.faults), "")
	row("of these, break traffic", fmt.Sprint(f.broke), "")
	row("harmless ones called broken", fmt.Sprint(f.harmlessAlarms), "")
	row("found", share(f.found, f.broke), "")
	row("found as a risk", share(f.risks, f.broke), "")
	row("not found, but led to by what is listed as unchecked", share(f.unchecked, f.broke), "")
	row("silent", share(f.silent, f.broke), "")
	row("cured by the findings' own fixes", share(f.cured, f.treated), "")
	row("of these, by taking a real server out", share(f.retired, f.treated), "")
	row("cured by their advice, without a fix", share(f.heeded, f.treated), "")
	for _, m := range f.measures() {
		row(m.what, fmt.Sprintf("%d %%", m.is), fmt.Sprintf("%d %%", m.goal))
	}
	return b.String()
}

// tableOf formats each fault as a row.
func tableOf(all []*result) string {
	var b strings.Builder
	fmt.Fprintln(&b, "| site | on | command | traffic | Check | says | fix |\n|---|---|---|---|---|---|---|")
	for _, r := range all {
		fix := ""
		if r.answer == answerFound || r.answer == answerRisk {
			fix = cmp.Or(r.cure, r.by)
		}
		check := string(r.answer)
		if r.hidden != "" && r.broke() {
			check += " (hidden: " + r.hidden + ")"
		}
		cells := []string{r.site, r.on, "`" + r.do + "`", cmp.Or(r.traffic, "flows"), check, r.says, fix}
		for i := range cells {
			cells[i] = strings.NewReplacer("|", "\\|", "\n", " ").Replace(cells[i])
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
	}
	return b.String()
}
