package lvs

// firewall is that of a host, in a form to follow packets through.
type firewall struct {
	marks bool // rules may mark packets
}

func newFirewall(f HostFacts) *firewall {
	w := &firewall{}
	for _, r := range f.FirewallRules {
		w.marks = w.marks || r.Verdict == "mark" || r.Verdict == "other"
	}
	return w
}
