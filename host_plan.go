package lvs

import (
	"context"
	"encoding/json"
	"strings"
)

// SetupPlan is what [Host.Plan] found on a host beside what a setup wants. It is
// a value that marshals to JSON: save it before [Host.Apply], for [Host.Undo]
// needs it, in this process or a later one. It holds no secrets.
type SetupPlan struct {
	Host  HostID      `json:"host,omitzero"` // that it was made on
	Steps []SetupStep `json:"steps"`         // in the order of the setup
}

// SetupStep is one setting of a plan.
type SetupStep struct {
	Requirement Requirement  // what was wanted
	Found       Resource     // what was there in its place; nil is nothing
	Left        Resource     // what will be there; equal to Found when there is nothing to do
	Effects     []SideEffect // what the kernel changes along with it
}

// SideEffect is what the kernel changes by itself when a setting is made.
type SideEffect struct {
	Found  Sysctl `json:"found"`  // what was there
	Left   Sysctl `json:"left"`   // what the kernel makes of it when the setting is made,
	Undone Sysctl `json:"undone"` // and when it is taken back

	// Maybe says that the kernel changes it only if nobody has set it before,
	// which cannot be seen.
	Maybe bool `json:"maybe,omitempty"`
}

// HasChanges tells whether the step has anything to do.
func (s SetupStep) HasChanges() bool {
	return s.Found == nil || s.Left == nil || !s.Left.matches(s.Found)
}

// HasChanges tells whether the plan has anything to do.
func (p SetupPlan) HasChanges() bool {
	for _, s := range p.Steps {
		if s.HasChanges() {
			return true
		}
	}
	return false
}

// String shows the plan: the commands, those that there is nothing to do for as
// comments, with what each changes.
func (p SetupPlan) String() string {
	var b strings.Builder
	for _, s := range p.Steps {
		if !s.HasChanges() {
			b.WriteString("# is so: " + Requirement{Want: s.Requirement.Want}.String() + "\n")
			continue
		}
		b.WriteString(s.Requirement.String() + "\n")
		if s.Found != nil {
			b.WriteString("#   was: " + describeResource(s.Found) + "\n")
		}
		for _, e := range s.Effects {
			if e.Found != e.Left {
				verb := "turns "
				if e.Maybe {
					verb = "may turn "
				}
				b.WriteString("#   " + verb + string(e.Left.Key) + " from " + e.Found.Value + " to " + e.Left.Value + "\n")
			}
		}
	}
	return b.String()
}

// Plan compares a setup with the host, and changes nothing. What the setup asks
// for and the host cannot have is refused with the setting's name: [ErrInvalid],
// [ErrNotFound] (no such interface, no such parameter), [ErrExists] (something
// else is in its place). A setup that was applied gives a plan that has nothing
// to do, and nothing to undo: keep the first one. What another setup on the host has
// made already is found, and not undone with this plan: see [Host.Undo].
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
	for _, s := range setup {
		if s.Want == nil {
			return SetupPlan{}, invalid("Want", "a setting wants nothing").about(OpPlan, s.Why)
		}
		step, err := p.step(ctx, s)
		if err != nil {
			return SetupPlan{}, err
		}
		plan.Steps = append(plan.Steps, step)
	}
	return plan, nil
}

// planner plans setting after setting. It knows what the ones before will leave.
type planner struct {
	host   *Host
	known  map[string]Resource // by key
	wanted Setup               // the settings before
}

func (p *planner) step(ctx context.Context, s Requirement) (SetupStep, error) {
	refuse := func(e *Error) (SetupStep, error) { return SetupStep{}, e.about(OpPlan, s.Want.String()) }
	if err := s.Want.validate(); err != nil {
		return refuse(err)
	}
	if a, ok := s.Want.(IPsecAssociation); ok && a.Key == (IPsecKey{}) {
		return refuse(a.keyless())
	}
	if a, ok := s.Want.(Address); ok {
		a, bad, err := p.address(ctx, a)
		if bad != nil {
			return refuse(bad)
		}
		if err != nil {
			return SetupStep{}, err
		}
		s.Want = a
	}
	for _, before := range p.wanted {
		if before.Want.key() == s.Want.key() && !isSame(before.Want, s.Want) {
			return refuse(invalid("setup", "contradicts %s of the same setup", before.Want))
		}
	}
	p.wanted = append(p.wanted, s)
	found, err := p.find(ctx, s.Want)
	if err != nil {
		return SetupStep{}, err
	}
	if name := interfaceOf(s.Want); name != "" {
		if link, err := p.find(ctx, Link{Name: name}); err != nil {
			return SetupStep{}, err
		} else if link == nil {
			return refuse(&Error{kind: ErrNotFound, Field: "Interface", detail: "there is no interface " + name})
		}
	}
	left, bad := s.Want.complete(found)
	if bad != nil {
		return refuse(bad)
	}
	step := SetupStep{Requirement: s, Found: found, Left: left}
	p.known[s.Want.key()] = left
	if want, ok := s.Want.(Sysctl); ok && step.HasChanges() {
		step.Effects, err = p.effects(ctx, want, found.(Sysctl))
	}
	return step, err
}

