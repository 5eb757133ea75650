package lvs

import (
	"cmp"
	"context"
	"errors"
	"time"
)

// Apply does what a plan says, step by step. If a step fails, or the context ends,
// the steps that this call did are undone, and the error names the step, and what
// could not be undone. Loaded modules stay loaded.
//
// Applying a plan twice changes nothing. A plan whose application was interrupted,
// even by the end of the process, can be applied again or undone. Calls of Apply and
// Undo on one Host run one at a time: a second one waits for the first.
//
// If the host has changed since the plan was made, in what the plan is about, nothing
// is done and the error matches [ErrStale]: plan again. The error matches
// [ErrInvalid] for a plan of another host, and one that [Host.Plan] cannot have made.
//
// An IPv6 address without NoDAD is used only after a second or two, in which the
// kernel asks whether another host has it. Apply waits for that, unless nothing can
// pass the interface at the moment. If another host has it, the error matches
// [ErrExists].
//
// A step that is in progress when the context ends is finished first.
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

// preflight returns an error unless the host is as it was when the plan was made, or
// on its way from there.
func (h *Host) preflight(ctx context.Context, plan SetupPlan, l ledger) error {
	for _, s := range plan.Steps {
		now, err := h.find(ctx, s.Left)
		if err != nil {
			return err
		}
		if l.knows(s.Left.key(), now) || s.isBetween(now) || now == nil && l.makes(s.Left) {
			continue
		}
		e := &Error{kind: ErrStale, detail: "it has changed since the plan was made: the host has " + describeResource(now) + ", and had " + describeResource(s.Found), hint: "plan again"}
		return e.about(OpApply, s.Requirement.Want.String())
	}
	return nil
}

// applyStep does a step unless it is done. It reports whether it touched the host, and
// what the host has if that is not what the step should leave.
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
	if _, ok := now.(duplicateAddress); ok {
		bad = &Error{kind: ErrExists, detail: "another host on the link has the address, so the kernel does not use it", hint: "remove it from that host, or use NoDAD if that host does not announce it"}
	}
	return touched, now, bad.about(OpApply, s.Requirement.Want.String())
}

// settlePause is how long to wait before the kernel is asked again.
const settlePause = 10 * time.Millisecond

// settle waits until an IPv6 address is in use or refused.
func (h *Host) settle(ctx context.Context, r Resource) error {
	a, ok := r.(Address)
	if !ok || !a.Prefix.Addr().Is6() || a.NoDAD {
		return nil
	}
	for {
		done, err := within(ctx, func() (bool, error) { return h.network.Settled(r.toNetwork()) })
		if done || err != nil {
			return resourceError(OpApply, r, err)
		}
		if err := cmp.Or(h.ended(ctx), pause(ctx, settlePause)); err != nil {
			return resourceError(OpApply, r, err)
		}
	}
}

// isBetween reports whether now is an intermediate state of the step, for resources
// that the kernel changes in more than one step.
func (s SetupStep) isBetween(now Resource) bool {
	switch found := s.Found.(type) {
	case Link:
		left, isLink := s.Left.(Link)
		n, ok := now.(Link)
		if !ok || !isLink || n.Up != found.Up && n.Up != left.Up || n.MTU != found.MTU && n.MTU != left.MTU {
			return false
		}
		n.Up, n.MTU = left.Up, left.MTU
		return n == left
	case Address, duplicateAddress:
		return now == nil // the old one is removed before the new one is added
	}
	return false
}
