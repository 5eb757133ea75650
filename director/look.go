package director

import (
	"context"
	"slices"
	"time"

	"github.com/golvs/lvs"
)

// attempt is one look at the table, and what it leads to.
type attempt struct {
	target  *Update // what the table is compared with
	inScope func(lvs.ServiceID) bool
	have    left
	options lvs.TableOptions
	plan    lvs.TablePlan
	drifts  []Drift
	more    bool // another attempt must follow
}

// look reads the table and makes it as wanted.
func (r *run) look(ctx context.Context) error {
	if r.want == nil {
		r.lookAt = time.Time{}
		return nil
	}
	r.lookedAt = time.Now()
	r.lookAt, r.held, r.settling = r.lookedAt.Add(r.o.Resync), false, false
	ended := ctx
	ctx, cancel := context.WithTimeout(ctx, r.o.Timeout)
	defer cancel()
	a, err := r.compare(ctx)
	switch {
	case err != nil && ended.Err() != nil:
		return context.Cause(ended) // and nothing new is known of the table
	case err != nil:
		return r.failLook(ended, lvs.TablePlan{}, err)
	case a.target == nil:
		r.withhold(a)
	case r.mustHold(a):
		r.hold(a)
	default:
		return r.apply(ctx, ended, a)
	}
	return nil
}

// compare reads the table and finds what to do. The target is nil if nothing may be
// done. What a wanted table takes out of service is judged without its checks: what they
// take out is for their own limits.
func (r *run) compare(ctx context.Context) (attempt, error) {
	snapshot, err := r.client.Snapshot(ctx)
	if err != nil {
		return attempt{}, err
	}
	r.publish(func(s *Status) { s.Counts.Looks++; s.Looked = time.Now().Round(0) })
	table := snapshot.Table()
	a, err := r.compareWith(table, r.want, r.want.Table)
	if err != nil {
		return a, err
	}
	if gone := r.removalsOf(a); gone.exceed(r.o.MaxRemoval) && !r.want.AllowRemovals {
		if err := r.addNotes(ctx, &a); err != nil {
			return a, err
		}
		r.refuse(a.plan, gone)
		return r.compareWithKept(ctx, table, a)
	}
	r.accepted()
	return r.compareHealthy(ctx, table, a)
}

// compareWithKept falls back to the table that was applied last, if that would not
// remove too much as well.
func (r *run) compareWithKept(ctx context.Context, table lvs.Table, refused attempt) (attempt, error) {
	refused.target = nil
	if r.kept == nil {
		return refused, nil
	}
	a, err := r.compareWith(table, r.kept, r.kept.Table)
	if err != nil {
		return a, err
	}
	if r.removalsOf(a).exceed(r.o.MaxRemoval) {
		return refused, nil
	}
	return r.compareHealthy(ctx, table, a)
}

// compareWith finds what makes a table what is wanted for a target.
func (r *run) compareWith(table lvs.Table, target *Update, want lvs.Table) (attempt, error) {
	inScope := r.scopeWith(target.Table)
	have := lvs.Table{Services: slices.DeleteFunc(slices.Clone(table.Services), func(s lvs.TableService) bool { return !inScope(s.ID) })}
	a := attempt{target: target, inScope: inScope, have: leftOf(have), options: r.optionsFor(have)}
	var err error
	if a.plan, err = lvs.Diff(table, want, a.options); err != nil {
		return a, err
	}
	if r.left != nil {
		a.drifts = r.left.drifts(a.have, func(id lvs.ServiceID) bool { return r.inScope(id) && inScope(id) && !r.unsure[id] })
	}
	return a, nil
}

// addNotes says what the steps of a plan do on the host, if that is asked for. Only this
// reads what that depends on.
func (r *run) addNotes(ctx context.Context, a *attempt) (err error) {
	if a.options.Host != nil && len(a.plan.Steps) > 0 {
		a.plan, err = r.client.PlanTable(ctx, a.plan.Want, a.options)
	}
	return err
}

// scopeWith returns which services are in scope when a table is wanted.
func (r *run) scopeWith(want lvs.Table) func(lvs.ServiceID) bool {
	known := make(map[lvs.ServiceID]bool, len(want.Services))
	for _, services := range [][]lvs.TableService{want.Services, r.state.Applied.Services} {
		for _, s := range services {
			known[s.ID] = true
		}
	}
	for _, d := range r.state.Drains {
		known[d.Service] = true
	}
	return func(id lvs.ServiceID) bool { return r.o.Table.Scope.Contains(id, known[id]) }
}

// optionsFor returns how to compare the part of the table that is in scope. Unless it
// is shared with other programs, all of it counts as applied by the Director, so that
// whatever is not wanted goes.
func (r *run) optionsFor(have lvs.Table) lvs.TableOptions {
	o := r.o.Table
	last := r.state
	if !r.o.Shared {
		last.Applied = have
	}
	o.Last = &last
	return o
}

// refuse reports a plan that would remove too much, once for each wanted table.
func (r *run) refuse(plan lvs.TablePlan, gone removals) {
	e := Refused{plan, gone.gone, gone.of, r.o.MaxRemoval}
	again := r.refused
	r.refused = true
	r.publish(func(s *Status) {
		s.refuse(e.why(), len(plan.Steps), gone.gone)
		if !again {
			s.Counts.Refusals++
		}
		s.sync(false)
	})
	if !again {
		r.emit(e)
	}
}

// accepted notes that the newest wanted table may be applied.
func (r *run) accepted() {
	if r.refused {
		r.refused = false
		r.publish(func(s *Status) { s.refuse("", 0, 0) })
	}
}

// withhold reports drifts when nothing may be done.
func (r *run) withhold(a attempt) {
	r.respond(a.drifts, responseTo(a.plan, Withheld))
	r.leave(a)
	r.succeed(&r.looks)
}

// mustHold reports whether a plan would put right again what was put right just before.
// Weights that follow from health do not wait.
func (r *run) mustHold(a attempt) bool {
	return !r.fresh && !r.urgent && time.Now().Before(r.holdUntil) && slices.ContainsFunc(a.drifts, stepsOf(a.plan).touch)
}

// hold reports drifts that have to wait.
func (r *run) hold(a attempt) {
	r.respond(a.drifts, responseTo(a.plan, Delayed))
	r.lookAt, r.held = r.holdUntil, true
	r.succeed(&r.looks)
	r.publish(func(s *Status) { s.sync(false) })
}
