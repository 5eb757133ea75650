package director

import (
	"net/netip"
	"slices"
	"time"

	"github.com/golvs/lvs"
)

// driftKey is what was changed.
type driftKey struct {
	service lvs.ServiceID
	server  netip.AddrPort // the zero value: the service itself
}

func (d Drift) key() driftKey { return driftKey{d.Service, d.RealServer} }

// steps are what a plan changes.
type steps struct {
	changed map[driftKey]bool
	moved   map[lvs.ServiceID]bool // services of which it adds real servers again
}

// stepsOf returns what a plan changes. With a service that is added or removed, all of
// its real servers are.
func stepsOf(plan lvs.TablePlan) steps {
	all := steps{make(map[driftKey]bool, len(plan.Steps)), map[lvs.ServiceID]bool{}}
	for _, s := range plan.Steps {
		key := driftKey{s.Change.ServiceID(), s.Change.RealServerAddr()}
		if s.Change.Op() == lvs.OpAddRealServer && all.changed[key] {
			all.moved[key.service] = true
		}
		all.changed[key] = true
		for _, server := range s.RealServers { // of a service that is removed
			all.changed[driftKey{key.service, server.Addr}] = true
		}
	}
	return all
}

// touch reports whether a drift is of something that the plan changes. An order can be
// restored by moving other real servers than those that were moved.
func (s steps) touch(d Drift) bool { return s.changed[d.key()] || d.moved() && s.moved[d.Service] }

// responseTo returns the response to drifts: one to those of what a plan changes, while
// the others are kept.
func responseTo(plan lvs.TablePlan, touched Response) func(Drift) Response {
	all := stepsOf(plan)
	return func(d Drift) Response {
		if all.touch(d) {
			return touched
		}
		return Kept
	}
}

// respond reports drifts with what is done about them, except those that were reported
// like that before.
func (r *run) respond(drifts []Drift, response func(Drift) Response) {
	for _, d := range drifts {
		d.Response = response(d)
		before, known := r.told[d.key()]
		if known && before.equal(d) {
			continue
		}
		r.told[d.key()] = d
		r.publish(func(s *Status) {
			if !known || !before.Is.Equal(d.Is) {
				s.Counts.Drifts++
			}
			if d.Response == Repaired {
				s.Counts.Repairs++
			}
		})
		r.emit(d)
	}
}

// settled notes that the table is like the target, and that the Director leaves it so.
func (r *run) settled(a attempt) {
	r.respond(a.drifts, responseTo(a.plan, Repaired))
	if len(a.plan.Steps) > 0 {
		r.publish(func(s *Status) { s.Counts.Applied++; s.Applied = time.Now().Round(0) })
		r.emit(Applied{a.plan})
	}
	r.holdAfter(slices.ContainsFunc(a.drifts, stepsOf(a.plan).touch))
	r.leave(a)
	r.urgent, r.goal = a.more, a.plan.Want
	if a.more {
		r.lookBy(time.Now())
	}
	inSync := a.target == r.want && !a.more
	if inSync {
		r.kept = r.want
		r.want.AllowRemovals = false
	}
	r.succeed(&r.looks)
	r.publish(func(s *Status) {
		s.Unwanted, s.Misordered = a.plan.Unwanted, a.plan.Misordered
		s.sync(inSync)
	})
}

// leave notes how the table is left, from which others may drift.
func (r *run) leave(a attempt) {
	r.left, r.inScope, r.unsure = a.have, a.inScope, nil
	clear(r.told)
}

// holdAfter sets when a drift may be put right again. The time grows with each repair,
// until none was needed for as long as it can become.
func (r *run) holdAfter(repaired bool) {
	now := time.Now()
	switch {
	case repaired:
		r.holdUntil, r.repairedAt = r.backoff(&r.repaired), now
	case now.Sub(r.repairedAt) >= r.o.MaxBackoff:
		r.repaired.reset()
	}
}
