package lvs

import (
	"fmt"
)

// validate refuses a plan that [Diff] cannot have made, because it was written or
// changed by hand. The error's field is the path of what is wrong.
func (p *TablePlan) validate() *Error {
	v := planValidator{
		plan: p, found: make(map[ServiceID]*foundService), want: make(map[ServiceID]*TableService),
		rips: make(map[serverKey]*RealServer), made: make(map[ServiceID]int), last: make(map[serverKey]int), there: make(map[serverKey]bool),
	}
	if err := v.start(); err != nil {
		return err
	}
	for i := range p.Steps {
		if err := v.step(&p.Steps[i]); err != nil {
			return err.in(fmt.Sprintf("steps[%d]", i))
		}
		v.last[p.Steps[i].key()] = i
	}
	return v.end()
}

// in says in which part of a plan the error is.
func (e *Error) in(path string) *Error {
	e.Field = path + "." + e.Field
	return e
}

// planValidator follows the steps of a plan.
type planValidator struct {
	plan  *TablePlan
	found map[ServiceID]*foundService
	want  map[ServiceID]*TableService
	rips  map[serverKey]*RealServer // wanted real servers of services that steps change
	made  map[ServiceID]int         // steps of each service so far
	last  map[serverKey]int         // index of the last step of each service and each real server
	there map[serverKey]bool        // whether a step left a real server there; services have the zero address
}

// start looks at what the plan found and wants.
func (v *planValidator) start() *Error {
	if first := v.plan.Want.problems().first(); first != nil {
		return invalid("want."+first.Field, "%s", first.detail)
	}
	for i := range v.plan.found {
		f := &v.plan.found[i]
		path := fmt.Sprintf("found[%d]", i)
		if !f.ID.IsValid() {
			return invalid(path+".id", "is missing")
		}
		if i > 0 && v.plan.found[i-1].ID.Compare(f.ID) >= 0 {
			return invalid(path+".id", "%s is there twice, or not in order", f.ID)
		}
		v.found[f.ID] = f
	}
	for i := range v.plan.Want.Services {
		s := &v.plan.Want.Services[i]
		v.want[s.ID] = s
		if v.found[s.ID] == nil {
			return invalid(fmt.Sprintf("want.services[%d]", i), "how %s was found is missing", s.ID)
		}
	}
	return nil
}

// end compares what the steps lead to with what is wanted, and with what the plan found.
func (v *planValidator) end() *Error {
	for i := range v.plan.Steps {
		s := &v.plan.Steps[i]
		if v.last[s.key()] != i {
			continue
		}
		if err := v.agrees(v.want[s.Change.ServiceID()], s); err != nil {
			return err.in(fmt.Sprintf("steps[%d]", i))
		}
	}
	for i, f := range v.plan.found {
		if made := v.made[f.ID]; made != len(f.Way) {
			return invalid(fmt.Sprintf("found[%d].way", i), "the plan has %s of %s, and this is about %d",
				quantity(made, "step"), f.ID, len(f.Way))
		}
	}
	return nil
}

// step refuses a step that does not follow from those before it.
func (v *planValidator) step(s *TableStep) *Error {
	id := s.Change.ServiceID()
	if v.found[id] == nil {
		return invalid("change", "how %s was found is missing", id)
	}
	if v.made[id]++; v.made[id] == 1 {
		v.enter(v.want[id])
	}
	if bad := s.validate(); bad != nil {
		return bad
	}
	return v.follow(s)
}

// validate refuses a step that no plan can have.
func (s *TableStep) validate() *Error {
	if bad := s.validateWas(); bad != nil {
		return bad
	}
	if bad := s.Change.validateAfter(&s.Was); bad != nil {
		bad.Field = "change." + pathOf(bad.Field)
		return bad
	}
	switch {
	case s.Drain < 0:
		return invalid("drain", "%s is negative", s.Drain)
	case s.Drain > 0 && !s.removes():
		return invalid("drain", "only what is removed can be drained first")
	case len(s.RealServers) > 0 && s.Change.get().kind != removeService:
		return invalid("realServers", "only a service that is removed has them")
	}
	for i, server := range s.RealServers {
		if !server.Addr.IsValid() {
			return invalid(fmt.Sprintf("realServers[%d].addr", i), "is missing")
		}
	}
	return nil
}

// enter enters the real servers of a wanted service.
func (v *planValidator) enter(wanted *TableService) {
	if wanted == nil {
		return
	}
	for i := range wanted.RealServers {
		server := &wanted.RealServers[i]
		v.rips[serverKey{wanted.ID, unmap(server.Addr)}] = server
	}
}

