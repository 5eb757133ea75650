package director

import (
	"context"
	"errors"
	"slices"
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

// continueDrains removes what has been drained. If the state file cannot be written
// then, it owns too much until the next attempt, which finds what was removed gone.
func (r *run) continueDrains(ended context.Context) error {
	ctx, cancel := context.WithTimeout(ended, r.o.Timeout)
	defer cancel()
	left, ends, err := r.client.ContinueDrains(ctx, r.state.Drains)
	for _, end := range ends {
		r.forget(end)
	}
	r.state.Drains = left
	if len(ends) > 0 {
		err = errors.Join(err, r.writeState())
	}
	r.publish(func(s *Status) { s.Drains = left })
	for _, end := range ends {
		r.reportEnd(end)
	}
	if err != nil {
		return r.fail(ended, lvs.TablePlan{}, err, &r.drainsFailed, &r.drainAt)
	}
	r.drainsFailed.reset()
	r.drainsFrom(time.Now())
	return nil
}

// forget gives up what a drain was about: it is gone, or another program wants it.
func (r *run) forget(end lvs.DrainEnd) {
	id, addr := end.Drain.Service, end.Drain.RealServer
	services := slices.Clone(r.state.Applied.Services)
	for i := range services {
		if services[i].ID == id {
			services[i].RealServers = slices.DeleteFunc(slices.Clone(services[i].RealServers),
				func(s lvs.RealServer) bool { return plain(s.Addr) == addr })
		}
	}
	if !addr.IsValid() {
		services = slices.DeleteFunc(services, func(s lvs.TableService) bool { return s.ID == id })
	}
	r.state.Applied.Services = services
	if r.left == nil || end.Reason == lvs.DrainTakenBack {
		return
	}
	if addr.IsValid() {
		r.left.make(lvs.RemoveRealServer(id, addr))
	} else {
		r.left.make(lvs.RemoveService(id))
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
	return r.state.WriteFile(r.o.StateFile)
}
