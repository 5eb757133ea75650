package lvs

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// BatchError is the error of [Client.Do] and of [Client.ApplyTable]. [errors.Is] and [errors.As] match it if
// they match any of its failures, as with [errors.Join]; [Ignore] is for all of them.
type BatchError struct {
	// Total is how many changes Do was given, or how many steps the plan has.
	Total int

	// Failures are the changes that were not made, or of which that is not known,
	// in the order of the changes. There is at least one. Every other change was
	// made, except those that [Ignore] removed from the list.
	Failures []Failure

	ignored []Failure
}

// Failure is a change that was not made, or of which that is not known, as
// [Error.Outcome] says.
type Failure struct {
	Index  int    // its place among the changes or steps, from 0
	Change Change // as Do was given it, or that of the step
	Err    *Error // why
}

// Made reports whether the change with an index was made. It is false for one that
// was not made, of which that is not known, or that does not exist.
func (e *BatchError) Made(i int) bool {
	return i >= 0 && i < e.Total && !hasIndex(e.Failures, i) && !hasIndex(e.ignored, i)
}

func hasIndex(all []Failure, i int) bool {
	_, found := slices.BinarySearchFunc(all, i, func(f Failure, i int) int { return cmp.Compare(f.Index, i) })
	return found
}

// Error returns the first failures, one a line, those first that are not of changes
// that were skipped. The error of a single change reads as that of its method.
func (e *BatchError) Error() string {
	const shown = 10
	if e.Total == 1 && len(e.Failures) == 1 {
		return e.Failures[0].Err.Error()
	}
	var b strings.Builder
	failed, skipped := e.split()
	fmt.Fprintf(&b, "lvs: %d of %d changes failed", len(failed), e.Total)
	if len(skipped) > 0 {
		fmt.Fprintf(&b, ", so %d more were not made", len(skipped))
	}
	for _, f := range failed[:min(shown, len(failed))] {
		fmt.Fprintf(&b, "\n\tchange %d: %s", f.Index, strings.TrimPrefix(f.Err.Error(), "lvs: "))
	}
	if more := len(failed) - shown; more > 0 {
		fmt.Fprintf(&b, "\n\tand %d more", more)
	}
	return b.String()
}

// split returns the failures with those of skipped changes apart.
func (e *BatchError) split() (failed, skipped []Failure) {
	for _, f := range e.Failures {
		if f.Err.kind == ErrSkipped {
			skipped = append(skipped, f)
		} else {
			failed = append(failed, f)
		}
	}
	return failed, skipped
}

// Unwrap returns the errors of all failures, those last of changes that were skipped.
func (e *BatchError) Unwrap() []error {
	failed, skipped := e.split()
	all := make([]error, 0, len(e.Failures))
	for _, f := range append(failed, skipped...) {
		all = append(all, f.Err)
	}
	return all
}

// Ignore returns what is left of an error without the failures that match one of the
// given kinds, or nil if nothing is left:
//
//	err := lvs.Ignore(client.Do(ctx, changes...), lvs.ErrExists)
//
// A [*BatchError] is returned with the other failures alone, and Made of it still
// says which changes were made. Any other error is returned or ignored as a whole;
// of errors that were joined ([errors.Join]), each is looked at. A kind may be any
// error that [errors.Is] accepts, such as [context.Canceled].
func Ignore(err error, kinds ...error) error {
	left, _ := ignore(err, kinds)
	return left
}

// ignore returns what is left of an error, and whether that is less than it was.
func ignore(err error, kinds []error) (left error, less bool) {
	switch e := err.(type) {
	case *BatchError:
		return e.ignore(kinds)
	case *Error, *kind:
	case interface{ Unwrap() []error }:
		return ignoreEach(err, e.Unwrap(), kinds)
	case interface{ Unwrap() error }:
		if left, less := ignore(e.Unwrap(), kinds); less {
			return left, true
		}
		return err, false
	}
	if isAny(err, kinds) {
		return nil, true
	}
	return err, false
}

func (e *BatchError) ignore(kinds []error) (left error, less bool) {
	rest := &BatchError{Total: e.Total, ignored: e.ignored}
	for _, f := range e.Failures {
		if isAny(f.Err, kinds) {
			rest.ignored = append(rest.ignored, f)
		} else {
			rest.Failures = append(rest.Failures, f)
		}
	}
	switch len(rest.Failures) {
	case 0:
		return nil, true
	case len(e.Failures):
		return e, false
	}
	rest.ignored = slices.SortedFunc(slices.Values(rest.ignored), func(a, b Failure) int { return cmp.Compare(a.Index, b.Index) })
	return rest, true
}

// ignoreEach ignores parts of an error that has several.
func ignoreEach(err error, parts, kinds []error) (left error, less bool) {
	var rest []error
	for _, part := range parts {
		l, ignored := ignore(part, kinds)
		less = less || ignored
		rest = append(rest, l)
	}
	if !less {
		return err, false
	}
	return errors.Join(rest...), true
}

func isAny(err error, kinds []error) bool {
	return slices.ContainsFunc(kinds, func(kind error) bool { return errors.Is(err, kind) })
}
