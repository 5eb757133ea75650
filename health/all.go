package health

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// All works if all of its probes do. They are asked side by side, and the first failure
// ends the others. The answer has the least share that one of them reports, and the
// contents of all.
type All []Probe

// Any works if one of its probes does. They are asked side by side, and the first success
// ends the others: its answer is that of Any.
type Any []Probe

// Probe asks all of them.
func (a All) Probe(ctx context.Context, t Target) (Answer, error) {
	answers := make([]Answer, len(a))
	err := error(nil)
	sideBySide(ctx, a, t, func(r result) (enough bool) {
		if r.err != nil {
			err = fmt.Errorf("%s: %w", describe(a[r.i]), r.err)
		}
		answers[r.i] = r.answer
		return err != nil
	})
	if err != nil {
		return Answer{}, err
	}
	return combine(answers), nil
}

// Probe asks all of them.
func (a Any) Probe(ctx context.Context, t Target) (Answer, error) {
	errs := make([]error, len(a))
	answer, works := Answer{}, false
	sideBySide(ctx, a, t, func(r result) (enough bool) {
		answer, errs[r.i], works = r.answer, r.err, r.err == nil
		return works
	})
	if !works {
		return Answer{}, &noneError{a, errs}
	}
	return answer, nil
}

// noneError is the error of an [Any] whose probes all failed.
type noneError struct {
	probes []Probe
	errs   []error
}

func (e *noneError) Error() string {
	all := make([]string, len(e.errs))
	for i, err := range e.errs {
		all[i] = fmt.Sprintf("%s: %v", describe(e.probes[i]), err)
	}
	return fmt.Sprintf("none of %d works: %s", len(all), strings.Join(all, "; "))
}

func (e *noneError) Unwrap() []error { return e.errs }

// result is what the probe of an index said.
type result struct {
	i      int
	answer Answer
	err    error
}

// sideBySide asks probes side by side, in goroutines that have ended when it returns. take
// gets the results in the order in which they come, until it has enough.
func sideBySide(ctx context.Context, probes []Probe, t Target, take func(result) (enough bool)) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan result)
	for i, p := range probes {
		go func() {
			answer, err := ask(ctx, p, t)
			results <- result{i, answer, err}
		}()
	}
	enough := false
	for range probes {
		r := <-results
		if !enough {
			enough = take(r)
		}
		if enough {
			cancel()
		}
	}
}

// combine returns the answer of probes that all work.
func combine(answers []Answer) Answer {
	all := Answer{Share: math.Inf(1)}
	var contents []string
	for _, a := range answers {
		if a.Reported {
			all.Share, all.Reported = min(all.Share, a.Share), true
		}
		if a.Content != "" {
			contents = append(contents, a.Content)
		}
	}
	if !all.Reported {
		all.Share = 0
	}
	all.Content = strings.Join(contents, " ")
	return all
}

// String returns the probes in words, such as "all (tcp, http /ready)".
func (a All) String() string { return "all (" + list(a) + ")" }

// String returns the probes in words, such as "any (tcp, http /ready)".
func (a Any) String() string { return "any (" + list(a) + ")" }

func list(probes []Probe) string {
	all := make([]string, len(probes))
	for i, p := range probes {
		all[i] = describe(p)
	}
	return strings.Join(all, ", ")
}

func (a All) validate() error { return validateAll(a) }

func (a Any) validate() error { return validateAll(a) }

// validateAll refuses an empty list: a probe that never fails or never works is a mistake.
func validateAll(probes []Probe) error {
	if len(probes) == 0 {
		return invalid("", "must have at least one probe")
	}
	for i, p := range probes {
		if err := validateProbe(p); err != nil {
			return within(indexed("", i), err)
		}
	}
	return nil
}

// silence is that of the probe that waits longest. An [Any] need not wait for it.
func (a All) silence() (longest time.Duration) {
	for _, p := range a {
		longest = max(longest, silenceOf(p))
	}
	return longest
}

// identity differs from that of others with a [Func] in them.
func (a All) identity() string { return identities(a) }

func (a Any) identity() string { return identities(a) }

func identities(probes []Probe) string {
	return fmt.Sprintf("%q", slices.Collect(func(yield func(string) bool) {
		for _, p := range probes {
			if !yield(identify(p)) {
				return
			}
		}
	}))
}

// identify returns what two probes have in common if one can stand for the other.
func identify(p Probe) string {
	if alone, ok := p.(interface{ identity() string }); ok {
		return fmt.Sprintf("%T %s", p, alone.identity())
	}
	text, err := MarshalProbe(p)
	if err != nil { // of another package
		return fmt.Sprintf("%T %+v", p, p)
	}
	return string(text)
}

// MarshalJSON returns a list of what [MarshalProbe] returns.
func (a All) MarshalJSON() ([]byte, error) { return encode(&a) }

// UnmarshalJSON reads what MarshalJSON returns, as that of [Policy] does.
func (a *All) UnmarshalJSON(text []byte) error { return decode(text, a) }

// MarshalJSON returns a list of what [MarshalProbe] returns.
func (a Any) MarshalJSON() ([]byte, error) { return encode(&a) }

// UnmarshalJSON reads what MarshalJSON returns, as that of [Policy] does.
func (a *Any) UnmarshalJSON(text []byte) error { return decode(text, a) }
