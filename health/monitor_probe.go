package health

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

const (
	// grace is how much longer than its timeout a probe may take, before it is given up as
	// one that does not end. A good one takes that long on a busy machine.
	grace = 500 * time.Millisecond

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

// panicked returns the error of a probe that panicked, for its deferred function.
func panicked(v any) *brokenError {
	return &brokenError{clip(fmt.Sprintf("panicked: %v", v)), string(debug.Stack())}
}

// ask calls a probe. A panic is a failure like others: one probe must not end the checks
// of all servers.
func ask(ctx context.Context, p Probe, t Target) (answer Answer, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = panicked(v)
		}
	}()
	return p.Probe(ctx, t)
}

// finding is what came of a probe.
type finding struct {
	answer Answer
	failed string       // why it failed; "" if it did not
	broken *brokenError // nil if it behaved

	target Target // that was asked
	ready  bool   // the target was prepared
}

// probe begins a probe. Each watch has at most one under way.
func (m *Monitor) probe(ctx context.Context, w *watch, now time.Time) {
	due := now
	if w.due.After(now) {
		due = w.due
	}
	if !m.connect(w, due) {
		m.call(ctx, w, now, due)
	}
}

// call calls a probe in a goroutine of its own, so that a server that hangs delays no
// other. The end of ctx does not end it: then it would fail, and the server with it. See
// [Monitor.leave].
func (m *Monitor) call(ctx context.Context, w *watch, now, due time.Time) {
	if m.left >= mostLeft {
		m.queue.set(w, now.Add(leftPause))
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.check.Timeout)
	a := &attempt{began: now, due: due, cancel: cancel}
	w.running = a
	m.queue.set(w, now.Add(w.check.Timeout+grace))
	check, target, path := w.check, w.target, w.path
	m.probes.Go(func() {
		defer cancel()
		m.returned(w, a, probeOnce(ctx, check, target, path))
	})
}

// probeOnce makes a probe. The methods of its error are called here as well, where a panic
// does no harm.
func probeOnce(ctx context.Context, c Check, t Target, path PathFunc) (f finding) {
	defer func() {
		if v := recover(); v != nil {
			f.broken = panicked(v)
			f.failed = t.failure(f.broken)
		}
	}()
	var err error
	if path != nil {
		t, err = path(t)
		f.target, f.ready = t, err == nil
	}
	if err == nil {
		f.answer, err = c.Probe.Probe(ctx, t)
	}
	// What waits for the deadline itself may end before the context does.
	if end, ok := ctx.Deadline(); ok && !time.Now().Before(end) {
		err = late(c.Timeout, err)
	}
	if err != nil {
		errors.As(err, &f.broken)
		f.failed = t.failure(err)
	}
	return f
}

// failure returns why a probe of the target failed.
func (t Target) failure(err error) string {
	return cmp.Or(clip(t.explain(err).Error()), "it did not say why")
}

// late returns the error of a probe that took longer than it may, also if it succeeded.
func late(timeout time.Duration, err error) error {
	if err == nil {
		err = context.DeadlineExceeded
	}
	return fmt.Errorf("no answer in %s: %w", timeout, err)
}

// returned takes the result of a probe.
func (m *Monitor) returned(w *watch, a *attempt, f finding) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if a.left {
		m.left--
		return
	}
	w.running = nil
	if f.ready {
		w.target, w.path = f.target, nil
	}
	now := time.Now()
	if a.late {
		m.askAt(w, w.due.Add(-w.check.Timeout-grace), now)
		return
	}
	m.take(w, a.began, now, f)
	m.next(w, a.due, now)
}

// leave cancels the probe of a watch that is under way, and forgets it.
func (m *Monitor) leave(w *watch) {
	m.queue.remove(w)
	switch {
	case w.running == nil:
	case w.running.socket != nil:
		m.closeSocket(w)
	default:
		w.running.cancel()
		w.running.left = true
		m.left++
	}
	w.running = nil
}

// giveUp counts a probe that does not end as failed. The next one begins when it has
// returned; until then, it fails again at each interval.
func (m *Monitor) giveUp(w *watch, now time.Time) {
	w.running.late = true
	began := w.due.Add(-w.check.Timeout - grace)
	broken := &brokenError{problem: fmt.Sprintf("does not end: no answer in %s", w.check.Timeout)}
	m.take(w, began, now, finding{failed: w.target.failure(broken), broken: broken})
	m.next(w, began, now)
	m.queue.set(w, w.due.Add(w.check.Timeout+grace))
}

// take judges a result.
func (m *Monitor) take(w *watch, began, now time.Time, f finding) {
	w.last, w.took, w.reason = now, now.Sub(began), f.failed
	was := w.answer
	if f.failed == "" {
		w.answer = f.answer
	}
	m.reportBroken(w, f)
	changed := w.note(f.failed == "", w.check.Rise, w.check.Fall)
	content := changed || w.answer.Content != was.Content
	for _, mb := range w.users {
		follows := w.ok && w.state == Up && (w.answer.Reported || mb.load.asks()) && mb.follow(now)
		if changed {
			m.settle(mb, now)
		}
		gaveUp := mb.rising && !w.ok
		if gaveUp {
			mb.rising = false
		}
		compares := content && mb.service.policy.SameContent
		mb.service.contentChanged = mb.service.contentChanged || compares
		if changed || follows || gaveUp || compares {
			m.weighSoon(mb.service, now)
		}
	}
	if len(m.events) > 0 {
		m.note()
	}
}

// reportBroken reports a probe that does not behave as one, once until it does.
func (m *Monitor) reportBroken(w *watch, f finding) {
	was := w.broken
	if w.broken = f.broken != nil; w.broken && !was {
		m.events = append(m.events, ProbeBroken{w.target.Service, w.target.Server, w.text, f.broken.problem, f.broken.stack})
	}
}

// next sets when the next probe begins, after one that was due at a time.
func (m *Monitor) next(w *watch, last, now time.Time) {
	m.askAt(w, w.after(last), now)
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