// isSame reports whether two wanted facts of one key ask for the same. A parameter
// may have two names.
func isSame(a, b Resource) bool {
	if s, ok := a.(Sysctl); ok {
		return s.matches(b)
	}
	return a == b
}

// address looks at the other addresses of an interface, as the wanted one asks
// for: it returns the one that does as well, or refuses one that is in no subnet.
func (p *planner) address(ctx context.Context, want Address) (Address, *Error, error) {
	if !want.AnyPrefix && !want.InSubnet {
		return want, nil, nil
	}
	all, err := within(ctx, p.host.network.Addresses)
	if err != nil {
		return want, nil, resourceError(OpReadHost, want, err)
	}
	inSubnet := false
	for _, a := range all {
		if a.Interface != want.Interface {
			continue
		}
		if want.AnyPrefix && a.Prefix.Addr() == want.Prefix.Addr() {
			a.DADFailed = false
			return addressOf(a), nil, nil
		}
		inSubnet = inSubnet || a.Prefix == want.Prefix || !a.Prefix.IsSingleIP() && a.Prefix.Masked().Contains(want.Prefix.Addr())
	}
	link, err := p.find(ctx, Link{Name: want.Interface})
	if want.InSubnet && !inSubnet && link != nil {
		return want, invalid("Prefix", "%s is in no subnet of %s, so nobody looks for it there; give it to an interface that is in its subnet, or say that it is routed here",
			want.Prefix.Addr(), want.Interface), nil
	}
	return want, nil, err
}

// find returns what will be there when the settings before have been made.
func (p *planner) find(ctx context.Context, f Resource) (Resource, error) {
	if known, ok := p.known[f.key()]; ok {
		if s, ok := known.(Sysctl); ok { // it may have another name
			return Sysctl{f.(Sysctl).Key, s.Value}, nil
		}
		return known, nil
	}
	found, err := p.host.find(ctx, f)
	if err != nil || found != nil {
		return found, err
	}
	switch f := f.(type) {
	case Link:
		// Of the device that a module brings only the name and the kind are known.
		if device := (Link{Name: f.Name, Kind: f.Kind}); f.isFallback() && p.known[Module{moduleOf(f.Kind)}.key()] != nil {
			return device, nil
		}
	case Sysctl:
		if name := f.interfaceOf(); name != "" && p.known[Link{Name: name}.key()] != nil {
			return p.inherit(ctx, f)
		}
	}
	return nil, nil
}

// inherit returns the parameter of an interface that will be made.
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

type stepJSON struct {
	Setting Requirement  `json:"requirement"`
	Found   *oneResource `json:"found,omitempty"`
	Left    *oneResource `json:"left"`
	Effects []SideEffect `json:"effects,omitempty"`
}

// MarshalJSON writes the step's facts as [Requirement.MarshalJSON] does.
func (s SetupStep) MarshalJSON() ([]byte, error) {
	return json.Marshal(stepJSON{s.Requirement, wrapResource(s.Found), wrapResource(s.Left), s.Effects})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *SetupStep) UnmarshalJSON(text []byte) error {
	var in stepJSON
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	found, err := in.Found.resource()
	if err != nil {
		return err
	}
	left, err := in.Left.resource()
	if err == nil && left == nil {
		err = invalid("left", "a step leaves nothing").about(OpParse, "plan")
	}
	if err == nil {
		*s = SetupStep{in.Setting, found, left, in.Effects}
	}
	return err
}
