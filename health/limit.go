package health

// measure is what works of a service, in each unit that a limit may have.
type measure struct {
	count, of int // servers
	weight    int // of those that work
}

// unit returns in what a limit is.
func (l Limit) unit() string {
	switch {
	case l.Share > 0:
		return "of the servers"
	case l.Weight > 0:
		return "of weight"
	}
	return "servers"
}

// isZero reports whether there is no limit.
func (l Limit) isZero() bool { return l.Share == 0 && l.Count == 0 && l.Weight == 0 }

// working returns what works in the unit of the limit, and how much there is at most.
func (l Limit) working(m measure, total int) (works, most float64) {
	switch {
	case l.Share > 0:
		if m.of == 0 {
			return 0, 1
		}
		return float64(m.count) / float64(m.of), 1
	case l.Weight > 0:
		return float64(m.weight), float64(total)
	}
	return float64(m.count), float64(m.of)
}

// needed returns what must work to be on the other side of the limit: the least if enough
// works, and Hysteresis more than that if too little does, but no more than there is.
func (l Limit) needed(below bool, most float64) float64 {
	least := l.Share + float64(l.Count) + float64(l.Weight) // one of them is set
	if !below {
		return least
	}
	return max(least, min(least+l.Hysteresis, most))
}

// below reports whether too little works, given whether that was so before.
func (l Limit) below(was bool, works, most float64) bool {
	return !l.isZero() && works < l.needed(was, most)
}
