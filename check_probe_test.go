package lvs

import (
	"slices"
	"testing"
)

// A rule is found that gives packets a mark of health checks.
func TestCheckProbeMarks(t *testing.T) {
	for _, c := range []struct {
		rule  FirewallRule
		found bool
	}{
		{FirewallRule{Table: "mine", Chain: "marks", Verdict: "mark", SetMark: FirstProbeMark}, true},
		{FirewallRule{Table: "mine", Chain: "marks", Verdict: "mark", SetMark: LastProbeMark}, true},
		{FirewallRule{Table: "mine", Chain: "marks", Verdict: "mark", SetMark: FirstProbeMark - 1}, false},
		{FirewallRule{Table: "mine", Chain: "marks", Verdict: "mark", SetMark: LastProbeMark + 1}, false},
		{FirewallRule{Table: "mine", Chain: "marks", Verdict: "accept", Mark: FirstProbeMark, Mask: 1<<32 - 1}, false},
	} {
		director, server := firewallGround(t, DR(), "")
		director.FirewallRules = append(director.FirewallRules, c.rule)
		all := judgeHosts(director, nil, nil, []HostState{server}).Findings
		found := slices.DeleteFunc(all, func(f Finding) bool { return f.Code != FindingProbeMark })
		if (len(found) == 1) != c.found || c.found && (found[0].Severity != SeverityRisk || found[0].Advice == "") {
			t.Errorf("%+v: got %v", c.rule, found)
		}
	}
}
