package lvs

import (
	"errors"
	"fmt"
	"strings"
)

// BatchError is returned by [Client.Do] for several changes. Changes that it does
// not list were made. It matches, with [errors.Is], a kind that all of its
// failures are of, and the error of the context that ended the call.
type BatchError struct {
	Total    int       // how many changes there were
	Failures []Failure // in the order of the changes; never empty
	cause    error
}

// Failure is a change that was not made or of which that is not known, as
// [Error.Unknown] says.
type Failure struct {
	Index  int    // its place among the changes
	Change Change // as it was asked for
	Err    *Error // why
}

// Error shows the first failures, one a line.
func (e *BatchError) Error() string {
	const shown = 10
	var b strings.Builder
	fmt.Fprintf(&b, "lvs: %d of %d changes failed", len(e.Failures), e.Total)
	if e.cause != nil {
		b.WriteString(": " + e.cause.Error())
	}
	for _, f := range e.Failures[:min(shown, len(e.Failures))] {
		fmt.Fprintf(&b, "\n\tchange %d: %s", f.Index, strings.TrimPrefix(f.Err.Error(), "lvs: "))
	}
	if more := len(e.Failures) - shown; more > 0 {
		fmt.Fprintf(&b, "\n\tand %d more", more)
	}
	return b.String()
}

// Unwrap returns the error that ended the call early, or nil.
func (e *BatchError) Unwrap() error { return e.cause }

// Is tells whether all failures are target.
func (e *BatchError) Is(target error) bool {
	for _, f := range e.Failures {
		if !errors.Is(f.Err, target) {
			return false
		}
	}
	return len(e.Failures) > 0
}
