package director

import (
	"context"
	"errors"
	"time"

	"github.com/golvs/lvs"
)

// apply makes the steps of a plan. Without steps, it notes what is the Director's now.
func (r *run) apply(ctx, ended context.Context, a attempt) error {
	if len(a.plan.Steps) == 0 && r.owned == a.target {
		r.fresh = false
		r.settled(a)
		return nil
	}
	drains := r.state.Drains
	result, err := r.client.ApplyTable(ctx, a.plan, lvs.ApplyOptions{StateFile: r.o.StateFile, State: &r.state})
	if errors.Is(err, lvs.ErrStale) && len(result.Steps) == 0 && ended.Err() == nil {
		return r.again(ended, a.plan, err)
	}
	r.stale, r.fresh = 0, false
	outcomes := outcomesOf(a.plan, result)
	r.publish(func(s *Status) { s.Drains, s.Counts.Changes = r.state.Drains, s.Counts.Changes+outcomes.changes })
	r.drainsFrom(time.Now())
	if err == nil {
		r.owned = a.target
		a.have.make(a.plan.Changes()...)
		r.settled(a)
	} else {
		r.noteFailure(a, outcomes)
	}
	r.reportDrains(drains, a.plan.Want)
	if err != nil {
		return r.failLook(ended, a.plan, err)
	}
	return nil
}

// outcomes is what a plan that was applied changed.
type outcomes struct {
	done, unknown []lvs.TableStep
	changes       int // of the steps that were done
}

func outcomesOf(plan lvs.TablePlan, result lvs.ApplyResult) (o outcomes) {
	for i, outcome := range result.Steps {
		step := plan.Steps[i]
		switch outcome {
		case lvs.StepMade, lvs.StepFound:
			o.done = append(o.done, step)
		case lvs.StepUnknown:
			o.unknown = append(o.unknown, step)
		}
	}
	o.changes = len(lvs.TablePlan{Steps: o.done}.Changes())
	return o
}

// noteFailure notes what the Director has made nevertheless, and reports the drifts of
// which it has put right some.
func (r *run) noteFailure(a attempt, o outcomes) {
	done, touched := stepsOf(lvs.TablePlan{Steps: o.done}), stepsOf(a.plan)
	r.respond(a.drifts, func(d Drift) Response {
		switch {
		case done.touch(d):
			return Repaired
		case touched.touch(d):
			return Unrepaired
		}
		return Kept
	})
	if r.left == nil {
		r.left, r.inScope = a.have, a.inScope
	}
	r.left.make(lvs.TablePlan{Steps: o.done}.Changes()...)
	if r.unsure == nil {
		r.unsure = map[lvs.ServiceID]bool{}
	}
	for _, step := range o.unknown {
		r.unsure[step.Change.ServiceID()] = true
	}
}

// failLook notes a look that failed.
func (r *run) failLook(ended context.Context, plan lvs.TablePlan, err error) error {
	r.publish(func(s *Status) { s.sync(false) })
	return r.fail(ended, plan, err, &r.looks, &r.lookAt)
}

// again looks again after a plan was stale, at once for the first time.
func (r *run) again(ended context.Context, plan lvs.TablePlan, err error) error {
	r.stale++
	r.publish(func(s *Status) { s.Counts.Stale++ })
	if r.stale > 1 {
		return r.failLook(ended, plan, err)
	}
	r.lookAt = time.Now()
	return nil
}

// reportDrains reports which drains a plan took back and began.
func (r *run) reportDrains(before []lvs.Drain, want lvs.Table) {
	if len(before)+len(r.state.Drains) == 0 {
		return
	}
	wanted, had, has := leftOf(want), drainsOf(before), drainsOf(r.state.Drains)
	for _, d := range before {
		if wanted.wants(d) && !has[keyOf(d)].Equal(d) {
			r.reportEnd(lvs.DrainEnd{Drain: d, Reason: lvs.DrainTakenBack, Ended: time.Now().UTC().Round(0)})
		}
	}
	for _, d := range r.state.Drains {
		if !had[keyOf(d)].Equal(d) {
			r.publish(func(s *Status) { s.Counts.Drains++ })
			r.emit(DrainBegan{d})
		}
	}
}
