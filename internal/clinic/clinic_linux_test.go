package clinic

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/internal/testbed"
)

var (
	long    = flag.Bool("clinic.long", false, "try all faults, and print the table")
	family  = flag.String("clinic.family", "", "only sites whose names begin with this")
	program = flag.String("clinic.needs", "", "only sites that take this program, iptables or nft, which not all kernels have")
)

// sites returns all sites.
func sites() (all []site) {
	for _, family := range [][]site{sitesOfDR(), sitesOfDRInterfaces(), sitesOfDRServices(), sitesOfDR6(), sitesOfNAT(), sitesOfTunnels(), sitesOfFirewalls()} {
		all = append(all, family...)
	}
	return all
}

// chosen returns the sites that the flags select, with the faults to try: in the short
// form one of each kind, at the last site that has it.
func chosen() (all []site) {
	seen := make(map[string]bool)
	for _, s := range slices.Backward(sites()) {
		if !strings.HasPrefix(s.name, *family) || *program != "" && s.needs != *program {
			continue
		}
		if !works(s.needs) {
			s.faults = nil
		}
		s.faults = slices.DeleteFunc(s.faults, func(f fault) bool {
			was := seen[f.kind]
			seen[f.kind] = true
			return was && !*long
		})
		all = append(all, s)
	}
	slices.Reverse(all)
	return all
}

// TestClinic judges Check by traffic.
func TestClinic(t *testing.T) {
	testbed.InKernel(t)
	if !*long && !testbed.IsNewest() {
		return // starting a program takes several times as long in the others
	}
	all := chosen()
	records := make([]record, len(all))
	atOnce(len(all), func(i int) {
		t.Run(all[i].name, func(t *testing.T) { records[i].visit(t, all[i]) })
	})
	judge(t, records)
}

// crew is how many sites and faults are worked on at once: most of the time is spent
// waiting for packets that were lost.
const crew = 3

// beds limits what is worked on at once.
var beds = make(chan struct{}, crew)

