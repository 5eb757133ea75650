package lvs

import "context"

// isSo reports whether a host that has f is as a setting wants it.
func isSo(want, f Resource) bool {
	if f == nil {
		return false
	}
	if w, ok := want.(Address); ok && w.AnyPrefix {
		a, ok := f.(Address)
		return ok && a.Interface == w.Interface && a.Prefix.Addr() == w.Prefix.Addr()
	}
	if want.key() != f.key() {
		return false
	}
	left, bad := want.complete(f)
	return bad == nil && left.matches(f)
}

// needed returns what other setups want of what a step would set back, nil if they
// do not need it.
func (u *undoing) needed(s SetupStep, now Resource) Resource {
	link, isLink := now.(Link)
	for _, other := range u.still {
		goes := isLink && s.Found == nil && interfaceOf(other.Want) == link.Name
		if goes || isSo(other.Want, now) && !isSo(other.Want, s.Found) {
			return other.Want
		}
	}
	return nil
}

// hold notes what other setups want, and what of it is so.
func (u *undoing) hold(ctx context.Context, still Setup) error {
	u.still = still
	for _, s := range still {
		if s.Want == nil {
			return invalid("still", "a setting has no Want").about(OpUndo, s.Why)
		}
		if bad := s.Want.validate(); bad != nil {
			return bad.about(OpUndo, s.Want.String())
		}
		now, err := u.host.have(ctx, s.Want)
		if err != nil {
			return err
		}
		if isSo(s.Want, now) {
			u.held = append(u.held, s)
		}
	}
	return nil
}

// have returns what the host has of what is wanted, nil for nothing.
func (h *Host) have(ctx context.Context, want Resource) (Resource, error) {
	w, ok := want.(Address)
	if !ok || !w.AnyPrefix {
		return h.find(ctx, want)
	}
	all, err := within(ctx, h.network.Addresses)
	for _, a := range all {
		if isSo(want, addressOf(a)) {
			return addressOf(a), nil
		}
	}
	return nil, resourceError(OpReadHost, want, err)
}

// secure looks whether all that other setups want is still so, and makes again what
// went along with a step. Where that cannot be, it makes the step again.
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
	for _, f := range lost {
		u.kept = append(u.kept, Leftover{f, f, "another setup needs it: it went along, and was made again"})
	}
	return nil
}

// lost returns what other setups want that is not so any more.
func (u *undoing) lost(ctx context.Context) (all []Resource, err error) {
	for _, s := range u.held {
		now, err := u.host.have(ctx, s.Want)
		if err != nil {
			return nil, err
		}
		if isSo(s.Want, now) {
			continue
		}
		left, bad := s.Want.complete(now)
		if bad != nil {
			return nil, bad.about(OpUndo, s.Want.String())
		}
		all = append(all, left)
	}
	return all, nil
}

func (u *undoing) putAll(all []Resource) error {
	for _, f := range all {
		if err := u.host.put(f); err != nil {
			return err
		}
	}
	return nil
}
