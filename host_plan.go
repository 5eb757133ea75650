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
	Host  HostID `json:"host,omitzero"` // that it was made on
	Steps []Step `json:"steps"`         // in the order of the setup
}

// Step is one setting of a plan.
type Step struct {
	Setting Setting  // what was wanted
	Found   Fact     // what was there in its place; nil is nothing
	Left    Fact     // what will be there; equal to Found when there is nothing to do
	Effects []Effect // what the kernel changes along with it
}

// Effect is what the kernel changes by itself when a setting is made.
type Effect struct {
	Found  Sysctl `json:"found"`  // what was there
	Left   Sysctl `json:"left"`   // what the kernel makes of it when the setting is made,
	Undone Sysctl `json:"undone"` // and when it is taken back

	// Maybe says that the kernel changes it only if nobody has set it before,
	// which cannot be seen.
	Maybe bool `json:"maybe,omitempty"`
}

// Changes tells whether the step has anything to do.
func (s Step) Changes() bool { return s.Found == nil || s.Left == nil || !s.Left.matches(s.Found) }

// Changes tells whether the plan has anything to do.
func (p SetupPlan) Changes() bool {
	for _, s := range p.Steps {
		if s.Changes() {
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
		if !s.Changes() {
			b.WriteString("# is so: " + Setting{Want: s.Setting.Want}.String() + "\n")
			continue
		}
		b.WriteString(s.Setting.String() + "\n")
		if s.Found != nil {
			b.WriteString("#   was: " + show(s.Found) + "\n")
		}
		for _, e := range s.Effects {
			if e.Found != e.Left {
				verb := "turns "
				if e.Maybe {
					verb = "may turn "
				}
				b.WriteString("#   " + verb + e.Left.Key + " from " + e.Found.Value + " to " + e.Left.Value + "\n")
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
	if err := h.open("plan", "setup"); err != nil {
		return SetupPlan{}, err
	}
	p := planner{host: h, known: make(map[string]Fact)}
	id, err := h.identify(ctx)
	if err != nil {
		return SetupPlan{}, err
	}
	plan := SetupPlan{Host: id}
	for _, s := range setup {
		if s.Want == nil {
			return SetupPlan{}, invalid("Want", "a setting wants nothing").about("plan", s.Why)
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
	known  map[string]Fact // by key
	wanted Setup           // the settings before
}

func (p *planner) step(ctx context.Context, s Setting) (Step, error) {
	refuse := func(e *Error) (Step, error) { return Step{}, e.about("plan", s.Want.String()) }
	if err := s.Want.validate(); err != nil {
		return refuse(err)
	}
	if a, ok := s.Want.(SecurityAssociation); ok && a.Key == (Key{}) {
		return refuse(a.keyless())
	}
	if a, ok := s.Want.(Address); ok {
		a, bad, err := p.address(ctx, a)
		if bad != nil {
			return refuse(bad)
		}
		if err != nil {
			return Step{}, err
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
		return Step{}, err
	}
	if name := interfaceOf(s.Want); name != "" {
		if link, err := p.find(ctx, Link{Name: name}); err != nil {
			return Step{}, err
		} else if link == nil {
			return refuse(&Error{kind: ErrNotFound, Field: "Interface", detail: "there is no interface " + name})
		}
	}
	left, bad := s.Want.complete(found)
	if bad != nil {
		return refuse(bad)
	}
	step := Step{Setting: s, Found: found, Left: left}
	p.known[s.Want.key()] = left
	if want, ok := s.Want.(Sysctl); ok && step.Changes() {
		step.Effects, err = p.effects(ctx, want, found.(Sysctl))
	}
	return step, err
}

// isSame reports whether two wanted facts of one key ask for the same. A parameter
// may have two names.
func isSame(a, b Fact) bool {
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
		return want, nil, settingError("list", want, err)
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
func (p *planner) find(ctx context.Context, f Fact) (Fact, error) {
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
func (p *planner) inherit(ctx context.Context, s Sysctl) (Fact, error) {
	from, err := p.find(ctx, s.inherited())
	if from == nil || err != nil {
		return nil, err
	}
	return Sysctl{s.Key, from.(Sysctl).Value}, nil
}

func (p *planner) effects(ctx context.Context, want, found Sysctl) (all []Effect, err error) {
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
		all = append(all, Effect{was.(Sysctl), left, undone[i], maybe})
		if !maybe {
			p.known[left.key()] = left
		}
	}
	return all, nil
}

type stepJSON struct {
	Setting Setting  `json:"setting"`
	Found   *oneFact `json:"found,omitempty"`
	Left    *oneFact `json:"left"`
	Effects []Effect `json:"effects,omitempty"`
}

// MarshalJSON writes the step's facts as [Setting.MarshalJSON] does.
func (s Step) MarshalJSON() ([]byte, error) {
	return json.Marshal(stepJSON{s.Setting, wrapFact(s.Found), wrapFact(s.Left), s.Effects})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *Step) UnmarshalJSON(text []byte) error {
	var in stepJSON
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	found, err := in.Found.fact()
	if err != nil {
		return err
	}
	left, err := in.Left.fact()
	if err == nil && left == nil {
		err = invalid("left", "a step leaves nothing").about("parse", "plan")
	}
	if err == nil {
		*s = Step{in.Setting, found, left, in.Effects}
	}
	return err
}
