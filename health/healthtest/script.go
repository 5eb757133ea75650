package healthtest

import (
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"
	"unicode"
)

// Script is what a server does as time passes, in order of time. Before the first step the
// server answers. The text form is
//
//	0s answer; 40s hang; 1m0s refuse; 1m30s flap 2s
type Script []Step

// Step is what a server does from a given time until the next step.
type Step struct {
	At   time.Duration // since [New]
	Does Behaviour     // what it does
}

// String returns the text form of the step, such as "40s hang".
func (s Step) String() string { return s.At.String() + " " + s.Does.String() }

// At returns what the server does at a time, with [Flap] resolved to [Refuse] or
// [Answer].
func (s Script) At(t time.Duration) Behaviour {
	now, _, _ := s.at(t)
	return now
}

// Next returns the first moment after a time at which the server does something else, and
// false if it never does.
func (s Script) Next(t time.Duration) (time.Duration, bool) {
	_, next, ok := s.at(t)
	return next, ok
}

// at returns what the server does at a time, and until when.
func (s Script) at(t time.Duration) (now Behaviour, next time.Duration, changes bool) {
	i := sort.Search(len(s), func(i int) bool { return s[i].At > t })
	if i < len(s) {
		next, changes = s[i].At, true
	}
	if i == 0 {
		return now, next, changes
	}
	step := s[i-1]
	if step.Does.kind != flaps || step.Does.time <= 0 {
		return step.Does, next, changes
	}
	n := (t - step.At) / step.Does.time
	if turn := step.At + (n+1)*step.Does.time; !changes || turn < next {
		next, changes = turn, true
	}
	if n%2 == 0 {
		return Refuse(), next, changes
	}
	return Answer(), next, changes
}

// String returns the text form, and "" for an empty script.
func (s Script) String() string {
	steps := make([]string, len(s))
	for i, step := range s {
		steps[i] = step.String()
	}
	return strings.Join(steps, "; ")
}

// ParseScript reads the text form. The error is an [*InvalidError] that says where the
// text is wrong.
func ParseScript(text string) (s Script, err error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	at := 0 // where the step begins
	for i, part := range strings.Split(text, ";") {
		step, err := parseStep(part)
		if err == nil {
			err = validateStep(append(s, step), i)
		}
		if err != nil {
			blank := len(part) - len(strings.TrimLeftFunc(part, unicode.IsSpace))
			return nil, invalid(fmt.Sprintf("Script[%d]", i), "%q at character %d: %s", strings.TrimSpace(part), at+blank+1, problemOf(err))
		}
		s = append(s, step)
		at += len(part) + 1
	}
	return s, nil
}

func parseStep(text string) (s Step, err error) {
	at, does, _ := strings.Cut(strings.TrimSpace(text), " ")
	if s.At, err = time.ParseDuration(at); err != nil {
		return Step{}, invalid("At", `want a time and a behaviour, such as "40s hang"`)
	}
	s.Does, err = ParseBehaviour(does)
	return s, err
}

func problemOf(err error) string {
	if bad := (*InvalidError)(nil); errors.As(err, &bad) {
		return bad.Problem
	}
	return err.Error()
}

// validate refuses a script that is not in order, and steps that cannot be done.
func (s Script) validate() error {
	for i := range s {
		if err := validateStep(s, i); err != nil {
			return err
		}
	}
	return nil
}

// validateStep refuses a step that cannot follow the one before it.
func validateStep(s Script, i int) error {
	field := fmt.Sprintf("Script[%d]", i)
	switch {
	case s[i].At < 0:
		return invalid(field+".At", "%s is negative", s[i].At)
	case i > 0 && s[i].At <= s[i-1].At:
		return invalid(field+".At", "%s is not after %s, the time of the step before", s[i].At, s[i-1].At)
	}
	return s[i].Does.validate(field + ".Does")
}

// MarshalText returns the text form.
func (s Script) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the text form; an empty text is an empty script.
func (s *Script) UnmarshalText(text []byte) (err error) {
	*s, err = ParseScript(string(text))
	return err
}
