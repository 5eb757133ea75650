package clinic

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/internal/testbed"
)

var (
	long      = flag.Bool("clinic.long", false, "try all faults, and print the table")
	family    = flag.String("clinic.family", "", "only sites whose names begin with this")
	firewalls = flag.Bool("clinic.firewalls", false, "with -clinic.long, only what takes iptables or nft, which not all kernels have")
)

// sites are all.
func sites() (all []site) {
	for _, family := range [][]site{sitesOfDR(), sitesOfDRInterfaces(), sitesOfDRServices(), sitesOfDR6(), sitesOfNAT(), sitesOfTunnels(), sitesOfFirewalls()} {
		all = append(all, family...)
	}
	return all
}

// TestClinic judges Check by traffic.
func TestClinic(t *testing.T) {
	testbed.InKernel(t)
	if !*long && !testbed.IsNewest() {
		return // the others take several times as long to start a program
	}
	var c clinic
	seen := make(map[string]bool)
	for _, s := range sites() {
		if !strings.HasPrefix(s.name, *family) || *firewalls && s.needs != "iptables" && s.needs != "nft" {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			if !works(s.needs) {
				t.Logf("there is no %s in this kernel", s.needs)
				return
			}
			g, healthy := c.healthy(t, s)
			for _, f := range s.faults {
				if !*long && seen[f.kind] {
					continue
				}
				seen[f.kind] = true
				r := &result{site: s.name, fault: f}
				if t.Run(f.on+" "+f.do, func(t *testing.T) {
					if g == nil {
						g = s.working(t, nil)
					}
					r.try(t, g, healthy)
				}) {
					c.all = append(c.all, r)
				}
				g = nil // it is broken
			}
		})
	}
	c.judge(t)
}

// clinic gathers results.
type clinic struct {
	sites  int
	alarms []string
	all    []*result
}

// healthy looks at a site that works, and returns what Check says of it.
func (c *clinic) healthy(t *testing.T, s site) (g *ground, said []visit) {
	g = s.working(t, s.answers)
	c.sites++
	facts := g.facts(t)
	for _, f := range forms {
		all := g.examine(t, f, facts)
		if f == fullForm {
			said = all
		}
		if found := g.ailments(all, nil, lvs.SeverityBroken); len(found) > 0 {
			c.alarms = append(c.alarms, fmt.Sprintf("%s, %s: %s", s.name, f, join(found)))
		}
	}
	return g, said
}

// working builds a site, and waits until clients are answered.
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

// try breaks a site, and sees what comes of it.
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
	said := g.examine(t, fullForm, g.facts(t))
	broken, risks := g.ailments(said, healthy, lvs.SeverityBroken), g.ailments(said, healthy, lvs.SeverityRisk)
	r.answer, r.says = judge(r, broken, risks, said)
	switch r.answer {
	case answerFound:
		r.treat(g, broken, answers)
	case answerRisk:
		r.treat(g, risks, answers)
	}
	t.Logf("%s: %s: %s: %s", r.traffic, r.answer, r.says, r.cure)
}

// treat applies the fixes of findings, or follows their advice where there is none,
// and notes what is still wrong.
func (r *result) treat(g *ground, all []ailment, answers []string) {
	err := g.treat(all)
	if errors.Is(err, errNoFix) {
		if r.advice, err = g.heed(r.fault, all); r.advice == "" {
			err = fmt.Errorf("%w, and the advice is: %s", errNoFix, all[0].Advice)
		}
	}
	r.cure = g.recovers(answers)
	if r.cure != "" && err != nil {
		r.cure = fmt.Sprintf("%v; %s", err, r.cure)
	}
}

func judge(r *result, broken, risks []ailment, said []visit) (answer, string) {
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
	if unseen := named(said, r.doubt); unseen != "" {
		return answerUnseen, unseen
	}
	return answerSilent, ""
}

// judge compares with the goal, and with what was reached before.
func (c *clinic) judge(t *testing.T) {
	f := sum(c.sites, len(c.alarms), c.all)
	if *long {
		which := cmp.Or(strings.Trim(*family, " ,"), "All")
		if *firewalls {
			which = "What takes iptables or nft"
		}
		fmt.Printf("## %s in Linux %s (%s)\n\n%s\n%s\n<!-- end -->\n", which, os.Getenv(testbed.KernelEnv), os.Getenv("LVS_KERNEL_NAME"), f, tableOf(c.all))
	}
	for _, alarm := range c.alarms {
		t.Logf("false alarm on a healthy host: %s", alarm)
	}
	for _, r := range c.all {
		if text := r.unlike(); text != "" {
			t.Logf("%s, %s: %s: %s: %s %s", r.site, r.on, r.do, text, r.traffic, r.says)
		}
	}
	for _, m := range f.measures() {
		if m.is < m.reached {
			t.Errorf("%s: %d %%, which was %d %% before, and is to be %d %%", m.what, m.is, m.reached, m.goal)
		}
	}
}

// unlike says how a result is not as it should be whatever the others are.
func (r *result) unlike() string {
	switch r.answer {
	case answerAlarm:
		return "false alarm on a fault that breaks nothing"
	case answerSilent:
		return "nothing is found, and nothing is listed as unseen"
	}
	return ""
}
