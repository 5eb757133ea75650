package lvs

import (
	"context"
	"slices"
)

// openState locks the state file, and reads what was applied before.
func (a *tableApply) openState() (unlock func(), err error) {
	unlock = func() {}
	if a.o.StateFile != "" {
		if unlock, err = lockStateFile(a.o.StateFile); err != nil {
			return nil, err
		}
		if a.written, err = ReadTableState(a.o.StateFile); err != nil {
			unlock()
			return nil, err
		}
	}
	a.prior = a.written
	if a.o.State != nil {
		a.prior = *a.o.State
	}
	return unlock, nil
}

// writeState notes what is owned from now on. It writes the file unless that has it.
func (a *tableApply) writeState(ctx context.Context, state func() TableState) error {
	if a.o.StateFile == "" && a.o.State == nil {
		return nil
	}
	s := state()
	if a.o.StateFile != "" && !s.Equal(a.written) {
		if err := s.writeFile(ctx, a.o.StateFile); err != nil {
			return err
		}
		a.written = s
	}
	if a.o.State != nil {
		*a.o.State = s
	}
	return nil
}

// stateDuring is the state while the kernel is being changed: each change may have been
// made or not.
func (a *tableApply) stateDuring() TableState {
	both := tableOwner(func(serverKey, bool) tableClaim { return claimBoth })
	drains := slices.DeleteFunc(slices.Clone(a.prior.Drains), func(d Drain) bool { return a.isReplaced(&d) })
	for i := range a.plan.Steps {
		if d, ok := a.drains[i]; ok {
			drains = append(drains, d)
		}
	}
	return TableState{both.own(a.plan.Want, a.prior.Applied), drains}
}

// stateAfter is the state when the kernel has been changed, by how the steps ended.
func (a *tableApply) stateAfter() TableState {
	claims := make(map[serverKey]tableClaim, len(a.plan.Steps))
	for i := range a.plan.Steps {
		s := &a.plan.Steps[i]
		claims[s.key()] = a.claimOf(i)
	}
	owner := tableOwner(func(key serverKey, wanted bool) tableClaim {
		if claim, ok := claims[key]; ok {
			return claim
		}
		if wanted && !a.isBack || !wanted && !a.existed(key) {
			return claimWant
		}
		return claimPrior
	})
	own := owner.own(a.plan.Want, a.prior.Applied)
	return TableState{own, append(a.goingOn(), a.result().Drains...)}
}

func (a *tableApply) claimOf(step int) tableClaim {
	switch o := a.outcomes[step]; {
	case o == StepUnknown, a.halfBack[step]:
		return claimBoth
	case !o.isDone(), a.plan.Steps[step].Drain > 0: // what drains is owned until it is removed
		return claimPrior
	}
	return claimWant
}

// existed reports whether the kernel had a service or a real server before the plan.
func (a *tableApply) existed(key serverKey) bool {
	e := a.before[key.service]
	if e == nil || !key.server.IsValid() {
		return e != nil
	}
	return slices.ContainsFunc(e.RealServers, func(s RealServerStatus) bool { return s.Addr == key.server })
}

// drainOf returns the drain that a step begins, or has begun when the plan was applied
// before. Weights that an earlier drain set to 0 are taken back to those before it.
func (a *tableApply) drainOf(s *TableStep, o StepOutcome, last *tableLast) Drain {
	key := s.key()
	servers := s.drained()
	if o == StepFound || len(drainWeights(key.service, servers)) == 0 {
		for _, d := range a.prior.Drains {
			if d.key() == key {
				return d
			}
		}
	}
	was := last.services[key.service]
	servers = slices.Clone(servers)
	for i := range servers {
		servers[i].Weight = was.weightOf(&servers[i], servers[i].Weight)
	}
	return newDrain(key.service, key.server, servers, DrainOptions{Timeout: s.Drain, WaitPersistent: a.o.WaitPersistent})
}

func (d *Drain) key() serverKey { return serverKey{d.Service, unmap(d.RealServer)} }

// isReplaced reports whether a step of the plan drains the same.
func (a *tableApply) isReplaced(d *Drain) bool {
	for _, other := range a.drains {
		if other.key() == d.key() {
			return true
		}
	}
	return false
}

// goingOn returns the earlier drains that still have something to do: what they drain
// was not removed, and is not wanted or could not be given its weight.
func (a *tableApply) goingOn() (all []Drain) {
	if len(a.prior.Drains) == 0 {
		return nil
	}
	wanted := map[serverKey]bool{}
	for _, s := range a.plan.Want.Services {
		wanted[serverKey{service: s.ID}] = true
		for _, server := range s.RealServers {
			wanted[serverKey{s.ID, unmap(server.Addr)}] = true
		}
	}
	removed, undone := map[serverKey]bool{}, map[ServiceID]bool{}
	for i := range a.plan.Steps {
		switch s := &a.plan.Steps[i]; {
		case !a.outcomes[i].isDone():
			undone[s.Change.get().service.ID] = true
		case s.Drain == 0 && (s.Change.get().kind == removeService || s.Change.get().kind == removeServer):
			removed[s.key()] = true
		}
	}
	for _, d := range a.prior.Drains {
		isOver := removed[d.key()] && !wanted[d.key()] || removed[serverKey{service: d.Service}] || wanted[d.key()] && !undone[d.Service] && !a.isBack
		if !isOver && !a.isReplaced(&d) {
			all = append(all, d)
		}
	}
	return all
}
