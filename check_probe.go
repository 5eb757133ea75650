package lvs

// checkProbeMarks looks for rules that give packets a mark that is reserved for health
// checks: such a packet goes to the real server that has the mark, as if it were a probe.
func (j *judge) checkProbeMarks() {
	for _, r := range j.own.FirewallRules {
		if r.Verdict == "mark" && FWMark(r.SetMark).IsProbe() {
			j.add(j.own, FindingProbeMark.risk("a rule of the chain %s of the table %s gives packets the mark %d", r.Chain, r.Table, r.SetMark).
				advise("use a mark below %d or above %d, or let health checks use others: see Marks of health.TablePathOptions", FirstProbeMark, LastProbeMark))
		}
	}
}
