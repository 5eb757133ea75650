package director

import (
	"context"
	"errors"
	"time"

	"github.com/golvs/lvs"
)

// drainInterval is the time between two looks at drains.
const drainInterval = 500 * time.Millisecond

// drainsFrom sets when to look at the drains that are under way: now and then, and at
// their deadlines.
func (r *run) drainsFrom(now time.Time) {
	r.drainAt = time.Time{}
	if len(r.state.Drains) == 0 {
		return
	}
	wait := drainInterval
	for _, d := range r.state.Drains {
		wait = min(wait, d.Deadline.Sub(now))
	}
	r.drainAt = now.Add(max(0, wait))
}

// continueDrains removes what has been drained.
func (r *run) continueDrains(ended context.Context) error {
	ctx, cancel := context.WithTimeout(ended, r.o.Timeout)
	defer cancel()
	left, ends, err := r.client.ContinueDrains(ctx, r.state.Drains)
	r.forget(ends)
	r.state.Drains = left
	if len(ends) > 0 || r.unwritten {
		if stateErr := r.writeState(); stateErr != nil {
			err = errors.Join(err, stateErr)
		}
	}
	r.publish(func(s *Status) { s.Drains = left })
	for _, end := range ends {
		r.reportEnd(end)
	}
	if err != nil {
		return r.fail(ended, lvs.TablePlan{}, err, &r.drains, &r.drainAt)
	}
	r.succeed(&r.drains)
	r.drainsFrom(time.Now())
	return nil
}

// forget gives up what drains were about when it is gone. What has a weight again stays
// the Director's: another program took it back, or the drain was interrupted when it
// began, and the next plan drains it again.
func (r *run) forget(ends []lvs.DrainEnd) {
	var removals []lvs.Change
	for _, end := range ends {
		switch {
		case end.Reason == lvs.DrainTakenBack:
		case end.Drain.RealServer.IsValid():
			removals = append(removals, lvs.RemoveRealServer(end.Drain.Service, end.Drain.RealServer))
		default:
			removals = append(removals, lvs.RemoveService(end.Drain.Service))
		}
	}
	if len(removals) == 0 {
		return
	}
	applied := leftOf(r.state.Applied)
	applied.make(removals...)
	r.state.Applied = applied.table()
	if r.left != nil {
		r.left.make(removals...)
	}
}

// reportEnd reports a drain that ended. A look follows: what another program took back
// is a drift, and a plan that was refused may remove more now.
func (r *run) reportEnd(end lvs.DrainEnd) {
	if end.Reason == lvs.DrainTakenBack || r.refused {
		r.lookBy(time.Now())
	}
	r.publish(func(s *Status) { s.Counts.Ended++ })
	r.emit(DrainEnded{end})
}

// writeState writes the state file, if there is one.
func (r *run) writeState() error {
	if r.o.StateFile == "" {
		return nil
	}
	err := r.state.WriteFile(r.o.StateFile)
	r.unwritten = err != nil
	return err
}

// keyOf returns what drains.
func keyOf(d lvs.Drain) driftKey { return driftKey{d.Service, d.RealServer} }

func drainsOf(drains []lvs.Drain) map[driftKey]lvs.Drain {
	all := make(map[driftKey]lvs.Drain, len(drains))
	for _, d := range drains {
		all[keyOf(d)] = d
	}
	return all
}
