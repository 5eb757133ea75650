package lvs

import (
	"fmt"
	"strings"
)

// check refuses a plan that another than Diff has made, or of which steps were changed
// since. It looks at each step alone: a plan that was decoded has been validated.
func (p *TablePlan) check() *Error {
	left := make(map[ServiceID]int, len(p.found)) // steps of each service
	for i := range p.found {
		left[p.found[i].ID] = len(p.found[i].Way)
	}
	for i := range p.Want.Services {
		if _, ok := left[p.Want.Services[i].ID]; !ok {
			return invalid(fmt.Sprintf("want.services[%d]", i), "the plan was made without it")
		}
	}
	for i := range p.Steps {
		s := &p.Steps[i]
		id := s.Change.ServiceID()
		bad := s.validate()
		if bad == nil && left[id] == 0 {
			bad = invalid("change", "the plan was made without it")
		}
		if bad != nil {
			return bad.in(fmt.Sprintf("steps[%d]", i))
		}
		left[id]--
	}
	for i := range p.found {
		if id := p.found[i].ID; left[id] > 0 {
			return invalid("steps", "the plan was made with %s more of %s", quantity(left[id], "step"), id)
		}
	}
	return nil
}

// validateAfter refuses what can never work, except for values that were there before
// and stay: another program may have set them.
func (ch *Change) validateAfter(was *Change) *Error {
	if err := requireID(ch.get().service.ID); err != nil {
		return err
	}
	switch ch.get().kind {
	case updateService:
		return ch.get().service.validate(&was.get().service)
	case updateServer:
		return ch.get().server.validate(ch.get().service.ID, &was.get().server)
	}
	return ch.validate()
}

// staleTable returns the error of services that are not as the plan found them.
func staleTable(stale []ServiceID, now Snapshot) error {
	const shown = 10
	exists := make(map[ServiceID]bool, len(now.Services))
	for i := range now.Services {
		exists[now.Services[i].ID] = true
	}
	var names []string
	for _, id := range stale[:min(shown, len(stale))] {
		if exists[id] {
			names = append(names, id.String())
		} else {
			names = append(names, id.String()+" (removed)")
		}
	}
	if more := len(stale) - shown; more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	e := &Error{kind: ErrStale, detail: "other programs have changed what it is about: " + strings.Join(names, ", "), hint: "plan again"}
	return e.about(OpApply, "plan")
}
