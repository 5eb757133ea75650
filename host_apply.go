package lvs

import (
	"context"
	"errors"
	"fmt"
)

// Apply makes what a plan says, setting by setting. When one fails, or the
// context ends, what this call did is undone, and the error names the setting.
// Applying a plan twice changes nothing, and a plan whose application was
// interrupted, even by the end of the process, can be applied again or undone.
//
// When somebody changed what the plan is about since it was made, nothing is
// done, and the error is of the kind [ErrUnstable]: plan again.
//
// A setting that is under way when the context ends is finished first.
func (h *Host) Apply(ctx context.Context, plan SetupPlan) error {
	if err := h.lock(ctx); err != nil {
		return fileError("apply", "plan", err)
	}
	defer h.unlock()
	l, err := newLedger(plan)
	if err != nil {
		return err.about("apply", "plan")
	}
	if err := h.preflight(ctx, plan, l); err != nil {
		return err
	}
	var touched []Step
	for _, s := range plan.Steps {
		changed, err := h.applyStep(ctx, s)
		if changed {
			touched = append(touched, s)
		}
		if err != nil {
			return h.rollBack(ctx, touched, l, err)
		}
	}
	return nil
}

// lock waits until no other goroutine changes the host by this value.
func (h *Host) lock(ctx context.Context) error {
	if err := h.ended(ctx); err != nil {
		return err
	}
	select {
	case h.changing <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if h.life.Err() != nil {
		h.unlock()
		return errHostClosed
	}
	return nil
}

func (h *Host) unlock() { <-h.changing }

// preflight looks whether all is still as when the plan was made, or on its way
// from there.
func (h *Host) preflight(ctx context.Context, plan SetupPlan, l ledger) error {
	for _, s := range plan.Steps {
		now, err := h.find(ctx, s.Left)
		if err != nil {
			return err
		}
		if l.knows(s.Left.key(), now) || s.between(now) || now == nil && l.makes(s.Left) {
			continue
		}
		e := &Error{kind: ErrUnstable, detail: "somebody changed it since the plan was made: there is " + show(now) + " now, and was " + show(s.Found), hint: "plan again"}
		return e.about("apply", s.Setting.Want.String())
	}
	return nil
}

// applyStep makes a setting unless it is made, and tells whether it touched the
// host.
func (h *Host) applyStep(ctx context.Context, s Step) (bool, error) {
	if err := h.ended(ctx); err != nil {
		return false, settingError("apply", s.Setting.Want, err)
	}
	now, err := h.find(ctx, s.Left)
	if err != nil || now != nil && s.Left.matches(now) {
		return false, err
	}
	if err := h.put(s.Left); err != nil {
		return true, err
	}
	now, err = h.find(context.WithoutCancel(ctx), s.Left)
	if err == nil && (now == nil || !s.Left.matches(now)) {
		err = (&Error{detail: "the kernel took it, and has " + show(now)}).about("apply", s.Setting.Want.String())
	}
	return true, err
}

// rollBack undoes steps, and returns why.
func (h *Host) rollBack(ctx context.Context, steps []Step, l ledger, why error) error {
	u := undoing{host: h, ledger: l, ended: func(context.Context) error { return nil }}
	u.all(context.WithoutCancel(ctx), steps)
	if u.errs != nil {
		return errors.Join(why, fmt.Errorf("lvs: what was done could not all be undone: %w", errors.Join(u.errs...)))
	}
	return why
}

// between tells whether a host is on its way from what was found to what shall
// be left: where that takes more than one step in the kernel.
func (s Step) between(now Fact) bool {
	switch found := s.Found.(type) {
	case Link:
		left, isLink := s.Left.(Link)
		n, ok := now.(Link)
		if !ok || !isLink || n.Up != found.Up && n.Up != left.Up || n.MTU != found.MTU && n.MTU != left.MTU {
			return false
		}
		n.Up, n.MTU = left.Up, left.MTU
		return n == left
	case Address:
		return now == nil // the old one is removed before the new one is added
	}
	return false
}

// ledger has all that a plan knows of a thing, by key: what was there, and what
// the plan makes of it.
type ledger struct {
	facts map[string][]Fact
	links map[string]bool // that the plan makes or brings up
}

// newLedger refuses a plan that [Host.Plan] cannot have made.
func newLedger(plan SetupPlan) (ledger, *Error) {
	l := ledger{make(map[string][]Fact), make(map[string]bool)}
	for i, s := range plan.Steps {
		if s.Setting.Want == nil || s.Left == nil {
			return l, invalid("Steps", "step %d wants nothing", i)
		}
		if err := s.Setting.Want.validate(); err != nil {
			return l, invalid("Steps", "step %d: %v", i, err)
		}
		key := s.Setting.Want.key()
		if s.Left.key() != key || s.Found != nil && s.Found.key() != key {
			return l, invalid("Steps", "step %d wants one thing and leaves another", i)
		}
		if _, ok := s.Left.(Sysctl); ok && s.Found == nil {
			return l, invalid("Steps", "step %d makes a parameter that was not there", i)
		}
		l.facts[key] = append(l.facts[key], s.Found, s.Left)
		for _, e := range s.Effects {
			if _, err := sysctlPath(e.Found.Key); err != nil || e.Left.Key != e.Found.Key || e.Undone.Key != e.Found.Key {
				return l, invalid("Steps", "step %d has an effect on %q", i, e.Found.Key)
			}
			l.facts[e.Left.key()] = append(l.facts[e.Left.key()], e.Found, e.Left, e.Undone)
		}
		if link, ok := s.Left.(Link); ok {
			l.links[link.Name] = true
		}
	}
	return l, nil
}

// knows tells whether a thing is in a state that it had or gets by the plan.
func (l ledger) knows(key string, now Fact) bool {
	for _, f := range l.facts[key] {
		if f == nil && now == nil || f != nil && now != nil && f.matches(now) {
			return true
		}
	}
	return false
}

// makes tells whether a thing comes with an interface that the plan makes.
func (l ledger) makes(f Fact) bool {
	if link, ok := f.(Link); ok {
		return l.links[link.Name]
	}
	return l.links[interfaceOf(f)]
}
