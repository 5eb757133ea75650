package lvs

import (
	"net/netip"
	"slices"
)

// progress returns how many of the steps of each service have been made, for those with
// some, and the services that are neither as they were found nor as after one of their
// steps. So a plan that was applied in part can be applied again: the first steps of
// each service are left out. A real server whose drain has begun may be gone already.
func (p *TablePlan) progress(now Snapshot) (made map[ServiceID]int, stale []ServiceID) {
	made = map[ServiceID]int{}
	var steps map[ServiceID][]*TableStep // of all services, when they are needed
	live := liveSnapshot(now)
	for i := range p.found {
		found := &p.found[i]
		for len(live) > 0 && live[0].service.ID.Compare(found.ID) < 0 {
			live = live[1:]
		}
		var is liveService
		if len(live) > 0 && live[0].service.ID == found.ID {
			is = live[0]
		}
		if is.digest(found.Ending) == found.Was {
			continue
		}
		if steps == nil {
			steps = p.stepsByService()
		}
		if n, fits := found.made(&is, steps[found.ID]); fits {
			made[found.ID] = n
		} else {
			stale = append(stale, found.ID)
		}
	}
	return made, stale
}

func (p *TablePlan) stepsByService() map[ServiceID][]*TableStep {
	all := map[ServiceID][]*TableStep{}
	for i := range p.Steps {
		s := &p.Steps[i]
		all[s.Change.ServiceID()] = append(all[s.Change.ServiceID()], s)
	}
	return all
}

// made returns how many of its steps have been made to a service as it is now, and
// whether it is as after one of them. A real server whose drain has begun has weight 0 or
// is gone: with another weight, another program wants it.
func (f *foundService) made(is *liveService, steps []*TableStep) (n int, fits bool) {
	ending := slices.Clone(f.Ending)
	for i, step := range steps[:min(len(steps), len(f.Way))] {
		was, drainsAll := step.RealServers, false
		switch {
		case step.Drain == 0:
		case step.Change.get().kind == removeServer:
			ending = append(ending, step.Change.get().server.Addr)
			if is.weightOf(step.Change.get().server.Addr) != 0 {
				return 0, false
			}
		default: // a service, which may be gone
			if !is.exists() {
				return i + 1, true
			}
			ending, drainsAll = is.addrs(), true
		}
		if is.digest(ending) != f.Way[i] {
			continue
		}
		if drainsAll && !is.quiet() {
			return i, is.quietOrAs(was) // some weights are not 0 yet
		}
		return i + 1, true
	}
	return 0, false
}

// weightOf returns the weight of a real server, 0 if it does not exist.
func (l *liveService) weightOf(addr netip.AddrPort) int {
	for i := range l.len() {
		if s := l.server(i); unmap(s.Addr) == unmap(addr) {
			return s.Weight
		}
	}
	return 0
}

// quietOrAs reports whether each weight is 0 or what it was.
func (l *liveService) quietOrAs(was []RealServer) bool {
	before := liveService{plain: was}
	for i := range l.len() {
		if s := l.server(i); s.Weight != 0 && s.Weight != before.weightOf(s.Addr) {
			return false
		}
	}
	return true
}
