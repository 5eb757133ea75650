package lvs

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ApplyResult is what [Client.ApplyTable] did.
type ApplyResult struct {
	Steps []StepOutcome `json:"steps"` // of the plan's steps, in their order

	// Drains are those of the plan's steps that have begun, now or when the same plan
	// was applied before.
	Drains []Drain `json:"drains,omitempty"`
}

// Count returns how many steps have one of the outcomes.
func (r ApplyResult) Count(outcomes ...StepOutcome) (n int) {
	for _, o := range r.Steps {
		if slices.Contains(outcomes, o) {
			n++
		}
	}
	return n
}

// String returns how many steps have which outcome, such as
// "2 steps made, 1 refused; 1 drain began".
func (r ApplyResult) String() string {
	var parts []string
	noun := " steps"
	for _, o := range []StepOutcome{StepMade, StepFound, StepRefused, StepUnknown, StepNotSent, StepTakenBack} {
		if n := r.Count(o); n > 0 {
			if n == 1 && noun != "" {
				noun = " step"
			}
			parts = append(parts, fmt.Sprintf("%d%s %s", n, noun, o))
			noun = ""
		}
	}
	if parts == nil {
		return "nothing to do"
	}
	text := strings.Join(parts, ", ")
	switch n := len(r.Drains); {
	case n == 1:
		text += "; 1 drain began"
	case n > 1:
		text += fmt.Sprintf("; %d drains began", n)
	}
	return text
}

// StepOutcome is how a step of a plan ended.
type StepOutcome uint8

const (
	// StepNotSent: the kernel never saw it, because another step failed, the context
	// ended, or the client was closed.
	StepNotSent StepOutcome = iota

	// StepMade: it was made. One that drains began.
	StepMade

	// StepFound: it had been made already, when the plan was applied before and
	// interrupted.
	StepFound

	// StepRefused: the kernel refused it. One that drains a service may have set some of
	// the weights to 0.
	StepRefused

	// StepUnknown: it was sent, and no answer came. See [OutcomeUnknown].
	StepUnknown

	// StepTakenBack: it was made and taken back, or may have been made and was not.
	StepTakenBack
)

var stepOutcomes = [...]string{
	StepNotSent: "not sent", StepMade: "made", StepFound: "found made", StepRefused: "refused", StepUnknown: "unknown",
	StepTakenBack: "taken back",
}

// String returns "not sent", "made", "found made", "refused", "unknown" or "taken back".
func (o StepOutcome) String() string {
	if int(o) < len(stepOutcomes) {
		return stepOutcomes[o]
	}
	return "outcome " + strconv.Itoa(int(o))
}

// MarshalText returns what String does.
func (o StepOutcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads what MarshalText returns. Errors match [ErrInvalid].
func (o *StepOutcome) UnmarshalText(text []byte) error {
	n := slices.Index(stepOutcomes[:], string(text))
	if n < 0 {
		return invalid("", "want one of %q", stepOutcomes).about(OpParse, strconv.Quote(string(text)))
	}
	*o = StepOutcome(n)
	return nil
}

// isWorse reports whether less was achieved than with another outcome, or less is known.
func (o StepOutcome) isWorse(other StepOutcome) bool {
	rank := [...]int{StepMade: 0, StepNotSent: 1, StepRefused: 2, StepUnknown: 3}
	return rank[o] > rank[other]
}

// isDone reports whether the kernel has what the step leads to.
func (o StepOutcome) isDone() bool { return o == StepMade || o == StepFound }

// result returns what was done.
func (a *tableApply) result() ApplyResult {
	r := ApplyResult{Steps: a.outcomes}
	for i := range a.plan.Steps {
		if d, ok := a.drains[i]; ok && a.hasBegun(i) {
			r.Drains = append(r.Drains, d)
		}
	}
	return r
}

// hasBegun reports whether one of the weights of a step that drains was set to 0, or may
// have been.
func (a *tableApply) hasBegun(step int) bool {
	switch a.outcomes[step] {
	case StepMade, StepFound, StepUnknown:
		return true
	case StepTakenBack:
		return false
	}
	return slices.ContainsFunc(a.touched, func(i int) bool { return a.requests[i].step == step })
}
