package lvs

import (
	"context"

	"github.com/golvs/lvs/internal/netstate"
)

// Plan compares a setup with the host, and changes nothing. If the setup wants what
// the host cannot have, the error names the command and the field. It matches
// [ErrInvalid], [ErrNotFound] (the interface or the parameter does not exist) or
// [ErrExists] (something else is in its place).
//
// Planning a setup again after it was applied returns a plan that has nothing to do,
// and nothing to undo: keep the first one. What another setup on the host has made is
// found, and not undone with this plan: see [Host.Undo].
func (h *Host) Plan(ctx context.Context, setup Setup) (SetupPlan, error) {
	if err := h.open(OpPlan, "setup"); err != nil {
		return SetupPlan{}, err
	}
	p := planner{host: h, known: make(map[string]Resource)}
	id, err := h.identify(ctx)
	if err != nil {
		return SetupPlan{}, err
	}
	plan := SetupPlan{Host: id}
	for _, r := range setup {
		step, err := p.step(ctx, r)
		if err != nil {
			return SetupPlan{}, err
		}
		plan.Steps = append(plan.Steps, step)
	}
	return plan, nil
}

// planner plans one requirement after another. It knows what the steps before will
// leave.
type planner struct {
	host   *Host
	known  map[string]Resource // by key
	wanted Setup               // the requirements before
}

func (p *planner) step(ctx context.Context, r Requirement) (SetupStep, error) {
	r, err := p.accept(ctx, r)
	if err != nil {
		return SetupStep{}, err
	}
	found, err := p.find(ctx, r.Want)
	if err != nil {
		return SetupStep{}, err
	}
	left, bad := r.Want.complete(found)
	if bad != nil {
		return SetupStep{}, bad.about(OpPlan, r.Want.String())
	}
	step := SetupStep{Requirement: r, Found: found, Left: left}
	p.known[r.Want.key()] = left
	if want, ok := r.Want.(Sysctl); ok && step.HasChanges() {
		step.Effects, err = p.effects(ctx, want, found.(Sysctl))
	}
	return step, err
}

// accept returns a requirement that the host may meet. It wants the address that
// does as well as the one it names, if the interface has one.
func (p *planner) accept(ctx context.Context, r Requirement) (Requirement, error) {
	if bad := r.validate(OpPlan); bad != nil {
		return r, bad
	}
	if a, ok := r.Want.(IPsecAssociation); ok && a.Key == (IPsecKey{}) {
		return r, a.keyless().about(OpPlan, a.String())
	}
	if err := p.needsInterface(ctx, r.Want); err != nil {
		return r, err
	}
	if r.AnyPrefix || r.InSubnet {
		var err error
		if r.Want, err = p.address(ctx, r); err != nil {
			return r, err
		}
	}
	for _, before := range p.wanted {
		if before.Want.key() == r.Want.key() && !isSameWish(before.Want, r.Want) {
			return r, invalid("setup", "contradicts %s of the same setup", before.Want).about(OpPlan, r.Want.String())
		}
	}
	p.wanted = append(p.wanted, r)
	return r, nil
}

// needsInterface returns an error if a resource is about an interface that does not
// exist, and will not.
func (p *planner) needsInterface(ctx context.Context, want Resource) error {
	name := interfaceOf(want)
	if name == "" {
		return nil
	}
	link, err := p.find(ctx, Link{Name: name})
	if err == nil && link == nil {
		err = (&Error{kind: ErrNotFound, Field: "Interface", detail: "the host has no interface " + name}).about(OpPlan, want.String())
	}
	return err
}

// isSameWish reports whether two resources of one key ask for the same. A parameter
// may have two names.
func isSameWish(a, b Resource) bool {
	if s, ok := a.(Sysctl); ok {
		return s.matches(b)
	}
	return a == b
}

// address returns the address of the interface that meets a requirement, the wanted
// one if none does yet.
func (p *planner) address(ctx context.Context, r Requirement) (Resource, error) {
	want := r.Want.(Address)
	all, err := within(ctx, p.host.network.Addresses)
	if err != nil {
		return want, resourceError(OpReadHost, want, err)
	}
	inSubnet := false
	for _, a := range all {
		if a.Interface != want.Interface {
			continue
		}
		if found := addressFrom(a); r.AnyPrefix && r.isMet(found) {
			return plainResource(found), nil
		}
		inSubnet = inSubnet || a.Prefix == want.Prefix || !a.Prefix.IsSingleIP() && a.Prefix.Masked().Contains(want.Prefix.Addr())
	}
	if r.InSubnet && !inSubnet {
		return want, invalid("Prefix", "%s is in no network of %s, so other hosts do not look for it there; put it on an interface in its network, or set Routed if a router sends its packets here",
			want.Prefix.Addr(), want.Interface).about(OpPlan, want.String())
	}
	return want, nil
}

// find returns what will be in the place of a resource when the steps before are
// done.
func (p *planner) find(ctx context.Context, want Resource) (Resource, error) {
	if known, ok := p.known[want.key()]; ok {
		if s, ok := known.(Sysctl); ok { // it may have another name
			return Sysctl{want.(Sysctl).Key, s.Value}, nil
		}
		return known, nil
	}
	found, err := p.host.find(ctx, want)
	if err != nil || found != nil {
		return found, err
	}
	switch want := want.(type) {
	case Link:
		return p.fallback(want), nil
	case Sysctl:
		if name := want.interfaceOf(); name != "" && p.known[Link{Name: name}.key()] != nil {
			return p.inherit(ctx, want)
		}
	}
	return nil, nil
}

// fallback returns the device that a module makes which an earlier step loads, nil for
// none. Only its name and kind are known.
func (p *planner) fallback(want Link) Resource {
	for _, before := range p.wanted {
		m, ok := before.Want.(Module)
		if device, made := netstate.DeviceOf(m.Name); ok && made && device.Name == want.Name {
			return Link{Name: device.Name, Kind: device.Kind}
		}
	}
	return nil
}

// inherit returns the parameter of an interface that an earlier step makes.
func (p *planner) inherit(ctx context.Context, s Sysctl) (Resource, error) {
	from, err := p.find(ctx, s.inherited())
	if from == nil || err != nil {
		return nil, err
	}
	return Sysctl{s.Key, from.(Sysctl).Value}, nil
}

func (p *planner) effects(ctx context.Context, want, found Sysctl) (all []SideEffect, err error) {
	names, err := p.host.linkNames(ctx)
	if err != nil {
		return nil, err
	}
	undone, _ := found.effects(names)
	effects, maybe := want.effects(names)
	for i, left := range effects {
		was, err := p.find(ctx, left)
		if err != nil {
			return nil, err
		}
		if was == nil {
			continue // an interface without that protocol
		}
		all = append(all, SideEffect{was.(Sysctl), left, undone[i], maybe})
		if !maybe {
			p.known[left.key()] = left
		}
	}
	return all, nil
}
