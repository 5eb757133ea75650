package lvs

import (
	"encoding/json"
	"strings"
)

// Requirement is one thing that a [Setup] wants of a host, with the reason.
type Requirement struct {
	Want Resource // what the host shall have
	Why  string   // for readers of the setup; "" is none

	// InSubnet refuses an [Address] that is in no network of its interface: other
	// hosts would not look for it there.
	InSubnet bool

	// AnyPrefix accepts an [Address] that the interface has with another prefix
	// length, label or scope.
	AnyPrefix bool
}

// Setup is what a host needs for its part, in the order in which it is set up.
// Setups can be joined with append. [Host.Plan] compares it with a host. If several
// are on one host and one is undone, give the others to [Host.Undo].
type Setup []Requirement

// String returns the command that meets the requirement, with the reason as a comment.
func (r Requirement) String() string {
	text := "nothing"
	if r.Want != nil {
		text = r.Want.String()
	}
	if r.Why != "" {
		text += "  # " + r.Why
	}
	return text
}

// String returns the commands, one a line.
func (s Setup) String() string {
	var b strings.Builder
	for _, r := range s {
		b.WriteString(r.String() + "\n")
	}
	return b.String()
}

// validate returns an error for a requirement that no host can meet. Its object is
// what is wanted.
func (r Requirement) validate(op Op) *Error {
	if r.Want == nil {
		return invalid("Want", "must be set").about(op, r.String())
	}
	bad := r.Want.validate()
	if _, isAddress := r.Want.(Address); bad == nil && !isAddress {
		switch {
		case r.InSubnet:
			bad = invalid("InSubnet", "is for an Address")
		case r.AnyPrefix:
			bad = invalid("AnyPrefix", "is for an Address")
		}
	}
	if bad != nil {
		return bad.about(op, r.Want.String())
	}
	return nil
}

// isMet reports whether a host that has now in its place meets the requirement.
func (r Requirement) isMet(now Resource) bool {
	if now == nil {
		return false
	}
	if want, ok := r.Want.(Address); ok && r.AnyPrefix {
		a, ok := plainResource(now).(Address)
		return ok && a.Interface == want.Interface && a.Prefix.Addr() == want.Prefix.Addr()
	}
	if r.Want.key() != now.key() {
		return false
	}
	left, bad := r.Want.complete(now)
	return bad == nil && left.matches(now)
}

type requirementJSON struct {
	Want      *resourceJSON `json:"want"`
	Why       string        `json:"why,omitempty"`
	InSubnet  bool          `json:"inSubnet,omitempty"`
	AnyPrefix bool          `json:"anyPrefix,omitempty"`
}

// MarshalJSON writes {"want": {"address": {…}}, "why": "…"}.
func (r Requirement) MarshalJSON() ([]byte, error) {
	return json.Marshal(requirementJSON{wrapResource(r.Want), r.Why, r.InSubnet, r.AnyPrefix})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (r *Requirement) UnmarshalJSON(text []byte) error {
	var in requirementJSON
	if err := unmarshalStrict("requirement", text, &in); err != nil {
		return err
	}
	if in.Want == nil {
		return invalid("want", "must be set").about(OpParse, "requirement")
	}
	*r = Requirement{in.Want.resource(), in.Why, in.InSubnet, in.AnyPrefix}
	return nil
}
