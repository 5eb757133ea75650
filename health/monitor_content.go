package health

// compare finds the servers of a service whose content is not that of most others.
func (m *Monitor) compare(s *service) {
	counts := map[string]int{}
	servers := 0
	for _, mb := range s.members {
		if c := mb.content(); c != "" {
			counts[c]++
			servers++
		}
	}
	most, next := mostServed(counts)
	for _, mb := range s.members {
		c := mb.content()
		if c == "" {
			continue // it is not known whether it differs
		}
		// Of two that are not the same, nothing says which is wrong: both differ.
		differs := 2*(counts[c]-1) < servers-1
		if differs == mb.differs {
			continue
		}
		mb.differs = differs
		others := most
		if c == most {
			others = next
		}
		if differs {
			m.events = append(m.events, ContentDiffers{s.ID, mb.server.Addr, c, others})
		} else {
			m.events = append(m.events, ContentAgrees{s.ID, mb.server.Addr})
		}
	}
}

// mostServed returns the content that most servers serve, and the one that most of the
// others do; "" if there is none.
func mostServed(counts map[string]int) (most, next string) {
	more := func(a, b string) bool {
		return counts[a] > counts[b] || counts[a] == counts[b] && a < b
	}
	for c := range counts {
		switch {
		case more(c, most):
			most, next = c, most
		case more(c, next):
			next = c
		}
	}
	return most, next
}

// content returns what a server serves that works; "" if that is not known.
func (mb *member) content() string {
	if mb.state != Up {
		return ""
	}
	for _, w := range mb.watches {
		if w.answer.Content != "" {
			return w.answer.Content
		}
	}
	return ""
}
