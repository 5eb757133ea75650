package lvs

import (
	"context"
	"slices"
)

// ledger holds what a plan knows of each resource: what was found, and what the plan
// makes of it.
type ledger struct {
	state map[string][]Resource // by key
	links map[string]bool       // that the plan makes or brings up
}

// ledger returns the ledger of a plan, and an error if [Host.Plan] cannot have made the
// plan on this host.
func (h *Host) ledger(ctx context.Context, op Op, plan SetupPlan) (ledger, error) {
	l, bad := newLedger(plan)
	if bad != nil {
		return l, bad.about(op, "plan")
	}
	if plan.Host == (HostID{}) {
		return l, nil
	}
	id, err := h.identify(ctx)
	if err != nil {
		return l, err
	}
	if bad := plan.isFor(id); bad != nil {
		return l, bad.about(op, "plan")
	}
	return l, nil
}

func newLedger(plan SetupPlan) (ledger, *Error) {
	l := ledger{make(map[string][]Resource), make(map[string]bool)}
	for i, s := range plan.Steps {
		if bad := s.validate(); bad != nil {
			return l, invalid("Steps", "step %d: %v", i, bad)
		}
		key := s.Left.key()
		l.state[key] = append(l.state[key], s.Found, s.Left)
		for _, e := range s.Effects {
			l.state[e.Left.key()] = append(l.state[e.Left.key()], e.Found, e.Left, e.Undone)
		}
		if link, ok := s.Left.(Link); ok {
			l.links[link.Name] = true
		}
	}
	return l, nil
}

// knows reports whether now is a state that the plan found or makes.
func (l ledger) knows(key string, now Resource) bool {
	for _, r := range l.state[key] {
		if r == nil && now == nil || r != nil && now != nil && r.matches(now) {
			return true
		}
	}
	return false
}

// makes reports whether a resource comes with an interface that the plan makes.
func (l ledger) makes(r Resource) bool {
	if link, ok := r.(Link); ok {
		return l.links[link.Name]
	}
	return l.links[interfaceOf(r)]
}

// validate returns an error for a step that does not follow from what it wants and
// what it found.
func (s SetupStep) validate() *Error {
	switch {
	case s.Requirement.Want == nil || s.Left == nil:
		return invalid("Want", "must be set")
	case s.Found != nil && s.Found.key() != s.Requirement.Want.key():
		return invalid("Found", "does not match Want")
	}
	if bad := s.Requirement.validate(OpPlan); bad != nil {
		return bad
	}
	if s.Found != nil {
		if _, bad := s.Found.complete(s.Found); bad != nil {
			return bad
		}
	}
	left, bad := s.Requirement.Want.complete(s.Found)
	if bad != nil {
		return bad
	}
	if left.key() != s.Left.key() || !left.matches(s.Left) || !s.Left.matches(left) {
		return invalid("Left", "the step would leave %s, but what it wants and found leave %s", describeResource(s.Left), describeResource(left))
	}
	for _, e := range s.Effects {
		if !s.has(e) {
			return invalid("Effects", "the step has no effect on %s", e.Found.Key)
		}
	}
	return nil
}

// has reports whether an effect is one of the step's.
func (s SetupStep) has(e SideEffect) bool {
	want, isSysctl := s.Requirement.Want.(Sysctl)
	found, wasSysctl := s.Found.(Sysctl)
	if !isSysctl || !wasSysctl || e.Found.Key != e.Left.Key {
		return false
	}
	names := []string{e.Left.interfaceOf()}
	effects, maybe := want.effects(names)
	undone, _ := found.effects(names)
	i := slices.Index(effects, e.Left)
	return i >= 0 && i < len(undone) && undone[i] == e.Undone && maybe == e.Maybe
}
