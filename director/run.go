package director

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/health"
)

// settle is how long a wanted table waits for others that come right after it.
const settle = 100 * time.Millisecond

// run is what one Run knows. Its goroutine owns it.
type run struct {
	*Director

	want  *Update // the newest wanted table; nil before the first
	kept  *Update // the one with which the table was in sync last; nil before that
	owned *Update // the one of which the state is; nil before that

	state     lvs.TableState // of the table that was applied
	unwritten bool           // the state file has an older state

	left    left // as the Director left the table; nil before the first look
	inScope func(lvs.ServiceID) bool
	told    map[driftKey]Drift // what was reported since then

	unsure map[lvs.ServiceID]bool // services that a change of unknown outcome is about

	watched         *Update            // what the monitor checks; nil before the first
	onPath          bool               // checks go through IPVS, or have gone
	urgent          bool               // weights have changed, and the table has not
	endOfMonitor    func()             // ends it; nil if it does not run
	goal            lvs.Table          // what the table was made last, with the weights of the monitor
	lookedAt        time.Time          // the last look
	overridesWatch  fileWatch          // of [Options.OverridesFile]
	overridesBroken bool               // that file
	decided         []health.Override  // the overrides that were reported
	runHook         func(*health.Hook) // in a goroutine that ends with the run
	hooksRunning    sync.WaitGroup     // of them

	lookAt, drainAt, pollAt, overridesAt time.Time // when to do that; the zero time is never

	broken  bool // the source
	refused bool // the newest wanted table
	fresh   bool // the wanted table has not been tried yet

	settling bool // the next look waits for other tables

	looks, drains trouble   // with looks at the table, and with drains
	stale         int       // attempts in a row
	repaired      backoff   // drifts that were put right, as if each were a failure
	repairedAt    time.Time // the last one
	holdUntil     time.Time // before which none is
	held          bool      // the last look found one
}

// begin returns a run that has done nothing yet.
func (d *Director) begin() (*run, error) {
	earlier := d.Status() // of an earlier Run
	r := &run{Director: d, told: map[driftKey]Drift{}, broken: earlier.Source != "", refused: earlier.Refused != ""}
	if d.o.StateFile != "" {
		var err error
		if r.state, err = lvs.ReadTableState(d.o.StateFile); err != nil {
			return nil, err
		}
	}
	if err := r.beginOverrides(); err != nil {
		return nil, err
	}
	now := time.Now()
	if r.feed.poll != nil {
		r.pollAt = now
	}
	if earlier.Wanted != nil {
		r.want, r.fresh, r.lookAt = &Update{Table: d.wanted.Table, Health: d.wanted.Health, Hooks: d.wanted.Hooks}, true, now
	}
	r.drainsFrom(now)
	return r, nil
}

// work does what is due. Nothing is due once the context has ended, even if wait returned
// because of a timer that fired at the same moment.
func (r *run) work(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	r.reportHealth()
	now := time.Now()
	if due(r.pollAt, now) {
		r.pollAt = now.Add(r.feed.interval)
		r.read(r.feed.poll())
	}
	if due(r.overridesAt, now) {
		r.overridesAt = now.Add(overridesInterval)
		r.readOverrides()
	}
	look := due(r.lookAt, now)
	if due(r.drainAt, now) || look && len(r.state.Drains) > 0 {
		if err := r.continueDrains(ctx); err != nil {
			return err
		}
	}
	if look {
		if err := r.look(ctx); err != nil {
			return err
		}
	}
	return nil
}

func due(at, now time.Time) bool { return !at.IsZero() && !now.Before(at) }

// wait waits until something is due or something new has come, and notes what.
func (r *run) wait(ctx context.Context) error {
	timer := time.NewTimer(r.rest(time.Now()))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
	case <-r.wake:
		r.take(r.taken())
	case e := <-r.checked:
		r.reportChecked(e)
	case u, ok := <-r.feed.updates:
		if !ok {
			r.feed.updates = nil
			return nil
		}
		r.read(news{update: &u})
	}
	return nil
}

// rest returns how long nothing is due.
func (r *run) rest(now time.Time) time.Duration {
	rest := time.Hour
	for _, at := range []time.Time{r.lookAt, r.drainAt, r.pollAt, r.overridesAt} {
		if !at.IsZero() {
			rest = min(rest, at.Sub(now))
		}
	}
	return max(0, rest)
}

