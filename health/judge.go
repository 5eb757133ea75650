package health

// judge decides from the results of probes whether a server works.
type judge struct {
	state  State
	ok     bool // the last result
	streak int  // how many results in a row were like the last one
}

// note takes a result, and reports whether the state has changed. The first success of a
// server that was unknown counts at once: that is what it waits for.
func (j *judge) note(ok bool, rise, fall int) (changed bool) {
	if ok != j.ok {
		j.streak = 0
	}
	j.ok = ok
	j.streak++
	was := j.state
	switch {
	case ok && (was == Unknown || j.streak >= rise):
		j.state = Up
	case !ok && j.streak >= fall:
		j.state = Down
	}
	return j.state != was
}

// together returns the state of a server with several checks: it works if all say so. If
// it failed, the reason is that of the first check that did.
func together(checks []*watch) (all State, reason string) {
	all = Up
	for _, w := range checks {
		switch {
		case w.state == Down && (all != Down || reason == ""):
			if all = Down; w.reason != "" {
				reason = w.text + ": " + w.reason
			}
		case w.state == Unknown && all == Up:
			all = Unknown
		}
	}
	return all, reason
}
