package lvs

import (
	"cmp"
	"math"
	"net/netip"
	"slices"
)

// order adds the steps that add, edit and move real servers.
func (s *serviceDiff) order() {
	kept := s.kept()
	moves := s.ExactOrder && slices.ContainsFunc(s.wanted[kept:], wantedServer.exists)
	if moves && s.move(kept) {
		return
	}
	for _, w := range s.wanted {
		s.addOrEdit(w)
	}
	if moves || s.picksOtherwise() {
		s.misordered = append(s.misordered, s.id)
	}
}

func (w wantedServer) exists() bool { return w.is != nil }

// addOrEdit adds the step that makes a real server as it is to be, if it is not.
func (s *serviceDiff) addOrEdit(w wantedServer) {
	switch {
	case !w.exists():
		s.step(phaseAdd, TableStep{Change: AddRealServer(s.id, w.RealServer)})
	case w.is.Equal(w.RealServer):
	case w.Weight < w.is.Weight:
		s.edit(phaseFall, *w.is, w.RealServer)
	default:
		s.edit(phaseEdit, *w.is, w.RealServer)
	}
}

func (s *serviceDiff) edit(phase tablePhase, is, to RealServer) {
	s.step(phase, TableStep{Change: UpdateRealServer(s.id, to), Was: AddRealServer(s.id, is)})
}

// kept returns how many of the wanted real servers, from the first on, exist in the
// wanted order. The kernel can add a real server only as the newest, so all others
// must be removed and added again to get that order.
func (s *serviceDiff) kept() int {
	for i, w := range s.wanted {
		if !w.exists() || i > 0 && w.at < s.wanted[i-1].at {
			return i
		}
	}
	return len(s.wanted)
}

// moveCare is how much is done so that a service has a usable real server while others
// are moved.
type moveCare uint8

const (
	moveDirectly moveCare = iota // add each with its new weight
	moveWeighted                 // raise weights before moving, and lower them after it
	moveHelped                   // also add a new real server too early, and move it too
	moveCares
)

// move adds the steps that bring the real servers into the exact order, and reports
// whether that leaves the service without a usable one at no time. If not, it adds none.
func (s *serviceDiff) move(kept int) bool {
	var before [tablePhases]int
	for phase, steps := range s.phases {
		before[phase] = len(steps)
	}
	for care := range moveCares {
		for _, w := range s.wanted[:kept] {
			s.addOrEdit(w)
		}
		s.moveAll(slices.Clone(s.wanted[kept:]), care)
		if s.staysUsable() {
			return true
		}
		for phase, n := range before {
			s.phases[phase] = s.phases[phase][:n]
		}
	}
	return false
}

// moveAll adds real servers, and removes and adds those that exist, one after the other.
func (s *serviceDiff) moveAll(all []wantedServer, care moveCare) {
	if care >= moveWeighted {
		for i, w := range all {
			if w.exists() && w.is.Weight == 0 && w.Weight > 0 {
				s.edit(phaseEdit, *w.is, w.RealServer)
				all[i].is = &w.RealServer
			}
		}
	}
	if care == moveHelped {
		if i := slices.IndexFunc(all, func(w wantedServer) bool { return !w.exists() && w.Weight > 0 }); i >= 0 {
			s.addOrEdit(all[i])
			all[i].is = &all[i].RealServer
		}
	}
	for _, w := range all {
		to := w.RealServer
		if w.exists() {
			s.step(phaseMove, TableStep{Change: RemoveRealServer(s.id, to.Addr), Was: AddRealServer(s.id, *w.is)})
			if care >= moveWeighted && to.Weight == 0 && w.is.Weight > 0 {
				to.Weight = w.is.Weight
				s.edit(phaseFall, to, w.RealServer)
			}
		}
		s.step(phaseMove, TableStep{Change: AddRealServer(s.id, to)})
	}
}

// staysUsable reports whether the service, if it has a usable real server before and
// after the steps, has one after each of them.
func (s *serviceDiff) staysUsable() bool {
	usable := make(map[netip.AddrPort]bool, s.is.len())
	set := func(server *RealServer, now bool) {
		if addr := unmap(server.Addr); now {
			usable[addr] = true
		} else {
			delete(usable, addr)
		}
	}
	for i := range s.is.len() {
		set(s.is.server(i), s.is.server(i).Weight > 0)
	}
	least := len(usable)
	if least == 0 {
		return true
	}
	for step := range s.steps() {
		switch ch := step.Change.get(); ch.kind {
		case addServer, updateServer:
			set(&ch.server, ch.server.Weight > 0)
		case removeServer:
			set(&ch.server, false)
		}
		least = min(least, len(usable))
	}
	return least > 0 || len(usable) == 0
}

// picksOtherwise reports whether the order in which the real servers will be makes the
// scheduler pick otherwise than the wanted order would.
func (s *serviceDiff) picksOtherwise() bool {
	usable, byWeight := true, false
	switch s.service.normal().Scheduler {
	case NoScheduler:
		return false
	case RR, WRR, LC, WLC, SED, NQ, LBLC, LBLCR, TWOS: // in turn, or at ties
	case FO, OVF: // at ties of weights alone
		byWeight = true
	default: // one of a table in which every real server may have a place
		usable = false
	}
	if s.kept() == len(s.wanted) {
		return false
	}
	latest := make(map[int]int, 1) // by weight, or of all: the place in the wanted order
	for _, i := range s.future() {
		weight := s.wanted[i].Weight
		if usable && weight == 0 {
			continue
		}
		if !byWeight {
			weight = 0
		}
		if before, ok := latest[weight]; ok && before > i {
			return true
		}
		latest[weight] = i
	}
	return false
}

// future returns the places in the wanted order of the real servers in the order in
// which they will be if none is moved.
func (s *serviceDiff) future() []int {
	at := func(i int) int {
		if w := &s.wanted[i]; w.exists() {
			return w.at
		}
		return math.MaxInt
	}
	all := make([]int, len(s.wanted))
	for i := range all {
		all[i] = i
	}
	slices.SortStableFunc(all, func(i, j int) int { return cmp.Compare(at(i), at(j)) })
	return all
}