// take does what was asked for by the Director's methods.
func (r *run) take(a asked) {
	if a.update != nil {
		r.accept(*a.update)
	}
	if a.allow && r.want != nil && r.refused {
		r.want.AllowRemovals = true
		r.lookBy(time.Now())
	}
	if a.look {
		r.fresh = true
		r.lookBy(time.Now())
	}
	if a.override {
		r.reportOverrides()
	}
	for _, e := range a.hookFailures {
		r.emit(e)
	}
	if a.weights || a.override {
		r.follow()
	}
}

// read takes what the source has.
func (r *run) read(n news) {
	err := n.err
	if n.update != nil {
		err = r.check(*n.update)
	}
	switch {
	case err != nil:
		r.broken = true
		r.publish(func(s *Status) { s.Source = err.Error(); s.Counts.Unusable++ })
		r.emit(SourceBroken{err})
		return
	case n.update == nil && !n.recovered:
		return
	case r.broken:
		r.broken = false
		r.publish(func(s *Status) { s.Source = "" })
		r.emit(SourceRecovered{})
	}
	if n.update != nil {
		r.accept(n.update.clone())
	}
}

// accept makes an update the wanted one. The next look is a moment later, so that other
// updates that come until then count as well. The same table again changes nothing, but
// may be allowed now.
func (r *run) accept(u Update) {
	if r.want != nil && r.want.equal(u) {
		if u.AllowRemovals && r.refused {
			r.want.AllowRemovals = true
			r.lookBy(time.Now())
		}
		return
	}
	r.want, r.fresh, r.refused = &u, true, false
	r.publish(func(s *Status) {
		s.Wanted, r.wanted = &u.Table, u
		s.refuse("", 0, 0)
		s.sync(false)
	})
	if !r.settling {
		r.lookAt, r.settling = time.Now().Add(settle), true
	}
}

// lookBy makes the next look at the table come no later.
func (r *run) lookBy(t time.Time) {
	if r.lookAt.IsZero() || t.Before(r.lookAt) {
		r.lookAt = t
	}
}

// backoff returns when to try again after one more failure.
func (r *run) backoff(b *backoff) time.Time {
	return time.Now().Add(b.next(r.o.Backoff, r.o.MaxBackoff, r.o.random()))
}

// emit reports an event.
func (r *run) emit(e Event) {
	level := slog.LevelInfo
	switch e := e.(type) {
	case Drift, ApplyFailed, Refused, SourceBroken, OverridesBroken, HookFailed:
		level = slog.LevelWarn
	case Health:
		level = e.level()
	}
	r.o.Logger.Log(context.Background(), level, "director: "+e.String())
	if r.o.OnEvent != nil {
		r.o.OnEvent(e)
	}
}

// trouble is attempts of one kind that failed.
type trouble struct {
	backoff
	last string // error; "" after a success
}

// fail notes an attempt that failed, and sets when to try again. An error after which
// nothing can succeed is returned.
func (r *run) fail(ctx context.Context, plan lvs.TablePlan, err error, t *trouble, at *time.Time) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if errors.Is(err, lvs.ErrClosed) {
		return err
	}
	t.last, *at = err.Error(), r.backoff(&t.backoff)
	r.publish(func(s *Status) { s.Counts.Failures++ })
	r.publishTrouble()
	r.emit(ApplyFailed{plan, err, *at})
	return nil
}

// succeed notes an attempt that did not fail.
func (r *run) succeed(t *trouble) {
	*t = trouble{}
	r.publishTrouble()
	if t == &r.looks {
		r.publish(func(s *Status) { s.Succeeded = time.Now().Round(0) })
	}
}

// publishTrouble publishes what went wrong, and when the next attempt is made.
func (r *run) publishTrouble() {
	var retry time.Time
	if r.looks.last != "" || r.held {
		retry = r.lookAt
	}
	if r.drains.last != "" && (retry.IsZero() || r.drainAt.Before(retry)) {
		retry = r.drainAt
	}
	r.publish(func(s *Status) { s.Error, s.Retry = cmp.Or(r.looks.last, r.drains.last), retry.Round(0) })
}

// refuse notes what is refused, or with "" that nothing is.
func (s *Status) refuse(why string, steps, removals int) {
	s.Refused, s.RefusedSteps, s.RefusedRemovals = why, steps, removals
}

// sync notes whether the table is as wanted.
func (s *Status) sync(in bool) {
	if in != s.InSync || s.Since.IsZero() {
		s.InSync, s.Since = in, time.Now().Round(0)
	}
}
