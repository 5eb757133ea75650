package lvs

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Undo looks at what is in the place of each step, the last one first. The first state
// that applies counts:
//
//	state                                         what Undo does
//	a module that is loaded                       leaves it, and lists it
//	as it was found                               finishes what an earlier Undo began
//	as Apply left it, or on the way there         restores what was found,
//	                                              or lists it if another setup needs it
//	as another step of the plan found or left it  leaves it to that step
//	gone, with an interface that the plan makes   nothing
//	anything else                                 leaves it, and lists it

// Leftover is what [Host.Undo] left on the host, and why.
type Leftover struct {
	Want Resource // what the plan made, or what another setup wants and went along with it
	Now  Resource // what the host has; nil for nothing
	Why  string   // why it was left
}

// String returns the leftover in one line.
func (k Leftover) String() string { return k.Want.String() + ": " + k.Why }

// Undo restores a host to what it was when the plan was made, in reverse order. It
// restores only what is as [Host.Apply] left it. What has been changed since, and what
// cannot be undone, stays and is listed. The plan may have been applied by another
// process, in part, or not at all, and may be undone a second time. Undo continues
// after an error.
//
// If several setups are on one host, each plan knows only what it found: a VIP or
// ip_forward that two of them need goes with the plan that made it. Pass the setups
// that are still needed as still. What they want stays and is listed, also if it would
// go along with something else. Undo the plan again when they are gone.
//
// The error matches [ErrInvalid] if the plan is of another host, or [Host.Plan] cannot
// have made it.
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
	held   Setup                       // what of it the host has
	kept   []Leftover
	errs   []error
}

func (u *undoing) all(ctx context.Context, steps []SetupStep) {
	for _, s := range slices.Backward(steps) {
		if err := u.ended(ctx); err != nil {
			u.errs = append(u.errs, resourceError(OpUndo, s.Requirement.Want, err))
			return
		}
		if !s.HasChanges() {
			continue
		}
		err := u.step(ctx, s)
		if err := errors.Join(err, u.secure(context.WithoutCancel(ctx), s)); err != nil {
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
		return errors.Join(why, fmt.Errorf("lvs: not everything could be undone: %w", errors.Join(errs...)))
	}
	return why
}

func (u *undoing) keep(s SetupStep, now Resource, why string) error {
	u.kept = append(u.kept, Leftover{s.Requirement.Want, now, why})
	return nil
}

// step undoes a step, by the table at the top of this file.
func (u *undoing) step(ctx context.Context, s SetupStep) error {
	now, err := u.host.find(ctx, s.Left)
	if err != nil {
		return err
	}
	module, isModule := s.Left.(Module)
	isFound := s.Found == nil && now == nil || s.Found != nil && now != nil && s.Found.matches(now)
	isOurs := now != nil && (s.Left.matches(now) || now == u.made) || s.isBetween(now)
	switch {
	case isModule && now != nil:
		return u.keep(s, now, "the module stays loaded, with the devices that it made; 'modprobe -r "+module.Name+"' removes it when nothing uses it")
	case isFound:
		return u.finishEffects(ctx, s)
	case isOurs:
		if other := u.needed(s, now); other != nil {
			return u.keep(s, now, "another setup needs it, for: "+other.String())
		}
		return u.restore(ctx, s, now)
	case u.ledger.knows(s.Left.key(), now):
		return nil
	case now == nil && u.ledger.makes(s.Left):
		return nil
	}
	return u.keep(s, now, "it has been changed since: the host has "+describeResource(now)+", and the plan left "+describeResource(s.Left))
}

// restore restores what a step found.
func (u *undoing) restore(ctx context.Context, s SetupStep, now Resource) error {
	if s.Found == nil {
		if link, ok := now.(Link); ok {
			if used, err := u.inUse(ctx, link.Name); used != "" || err != nil {
				return errors.Join(err, u.keep(s, now, "it is in use: it has the address "+used))
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
		if err := u.restoreEffect(ctx, s, e, before[i]); err != nil {
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

// restoreEffect repairs a parameter that the kernel has just set along with another.
// It gets the value that was found, or the one that it was given since.
func (u *undoing) restoreEffect(ctx context.Context, s SetupStep, e SideEffect, before Resource) error {
	if before == nil {
		return nil // its interface is gone
	}
	want := before.(Sysctl)
	if e.Left.matches(before) {
		want = e.Found
	} else if !e.Found.matches(before) {
		_ = u.keep(s, before, fmt.Sprintf("%s has been changed since: it is %s", want.Key, want.Value))
	}
	return u.write(ctx, want)
}

// finishEffects continues where an earlier undoing was interrupted: the parameter is
// restored, and others are still as the kernel then made them.
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

// write sets a parameter unless it has the value.
func (u *undoing) write(ctx context.Context, want Sysctl) error {
	now, err := u.host.find(context.WithoutCancel(ctx), want)
	if err != nil || now == nil || want.matches(now) {
		return err
	}
	return u.host.put(want)
}
