package health

import (
	"context"
	"fmt"
	"time"
)

// grace is how much longer than its timeout a probe may take, before it is given up as
// one that does not end.
const grace = 50 * time.Millisecond

// probe begins a probe in a goroutine of its own. Each watch has at most one under way,
// so that a server that hangs delays no other.
func (m *Monitor) probe(ctx context.Context, w *watch, now time.Time) {
	ctx, cancel := context.WithTimeout(ctx, w.check.Timeout)
	a := &attempt{began: now, cancel: cancel}
	w.running = a
	m.queue.set(w, now.Add(w.check.Timeout+grace))
	m.probes.Go(func() {
		defer cancel()
		answer, err := ask(ctx, w.check.Probe, w.target)
		if err == nil && ctx.Err() != nil {
			err = ctx.Err()
		}
		if err != nil && ctx.Err() == context.DeadlineExceeded {
			err = fmt.Errorf("no answer in %s: %w", w.check.Timeout, err)
		}
		m.returned(w, a, answer, err)
	})
}

// ask calls a probe. A panic is a failure like others: one probe must not end the checks
// of all servers.
func ask(ctx context.Context, p Probe, t Target) (answer Answer, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("the probe panicked: %v", v)
		}
	}()
	return p.Probe(ctx, t)
}

// returned takes the result of a probe.
func (m *Monitor) returned(w *watch, a *attempt, answer Answer, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if w.gone || w.running != a {
		return // the watch was forgotten, or the Run has ended
	}
	w.running = nil
	now := time.Now()
	if a.late {
		m.next(w, now, now)
		return
	}
	m.take(w, a.began, now, answer, err)
}

// giveUp counts a probe that does not end as failed. The next one begins when it has
// returned; until then, it fails again at each interval.
func (m *Monitor) giveUp(w *watch, now time.Time) {
	w.running.late = true
	began := w.due.Add(-w.check.Timeout - grace)
	m.take(w, began, now, Answer{}, fmt.Errorf("the probe does not end: no answer in %s", w.check.Timeout))
	m.queue.set(w, w.due.Add(w.check.Timeout+grace))
}

// take judges a result, and sets when the next probe begins.
func (m *Monitor) take(w *watch, began, now time.Time, answer Answer, err error) {
	w.last, w.took, w.err, w.answer = now, now.Sub(began), w.target.explain(err), answer
	changed := w.note(err == nil, w.check.Rise, w.check.Fall)
	m.next(w, began, now)
	for _, mb := range w.users {
		follows := false
		if share, ok := reported(mb.answers()...); ok && answer.Reported {
			follows = mb.load.take(share, mb.service.policy.Load, now)
		}
		if changed {
			m.settle(mb, now)
		}
		if changed || follows {
			m.weighBy(mb.service, now.Add(settling))
		}
		if mb.service.policy.SameContent {
			m.compare(mb.service)
		}
	}
	if len(m.events) > 0 || !m.stepAt.IsZero() {
		m.note()
	}
}

// next sets when the next probe begins: an interval after the last one began.
func (m *Monitor) next(w *watch, began, now time.Time) {
	due := began.Add(w.interval())
	if due.Before(now) {
		due = now
	}
	m.queue.set(w, due)
	if m.queue[0] == w {
		m.note()
	}
}
