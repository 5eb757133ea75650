package lvs

import (
	"encoding/json"
	"strings"
)

// Requirement is one thing that a [Setup] wants of a host, and why. It prints as the
// command that an administrator would type.
type Requirement struct {
	Want Resource // what is to be so
	Why  string   // for those who read the setup; "" is none
}

// Setup is what a host needs for its part, in the order in which it is set up.
// Setups can be joined with append. [Host.Plan] compares it with a host. Where two
// of them are on one host and one is undone, give the other one to [Host.Undo].
type Setup []Requirement

// String shows the command with its reason, as a shell would take it.
func (s Requirement) String() string {
	text := "nothing"
	if s.Want != nil {
		text = s.Want.String()
	}
	if s.Why != "" {
		text += "  # " + s.Why
	}
	return text
}

// String shows the commands, one a line.
func (s Setup) String() string {
	var b strings.Builder
	for _, requirement := range s {
		b.WriteString(requirement.String() + "\n")
	}
	return b.String()
}

type requirementJSON struct {
	Want *oneResource `json:"want"`
	Why  string       `json:"why,omitempty"`
}

// MarshalJSON writes {"want": {"address": {…}}, "why": "…"}.
func (s Requirement) MarshalJSON() ([]byte, error) {
	return json.Marshal(requirementJSON{wrapResource(s.Want), s.Why})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *Requirement) UnmarshalJSON(text []byte) error {
	var in requirementJSON
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	want, err := in.Want.resource()
	if err == nil && want == nil {
		err = invalid("want", "a setting wants nothing").about(OpParse, "setting")
	}
	if err == nil {
		*s = Requirement{Want: want, Why: in.Why}
	}
	return err
}
