package clinic

import (
	"cmp"
	"fmt"
	"strings"
)

// result is how one fault went.
type result struct {
	site string
	fault
	traffic string // what went wrong, "" if nothing did
	says    string // what was found, or the unseen that names it
	answer  answer
	heeded  bool   // there was no fix, and the advice was followed
	cure    string // what was wrong then, "" if nothing was; for answers that are findings
}

// answer is how Check did.
type answer string

const (
	answerFound    answer = "found"
	answerRisk     answer = "risk"
	answerUnseen   answer = "unseen"
	answerSilent   answer = "SILENT"
	answerHarmless answer = "harmless"
	answerAlarm    answer = "FALSE ALARM"
)

func (r *result) broke() bool { return r.traffic != "" }

// share shows a part of a whole.
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
	sites, alarms, faults, broke           int
	found, risks, unseen, silent           int
	visible, visibleFound                  int // of what host or facts show; risks count as found
	harmlessAlarms, treated, cured, heeded int
}

func sum(sites, alarms int, all []*result) figures {
	is := func(a answer) int { return count(all, func(r *result) bool { return r.answer == a }) }
	f := figures{
		sites: sites, alarms: alarms, faults: len(all), broke: count(all, (*result).broke),
		found: is(answerFound), risks: is(answerRisk), unseen: is(answerUnseen), silent: is(answerSilent), harmlessAlarms: is(answerAlarm),
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
			case r.heeded:
				f.heeded++
			default:
				f.cured++
			}
		}
	}
	return f
}

func (f figures) String() string {
	var b strings.Builder
	row := func(what, value string) { fmt.Fprintf(&b, "| %s | %s |\n", what, value) }
	row("figure", "value")
	row("---", "---")
	row("healthy hosts' sites", fmt.Sprint(f.sites))
	row("false alarms on them, with and without setup and peers", fmt.Sprint(f.alarms))
	row("single faults", fmt.Sprint(f.faults))
	row("of these break traffic", fmt.Sprint(f.broke))
	row("harmless ones called broken", fmt.Sprint(f.harmlessAlarms))
	row("found, as broken or as a risk", share(f.found+f.risks, f.broke))
	row("found of those that hosts or facts show", share(f.visibleFound, f.visible))
	row("not found, named as unseen", share(f.unseen, f.broke))
	row("silent", share(f.silent, f.broke))
	row("cured by the findings' own fixes", share(f.cured, f.treated))
	row("cured by their advice, where there is no fix", share(f.heeded, f.treated))
	return b.String()
}

// table shows each fault.
func tableOf(all []*result) string {
	var b strings.Builder
	fmt.Fprintln(&b, "| site | on | command | traffic | Check | says | fix |\n|---|---|---|---|---|---|---|")
	for _, r := range all {
		fix := ""
		if r.answer == answerFound || r.answer == answerRisk {
			fix = cmp.Or(r.cure, map[bool]string{false: "cures", true: "advice cures"}[r.heeded])
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
