package lvs

import (
	"cmp"
	"context"
	"errors"
	"time"
)

// Apply makes what a plan says, setting by setting. When one fails, or the
// context ends, what this call did is undone, and the error names the setting, and
// what could not be undone. Modules stay loaded.
// Applying a plan twice changes nothing, and a plan whose application was
// interrupted, even by the end of the process, can be applied again or undone.
//
// When somebody changed what the plan is about since it was made, nothing is
// done, and the error matches [ErrStale]: plan again. A plan of another
// host, and one that [Host.Plan] cannot have made, is [ErrInvalid].
//
// An IPv6 address without NoDAD is tried for a second or two before the kernel uses
// it, and Apply waits for that, unless nothing can pass by its interface now. One
// that another host has is [ErrExists].
//
// A setting that is under way when the context ends is finished first.
func (h *Host) Apply(ctx context.Context, plan SetupPlan) error {
	if err := h.lock(ctx); err != nil {
		return fileError(OpApply, "plan", err)
	}
	defer h.unlock()
	l, err := h.ledger(ctx, OpApply, plan)
	if err != nil {
		return err
	}
	if err := h.preflight(ctx, plan, l); err != nil {
		return err
	}
	u := undoing{host: h, ledger: l, ended: func(context.Context) error { return nil }}
	var touched []SetupStep
	for _, s := range plan.Steps {
		var changed bool
		changed, u.made, err = h.applyStep(ctx, s)
		if changed {
			touched = append(touched, s)
		}
		if err != nil {
			return u.rollBack(ctx, touched, err)
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
		e := &Error{kind: ErrStale, detail: "it has changed since the plan was made, from " + describeResource(s.Found) + " to " + describeResource(now), hint: "plan again"}
		return e.about(OpApply, s.Requirement.Want.String())
	}
	return nil
}

// applyStep makes a setting unless it is made. It reports whether it touched the host,
// and what there is if that is not what was asked for.
func (h *Host) applyStep(ctx context.Context, s SetupStep) (touched bool, made Resource, err error) {
	if err := h.ended(ctx); err != nil {
		return false, nil, resourceError(OpApply, s.Requirement.Want, err)
	}
	now, err := h.find(ctx, s.Left)
	if err != nil {
		return false, nil, err
	}
	if now == nil || !s.Left.matches(now) {
		touched = true
		if err := h.put(s.Left); err != nil {
			return touched, nil, err
		}
	}
	if err := h.settle(ctx, s.Left); err != nil {
		return touched, nil, err
	}
	now, err = h.find(context.WithoutCancel(ctx), s.Left)
	if err != nil || now != nil && s.Left.matches(now) {
		return touched, nil, err
	}
	bad := &Error{kind: errors.ErrUnsupported, detail: "the kernel accepted it, but has " + describeResource(now)}
	if a, ok := now.(Address); ok && a.DADFailed {
		bad = &Error{kind: ErrExists, detail: "another host on the link has the address, so the kernel does not use it", hint: "take it off that host, or use NoDAD if that host is silent about it"}
	}
	return touched, now, bad.about(OpApply, s.Requirement.Want.String())
}

// settlePause is how long to wait before the kernel is asked again.
const settlePause = 10 * time.Millisecond

// settle waits until an IPv6 address is in use or refused: the kernel asks a second
// or two whether another host has it.
func (h *Host) settle(ctx context.Context, f Resource) error {
	a, ok := f.(Address)
	if !ok || !a.Prefix.Addr().Is6() || a.NoDAD {
		return nil
	}
	for {
		done, err := within(ctx, func() (bool, error) { return h.network.Settled(f.toNetwork()) })
		if done || err != nil {
			return resourceError(OpApply, f, err)
		}
		if err := cmp.Or(h.ended(ctx), pause(ctx, settlePause)); err != nil {
			return resourceError(OpApply, f, err)
		}
	}
}

// between tells whether a host is on its way from what was found to what shall
// be left: where that takes more than one step in the kernel.
func (s SetupStep) between(now Resource) bool {
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