func (s *TableStep) removes() bool {
	return s.Change.get().kind == removeService || s.Change.get().kind == removeServer
}

// validateWas refuses what cannot be what the step replaces or removes.
func (s *TableStep) validateWas() *Error {
	want := noChange
	switch s.Change.get().kind {
	case addService, addServer:
	case updateService, removeService:
		want = addService
	case updateServer, removeServer:
		want = addServer
	default:
		return invalid("change.op", "%q is not an operation of a plan", string(s.Change.Op()))
	}
	same := s.Was.ServiceID() == s.Change.ServiceID() && unmap(s.Was.RealServerAddr()) == unmap(s.Change.RealServerAddr())
	switch {
	case s.Was.get().kind != want && want == noChange:
		return invalid("was", "there is nothing before an addition")
	case s.Was.get().kind != want:
		return invalid("was", "must be an operation %q", string(changeKinds[want].op))
	case want != noChange && !same:
		return invalid("was", "is about %s, and the change about %s", s.Was.object(), s.Change.object())
	}
	return nil
}

// follow notes what a step leaves there, and refuses one that cannot be made after the
// steps before it.
func (v *planValidator) follow(s *TableStep) *Error {
	key := s.key()
	service := serverKey{service: key.service}
	there, known := v.there[key]
	switch {
	case !known && key == service:
		there, known = v.found[key.service].Was != 0, true
	case !known && v.found[key.service].Was == 0:
		known = true // a service that a step adds has no real servers yet
	}
	if exists, removed := v.there[service]; removed && !exists && s.Change.get().kind != addService {
		return invalid("change", "an earlier step removes %s", key.service)
	}
	switch adds := s.Change.get().kind == addService || s.Change.get().kind == addServer; {
	case known && adds && there:
		return invalid("change", "%s already exists", s.Change.object())
	case known && !adds && !there:
		return invalid("change", "%s is not there", s.Change.object())
	case key != service && v.found[key.service].Was == 0 && !v.there[service]:
		return invalid("change", "no earlier step adds %s", key.service)
	}
	v.there[key] = !s.removes()
	return nil
}

// agrees refuses a plan whose last step for a service or a real server leads to
// something other than what is wanted. What is zero there may have been left to other
// programs, and so may the weight of a real server.
func (v *planValidator) agrees(wanted *TableService, s *TableStep) *Error {
	server := v.rips[s.key()]
	switch s.Change.get().kind {
	case removeService:
		if wanted != nil {
			return invalid("change", "removes %s, which is wanted", wanted.ID)
		}
	case removeServer:
		if server != nil {
			return invalid("change", "removes %s, which is wanted", server.Addr)
		}
	case addServer, updateServer:
		if server == nil {
			return invalid("change.realServer", "%s is not wanted", s.Change.get().server.Addr)
		}
		return s.Change.get().server.agrees(server)
	default:
		if wanted == nil {
			return invalid("change.service", "%s is not wanted", s.Change.ServiceID())
		}
		return s.Change.get().service.agrees(&wanted.Service)
	}
	return nil
}

func (s RealServer) agrees(want *RealServer) *Error {
	left := want.UpperThreshold == 0 && want.LowerThreshold == 0
	switch {
	case s.Mode != want.Mode:
		return invalid("change.realServer.mode", "is %s, and %s is wanted", s.Mode, want.Mode)
	case !left && (s.UpperThreshold != want.UpperThreshold || s.LowerThreshold != want.LowerThreshold):
		return invalid("change.realServer.upperThreshold", "the thresholds are %d and %d, and %d and %d are wanted",
			s.UpperThreshold, s.LowerThreshold, want.UpperThreshold, want.LowerThreshold)
	}
	return nil
}

func (s Service) agrees(want *Service) *Error {
	is, w := s.normal(), want.normal()
	switch {
	case want.Scheduler != "" && is.Scheduler != w.Scheduler:
		return invalid("change.service.scheduler", "is %s, and %s is wanted", is.Scheduler, w.Scheduler)
	case w.SchedulerFlags != 0 && is.SchedulerFlags&^ownFlags != w.SchedulerFlags:
		return invalid("change.service.schedulerFlags", "is %q, and %q is wanted", is.SchedulerFlags, w.SchedulerFlags)
	case w.Persistence != (Persistence{}) && is.Persistence != w.Persistence:
		return invalid("change.service.persistence", "is %s, and %s is wanted", is.Persistence, w.Persistence)
	case w.OnePacket && !is.OnePacket:
		return invalid("change.service.onePacket", "is false, and true is wanted")
	}
	return nil
}