// atOnce does n things, up to crew at once, and waits for them.
func atOnce(n int, do func(i int)) {
	next := make(chan int)
	var all sync.WaitGroup
	for range crew {
		all.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	all.Wait()
}

// record is the outcome of a site.
type record struct {
	healthy bool     // the site was measured before anything was broken
	alarms  []string // false alarms before anything was broken
	results []*result
}

func (v *record) visit(t *testing.T, s site) {
	if !works(s.needs) {
		t.Logf("this kernel has no %s", s.needs)
		return
	}
	g, healthy := v.first(t, s)
	results := make([]*result, len(s.faults))
	atOnce(len(s.faults), func(i int) {
		f := s.faults[i]
		t.Run(f.on+" "+f.do, func(t *testing.T) {
			beds <- struct{}{}
			defer func() { <-beds }()
			one := g // which is broken afterwards
			if i > 0 {
				one = s.working(t, nil)
			}
			r := &result{site: s.name, fault: f}
			r.try(t, one, healthy)
			results[i] = r
		})
	})
	v.results = slices.DeleteFunc(results, func(r *result) bool { return r == nil }) // those that failed
}

// first measures a site that works, and returns what Check says of it.
func (v *record) first(t *testing.T, s site) (g *ground, said []visit) {
	beds <- struct{}{}
	defer func() { <-beds }()
	g = s.working(t, s.answers)
	v.healthy = true
	state := g.state(t)
	for _, f := range forms {
		all := g.examine(t, f, state)
		if f == fullForm {
			said = all
		}
		if found := g.ailments(all, nil, lvs.SeverityBroken); len(found) > 0 {
			v.alarms = append(v.alarms, fmt.Sprintf("%s, %s: %s", s.name, f, join(found)))
		}
	}
	return g, said
}

// working builds a site, and waits until clients get answers.
func (s site) working(t *testing.T, answers []string) *ground {
	g := s.build(t)
	bad := g.measure().bad(answers)
	if bad != "" {
		bad = g.recovers(answers)
	}
	if bad != "" {
		t.Fatalf("a healthy host does not work: %s", bad)
	}
	return g
}

func join(all []ailment) string {
	var texts []string
	seen := make(map[string]bool)
	for _, a := range all {
		if key, _, _ := strings.Cut(a.String(), ":"); !seen[key] {
			seen[key] = true
			texts = append(texts, a.String())
		}
	}
	return strings.Join(texts, "; ")
}

// try breaks a site, and records what Check says and whether the fixes work.
func (r *result) try(t *testing.T, g *ground, healthy []visit) {
	f := r.fault
	answers := g.answers
	if !f.past {
		answers = nil
	}
	if err := g.suffer(f); err != nil {
		t.Fatal(err)
	}
	if err := g.passTime(); err != nil {
		t.Fatal(err)
	}
	r.traffic = g.traffic().bad(answers)
	said := g.examine(t, fullForm, g.state(t))
	if r.broke() && r.hidden == "" && !slices.ContainsFunc(said, func(v visit) bool { return !v.OK() }) {
		t.Errorf("all reports are OK, but %s", r.traffic)
	}
	broken, risks := g.ailments(said, healthy, lvs.SeverityBroken), g.ailments(said, healthy, lvs.SeverityRisk)
	r.answer, r.says = r.judge(broken, risks, said)
	switch r.answer {
	case answerFound:
		r.treat(g, broken, answers)
	case answerRisk:
		r.treat(g, risks, answers)
	}
	t.Logf("%s: %s: %s: %s", r.traffic, r.answer, r.says, cmp.Or(r.cure, r.by))
}

// What made traffic flow again.
const (
	byFix    = "cures"
	byRetire = "cures, by taking the server out"
	byAdvice = "advice cures: "
)

// treat applies the fixes of findings until traffic flows, last those that take a real
// server out. Where no finding has a fix it follows the advice. It records what is still
// wrong.
func (r *result) treat(g *ground, all []ailment, answers []string) {
	var why []string
	try := func(by string, err error) (cured bool) {
		if errors.Is(err, errNoFix) {
			return false
		}
		if r.by, r.cure = by, g.recovers(answers); r.cure == "" {
			return true
		}
		if err != nil {
			why = append(why, err.Error())
		}
		return false
	}
	others := slices.DeleteFunc(slices.Clone(all), ailment.retires)
	retiring := slices.DeleteFunc(slices.Clone(all), func(a ailment) bool { return !a.retires() })
	if try(byFix, g.treat(others)) || try(byRetire, g.treat(retiring)) {
		return
	}
	if r.by == "" { // no finding has a fix
		advice, err := g.heed(r.fault, all)
		if try(byAdvice+advice, err) {
			return
		}
		if advice == "" {
			why, r.cure = append(why, fmt.Sprintf("%v, and the advice is: %s", errNoFix, all[0].Advice)), r.traffic
		}
	}
	r.cure = strings.Join(append(why, r.cure), "; ")
}

func (r *result) judge(broken, risks []ailment, said []visit) (answer, string) {
	switch {
	case !r.broke() && len(broken) > 0 && r.right == "":
		return answerAlarm, join(broken)
	case !r.broke():
		return answerHarmless, ""
	case len(broken) > 0:
		return answerFound, join(broken)
	case len(risks) > 0:
		return answerRisk, join(risks)
	}
	if unchecked := named(said, r.doubt); unchecked != "" {
		return answerUnchecked, unchecked
	}
	return answerSilent, ""
}

// judge compares the results with the goal, and with what was reached before.
func judge(t *testing.T, all []record) {
	var sites int
	var alarms []string
	var results []*result
	for _, v := range all {
		if v.healthy {
			sites++
		}
		alarms, results = append(alarms, v.alarms...), append(results, v.results...)
	}
	f := sum(sites, len(alarms), results)
	if *long {
		which := cmp.Or(strings.Trim(*family, " ,"), "All")
		if *program != "" {
			which = "What needs " + *program
		}
		fmt.Printf("## %s in Linux %s (%s)\n\n%s\n%s\n<!-- end -->\n", which, os.Getenv(testbed.KernelEnv), os.Getenv("LVS_KERNEL_NAME"), f, tableOf(results))
	}
	for _, alarm := range alarms {
		t.Logf("false alarm on a healthy host: %s", alarm)
	}
	for _, r := range results {
		if text := r.unlike(); text != "" {
			t.Logf("%s, %s: %s: %s: %s %s", r.site, r.on, r.do, text, r.traffic, r.says)
		}
	}
	for _, m := range f.measures() {
		if m.is < m.reached {
			t.Errorf("%s: %d %%, but %d %% was reached before; the goal is %d %%", m.what, m.is, m.reached, m.goal)
		}
	}
}

// unlike describes what is wrong with a result whatever the others are.
func (r *result) unlike() string {
	switch r.answer {
	case answerAlarm:
		return "false alarm on a fault that breaks nothing"
	case answerSilent:
		return "nothing is found, and nothing is listed as unchecked"
	}
	return ""
}
