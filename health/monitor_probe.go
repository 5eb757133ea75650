package health

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

const (
	// grace is how much longer than its timeout a probe may take, before it is given up as
	// one that does not end.
	grace = 50 * time.Millisecond

	// mostLeft is how many probes may be under way whose results are not wanted any more.
	// They have been cancelled and return at once, unless they ignore their contexts.
	mostLeft = 10_000

	// leftPause is how long a probe waits while there are more.
	leftPause = 100 * time.Millisecond
)

// brokenError is the error of a probe that did not behave as one.
type brokenError struct {
	problem string
	stack   string // of a panic
}

// Error returns what it did.
func (e *brokenError) Error() string { return "the probe " + e.problem }

// probe begins a probe in a goroutine of its own. Each watch has at most one under way,
// so that a server that hangs delays no other. The end of ctx does not end it: then it
// would fail, and the server with it. See [Monitor.leave].
func (m *Monitor) probe(ctx context.Context, w *watch, now time.Time) {
	if m.left >= mostLeft {
		m.queue.set(w, now.Add(leftPause))
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.check.Timeout)
	a := &attempt{began: now, cancel: cancel}
	w.running = a
	m.queue.set(w, now.Add(w.check.Timeout+grace))
	m.probes.Go(func() {
		defer cancel()
		answer, err := ask(ctx, w.check.Probe, w.target)
		if ctx.Err() == context.DeadlineExceeded {
			err = late(w.check.Timeout, err)
		}
		m.returned(w, a, answer, err)
	})
}

// late returns the error of a probe that took longer than it may, also if it succeeded.
func late(timeout time.Duration, err error) error {
	if err == nil {
		err = context.DeadlineExceeded
	}
	return fmt.Errorf("no answer in %s: %w", timeout, err)
}

// ask calls a probe. A panic is a failure like others: one probe must not end the checks
// of all servers.
func ask(ctx context.Context, p Probe, t Target) (answer Answer, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &brokenError{clip(fmt.Sprintf("panicked: %v", v)), string(debug.Stack())}
		}
	}()
	return p.Probe(ctx, t)
}

// returned takes the result of a probe.
func (m *Monitor) returned(w *watch, a *attempt, answer Answer, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if a.left {
		m.left--
		return
	}
	w.running = nil
	now := time.Now()
	if a.late {
		m.askAt(w, w.due.Add(-w.check.Timeout-grace), now)
		return
	}
	m.take(w, a.began, now, answer, err)
}

// leave cancels the probe of a watch that is under way, and forgets it.
func (m *Monitor) leave(w *watch) {
	m.queue.remove(w)
	if w.running == nil {
		return
	}
	w.running.cancel()
	w.running.left = true
	w.running = nil
	m.left++
}

// giveUp counts a probe that does not end as failed. The next one begins when it has
// returned; until then, it fails again at each interval.
func (m *Monitor) giveUp(w *watch, now time.Time) {
	w.running.late = true
	began := w.due.Add(-w.check.Timeout - grace)
	m.take(w, began, now, Answer{}, &brokenError{problem: fmt.Sprintf("does not end: no answer in %s", w.check.Timeout)})
	m.queue.set(w, w.due.Add(w.check.Timeout+grace))
}

// take judges a result, and sets when the next probe begins.
func (m *Monitor) take(w *watch, began, now time.Time, answer Answer, err error) {
	w.last, w.took, w.reason = now, now.Sub(began), ""
	was := w.answer
	if err == nil {
		w.answer = answer
	} else {
		w.reason = clip(w.target.explain(err).Error())
	}
	m.reportBroken(w, err)
	changed := w.note(err == nil, w.check.Rise, w.check.Fall)
	m.next(w, began, now)
	for _, mb := range w.users {
		follows := w.ok && (answer.Reported || was.Reported) && mb.follow(now)
		if changed {
			m.settle(mb, now)
		}
		if changed || follows {
			m.weighBy(mb.service, now.Add(settling))
		}
		if mb.service.policy.SameContent && (changed || w.answer.Content != was.Content) {
			m.compare(mb.service)
		}
	}
	if len(m.events) > 0 {
		m.note()
	}
}

// follow takes the share that the checks of a server report, and reports whether the one
// in use changed. One that is reported no more is all of it.
func (mb *member) follow(now time.Time) bool {
	share, ok := reported(mb.answers()...)
	if !ok {
		share = 1
	}
	return mb.load.take(share, mb.service.policy.Load, now)
}

// reportBroken reports a probe that does not behave as one, once until it does.
func (m *Monitor) reportBroken(w *watch, err error) {
	var broken *brokenError
	was := w.broken
	if w.broken = errors.As(err, &broken); w.broken && !was {
		m.events = append(m.events, ProbeBroken{w.target.Service, w.target.Server, describe(w.check.Probe), broken.problem, broken.stack})
	}
}

// next sets when the next probe begins, after one that began at a time.
func (m *Monitor) next(w *watch, began, now time.Time) {
	m.askAt(w, w.after(began), now)
}

// askAt makes the next probe begin at a time, or now if that has passed.
func (m *Monitor) askAt(w *watch, at, now time.Time) {
	if at.Before(now) {
		at = now
	}
	m.queue.set(w, at)
	if m.queue[0] == w {
		m.note()
	}
}
