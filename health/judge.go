package health

// judge decides from the results of probes whether a server works.
type judge struct {
	state  State
	ok     bool // the last result
	streak int  // how many results in a row were like the last one
}

// note takes a result, and reports whether the state has changed. The first success of a
// server of which nothing is known counts at once: it was waiting for it.
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

// together returns the state of a server with several checks: it works if all say so.
func together(states []State) State {
	all := Up
	for _, s := range states {
		switch s {
		case Down:
			return Down
		case Unknown:
			all = Unknown
		}
	}
	return all
}
