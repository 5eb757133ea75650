package lvs

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Leftover is what [Host.Undo] left on the host, and why.
type Leftover struct {
	Want Resource // what the plan had made, or what went along with it and another setup wants
	Now  Resource // what is there; nil is nothing
	Why  string   // why it was left so
}

// String says it in a line.
func (k Leftover) String() string { return k.Want.String() + ": " + k.Why }

// Undo sets a host back to what it was when the plan was made, in the opposite
// order. It sets back only what is as [Host.Apply] left it: what others changed
// since, and what cannot be taken back, stays, and is listed. It can be used on a
// plan that was applied by another process, in part, or not at all, and a second
// time. It goes on after an error.
//
// Where several setups are on one host, each plan knows only what it found: a VIP or
// ip_forward that two of them need is set back with the plan that made it. Give the
// setups that are needed further as still: what they want stays, also what would go
// along with something else, and is listed. Undo the plan again when they are gone.
//
// The error is of the kind [ErrInvalid] when the plan is of another host, or cannot
// have been made by [Host.Plan].
func (h *Host) Undo(ctx context.Context, plan SetupPlan, still ...Setup) ([]Leftover, error) {
	if err := h.lock(ctx); err != nil {
		return nil, fileError(OpUndo, "plan", err)
	}
	defer h.unlock()
	l, err := h.ledger(ctx, OpUndo, plan)
	if err != nil {
		return nil, err
	}
	u := undoing{host: h, ledger: l, ended: h.ended}
	if err := u.hold(ctx, slices.Concat(still...)); err != nil {
		return nil, err
	}
	u.all(ctx, plan.Steps)
	return u.kept, errors.Join(u.errs...)
}

// undoing is the work of undoing a plan.
type undoing struct {
	host   *Host
	ledger ledger
	ended  func(context.Context) error // says why to stop
	made   Resource                    // what the kernel made of the last step
	still  Setup                       // what others want
	held   Setup                       // what of it is so
	kept   []Leftover
	errs   []error
}

func (u *undoing) all(ctx context.Context, steps []SetupStep) {
	for i := len(steps) - 1; i >= 0; i-- {
		if err := u.ended(ctx); err != nil {
			u.errs = append(u.errs, resourceError(OpUndo, steps[i].Requirement.Want, err))
			return
		}
		if !steps[i].HasChanges() {
			continue
		}
		err := u.step(ctx, steps[i])
		if err := errors.Join(err, u.secure(context.WithoutCancel(ctx), steps[i])); err != nil {
			u.errs = append(u.errs, err)
		}
	}
}

// rollBack undoes steps, and returns why, with what could not be undone.
func (u *undoing) rollBack(ctx context.Context, steps []SetupStep, why error) error {
	u.all(context.WithoutCancel(ctx), steps)
	errs := u.errs
	for _, k := range u.kept {
		if _, ok := k.Want.(Module); !ok {
			errs = append(errs, errors.New(k.String()))
		}
	}
	if errs != nil {
		return errors.Join(why, fmt.Errorf("lvs: what was done could not all be undone: %w", errors.Join(errs...)))
	}
	return why
}

func (u *undoing) keep(s SetupStep, now Resource, why string) error {
	u.kept = append(u.kept, Leftover{s.Requirement.Want, now, why})
	return nil
}

func (u *undoing) step(ctx context.Context, s SetupStep) error {
	now, err := u.host.find(ctx, s.Left)
	if err != nil {
		return err
	}
	_, isModule := s.Left.(Module)
	isFound := s.Found == nil && now == nil || s.Found != nil && now != nil && s.Found.matches(now)
	isOurs := now != nil && (s.Left.matches(now) || now == u.made) || s.between(now)
	switch {
	case isModule && now != nil:
		return u.keep(s, now, "the module stays loaded, with the devices that it made; 'modprobe -r "+s.Left.(Module).Name+"' removes it when nothing uses it")
	case isFound:
		return u.finishEffects(ctx, s)
	case isOurs:
		if other := u.needed(s, now); other != nil {
			return u.keep(s, now, "another setup needs it, for: "+other.String())
		}
		return u.setBack(ctx, s, now)
	case u.ledger.knows(s.Left.key(), now):
		return nil // another step of the plan is about it, and comes later
	case now == nil && u.ledger.makes(s.Left):
		return nil // its interface was not made yet, or is gone already
	}
	return u.keep(s, now, "somebody changed it meanwhile: there is "+describeResource(now)+", and we had left "+describeResource(s.Left))
}

// setBack puts back what a step found.
func (u *undoing) setBack(ctx context.Context, s SetupStep, now Resource) error {
	if s.Found == nil {
		if link, ok := now.(Link); ok {
			if used, err := u.inUse(ctx, link.Name); used != "" || err != nil {
				return errors.Join(err, u.keep(s, now, "somebody uses it: it has the address "+used))
			}
		}
		return u.host.remove(now)
	}
	before, err := u.readEffects(ctx, s)
	if err != nil {
		return err
	}
	if err := u.host.put(s.Found); err != nil {
		return err
	}
	for i, e := range s.Effects {
		if err := u.setEffectBack(ctx, s, e, before[i]); err != nil {
			return err
		}
	}
	return nil
}

// inUse returns an address of an interface that is not the kernel's own, "" if it
// has none.
func (u *undoing) inUse(ctx context.Context, name string) (string, error) {
	all, err := within(ctx, u.host.network.Addresses)
	for _, a := range all {
		if a.Interface == name && !a.Prefix.Addr().IsLinkLocalUnicast() {
			return a.Prefix.String(), nil
		}
	}
	return "", resourceError(OpReadHost, nil, err)
}

func (u *undoing) readEffects(ctx context.Context, s SetupStep) ([]Resource, error) {
	all := make([]Resource, len(s.Effects))
	for i, e := range s.Effects {
		var err error
		if all[i], err = u.host.find(ctx, e.Left); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// setEffectBack repairs a parameter that the kernel has just set along with
// another: to what was found, or to what somebody had made of it since.
func (u *undoing) setEffectBack(ctx context.Context, s SetupStep, e SideEffect, before Resource) error {
	if before == nil {
		return nil // its interface is gone
	}
	want := before.(Sysctl)
	if e.Left.matches(before) {
		want = e.Found
	} else if !e.Found.matches(before) {
		_ = u.keep(s, before, "somebody changed "+string(want.Key)+" meanwhile: it is "+want.Value)
	}
	return u.write(ctx, want)
}

// finishEffects goes on where an earlier undoing was interrupted: the parameter
// is back, and others are still as the kernel then made them.
func (u *undoing) finishEffects(ctx context.Context, s SetupStep) error {
	for _, e := range s.Effects {
		now, err := u.host.find(ctx, e.Found)
		if err != nil {
			return err
		}
		if now != nil && !e.Maybe && e.Undone.matches(now) {
			if err := u.write(ctx, e.Found); err != nil {
				return err
			}
		}
	}
	return nil
}

// write sets a parameter unless it is so.
func (u *undoing) write(ctx context.Context, want Sysctl) error {
	now, err := u.host.find(context.WithoutCancel(ctx), want)
	if err != nil || now == nil || want.matches(now) {
		return err
	}
	return u.host.put(want)
}
