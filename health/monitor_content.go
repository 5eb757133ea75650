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
		if differs {
			m.events = append(m.events, ContentDiffers{s.ID, mb.server.Addr, c, mostOthers(counts, c)})
		} else {
			m.events = append(m.events, ContentAgrees{s.ID, mb.server.Addr})
		}
	}
}

// mostOthers returns the content that most servers serve of those that do not serve c.
func mostOthers(counts map[string]int, c string) (most string) {
	for other, n := range counts {
		if other != c && (most == "" || n > counts[most] || n == counts[most] && other < most) {
			most = other
		}
	}
	return most
}

// content returns what a server serves that works; "" if that is not known.
func (mb *member) content() string {
	if mb.state != Up {
		return ""
	}
	for _, w := range mb.watches {
		if w.ok && w.answer.Content != "" {
			return w.answer.Content
		}
	}
	return ""
}
