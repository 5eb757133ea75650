package lvs

import (
	"encoding/json"
	"strings"
)

// SetupPlan is the difference between a host and what a setup wants, as [Host.Plan]
// found it. It marshals to JSON: save it before [Host.Apply], for [Host.Undo] needs
// it, in this process or a later one. It contains no secrets.
type SetupPlan struct {
	Host  HostID      `json:"host,omitzero"` // on which it was made
	Steps []SetupStep `json:"steps"`         // in the order of the setup
}

// SetupStep is one requirement of a plan.
type SetupStep struct {
	Requirement Requirement  // what was wanted
	Found       Resource     // what was in its place; nil for nothing
	Left        Resource     // what will be in its place; equal to Found when there is nothing to do
	Effects     []SideEffect // what the kernel changes along with it
}

// SideEffect is what the kernel changes automatically when a requirement is met.
type SideEffect struct {
	Found  Sysctl `json:"found"`  // what was there
	Left   Sysctl `json:"left"`   // what the kernel makes of it when the requirement is met
	Undone Sysctl `json:"undone"` // what the kernel makes of it when that is undone

	// Maybe says that the kernel changes the parameter only if it was never set
	// before, which cannot be seen.
	Maybe bool `json:"maybe,omitempty"`
}

// HasChanges reports whether the step has anything to do.
func (s SetupStep) HasChanges() bool {
	return s.Found == nil || s.Left == nil || !s.Left.matches(s.Found)
}

// HasChanges reports whether the plan has anything to do.
func (p SetupPlan) HasChanges() bool {
	for _, s := range p.Steps {
		if s.HasChanges() {
			return true
		}
	}
	return false
}

// String returns the commands of the plan, with what each changes. Those that have
// nothing to do are comments.
func (p SetupPlan) String() string {
	var b strings.Builder
	for _, s := range p.Steps {
		if !s.HasChanges() {
			b.WriteString("# already: " + s.Requirement.Want.String() + "\n")
			continue
		}
		b.WriteString(s.Requirement.String() + "\n")
		if s.Found != nil {
			b.WriteString("#   was: " + describeResource(s.Found) + "\n")
		}
		for _, e := range s.Effects {
			b.WriteString(e.text())
		}
	}
	return b.String()
}

// text returns the effect as a comment, "" if it changes nothing.
func (e SideEffect) text() string {
	if e.Found == e.Left {
		return ""
	}
	verb := "turns "
	if e.Maybe {
		verb = "may turn "
	}
	return "#   " + verb + string(e.Left.Key) + " from " + e.Found.Value + " to " + e.Left.Value + "\n"
}

type stepJSON struct {
	Requirement Requirement   `json:"requirement"`
	Found       *resourceJSON `json:"found,omitempty"`
	Left        *resourceJSON `json:"left"`
	Effects     []SideEffect  `json:"effects,omitempty"`
}

type plainPlan SetupPlan // without its methods

type planJSON struct {
	Version int `json:"version"`
	plainPlan
}

// MarshalJSON returns the plan with the version of its format.
func (p SetupPlan) MarshalJSON() ([]byte, error) {
	return json.Marshal(planJSON{formatVersion, plainPlan(p)})
}

// UnmarshalJSON reads what MarshalJSON returns. Another version, or none, and
// unknown fields match [ErrInvalid].
func (p *SetupPlan) UnmarshalJSON(text []byte) error {
	var in planJSON
	if err := unmarshalVersioned("plan", text, &in); err != nil {
		return err
	}
	*p = SetupPlan(in.plainPlan)
	return nil
}

// MarshalJSON writes the step's resources as [Requirement.MarshalJSON] does.
func (s SetupStep) MarshalJSON() ([]byte, error) {
	return json.Marshal(stepJSON{s.Requirement, wrapResource(s.Found), wrapResource(s.Left), s.Effects})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *SetupStep) UnmarshalJSON(text []byte) error {
	var in stepJSON
	if err := unmarshalStrict("step of a plan", text, &in); err != nil {
		return err
	}
	if in.Left == nil || in.Requirement.Want == nil {
		return invalid("steps", "a step needs a requirement and what it leaves").about(OpParse, "plan")
	}
	*s = SetupStep{in.Requirement, in.Found.resource(), in.Left.resource(), in.Effects}
	return nil
}
