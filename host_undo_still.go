package lvs

import "context"

// needed returns what other setups want of what a step would restore, nil if they do
// not need it.
func (u *undoing) needed(s SetupStep, now Resource) Resource {
	link, isLink := now.(Link)
	for _, other := range u.still {
		isOnIt := isLink && s.Found == nil && interfaceOf(other.Want) == link.Name
		if isOnIt || other.isMet(now) && !other.isMet(s.Found) {
			return other.Want
		}
	}
	return nil
}

// hold notes what other setups want, and what of it the host has.
func (u *undoing) hold(ctx context.Context, still Setup) error {
	u.still = still
	for _, r := range still {
		if bad := r.validate(OpUndo); bad != nil {
			return bad
		}
		now, err := u.host.findFor(ctx, r)
		if err != nil {
			return err
		}
		if r.isMet(now) {
			u.held = append(u.held, r)
		}
	}
	return nil
}

// findFor returns what the host has that may meet a requirement, nil for nothing.
func (h *Host) findFor(ctx context.Context, r Requirement) (Resource, error) {
	if !r.AnyPrefix {
		return h.find(ctx, r.Want)
	}
	all, err := within(ctx, h.network.Addresses)
	for _, a := range all {
		if found := addressFrom(a); r.isMet(found) {
			return found, nil
		}
	}
	return nil, resourceError(OpReadHost, r.Want, err)
}

// secure makes again what other setups want and went along with a step. If that is
// impossible, it makes the step again.
func (u *undoing) secure(ctx context.Context, s SetupStep) error {
	lost, err := u.lost(ctx)
	if len(lost) == 0 || err != nil {
		return err
	}
	if u.putAll(lost) != nil {
		if err := u.host.put(s.Left); err != nil {
			return err
		}
		_ = u.keep(s, s.Left, "another setup needs it, for: "+lost[0].String())
		return u.putAll(lost)
	}
	for _, r := range lost {
		u.kept = append(u.kept, Leftover{r, r, "another setup needs it: it went along, and was made again"})
	}
	return nil
}

// lost returns what other setups want and the host no longer has.
func (u *undoing) lost(ctx context.Context) (all []Resource, err error) {
	for _, r := range u.held {
		now, err := u.host.findFor(ctx, r)
		if err != nil {
			return nil, err
		}
		if r.isMet(now) {
			continue
		}
		left, bad := r.Want.complete(now)
		if bad != nil {
			return nil, bad.about(OpUndo, r.Want.String())
		}
		all = append(all, left)
	}
	return all, nil
}

func (u *undoing) putAll(all []Resource) error {
	for _, r := range all {
		if err := u.host.put(r); err != nil {
			return err
		}
	}
	return nil
}
