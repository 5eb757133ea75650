package workload

import "time"

// timer is set for a connection. It is valid only while the connection has the
// number that the timer was set with.
type timer struct {
	at     time.Duration
	conn   int32
	number uint32
}

// timers is a heap whose first element is the next timer that is due. The order of
// timers for the same time depends only on the order in which they were added.
type timers []timer

func (h timers) next() time.Duration {
	if len(h) == 0 {
		return forever
	}
	return h[0].at
}

func (h *timers) push(t timer) {
	q := append(*h, t)
	i := len(q) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if q[parent].at <= t.at {
			break
		}
		q[i] = q[parent]
		i = parent
	}
	q[i] = t
	*h = q
}

func (h *timers) pop() timer {
	q := *h
	first, last := q[0], q[len(q)-1]
	q = q[:len(q)-1]
	*h = q
	if len(q) == 0 {
		return first
	}
	i := 0
	for {
		child := 2*i + 1
		if child >= len(q) {
			break
		}
		if child+1 < len(q) && q[child+1].at < q[child].at {
			child++
		}
		if last.at <= q[child].at {
			break
		}
		q[i] = q[child]
		i = child
	}
	q[i] = last
	return first
}

// line is the queue of a server.
type line struct {
	waiting []ticket
	first   int
}

// ticket is a connection that waits, as long as it still has the number.
type ticket struct {
	conn   int32
	number uint32
}

func (l *line) push(t ticket) { l.waiting = append(l.waiting, t) }

func (l *line) pop() (t ticket, ok bool) {
	if l.first == len(l.waiting) {
		return t, false
	}
	t = l.waiting[l.first]
	if l.first++; l.first > 64 && 2*l.first > len(l.waiting) {
		l.waiting = l.waiting[:copy(l.waiting, l.waiting[l.first:])]
		l.first = 0
	}
	return t, true
}

func (l *line) clear() { *l = line{} }
