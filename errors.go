package lvs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// The kinds of error. [errors.Is] matches an error with its kind, and with no
// other of this list except where one says so. Two kinds of error are not in the
// list: [errors.ErrUnsupported], for what this kernel cannot do (IPv6 when it is
// disabled, a command it does not know), and the context's own error, for a call
// that the context ended.
var (
	// ErrNotFound: the service, real server, sync daemon, interface or parameter
	// does not exist. It matches [os.ErrNotExist].
	ErrNotFound error = newKind("not found", os.ErrNotExist)

	// ErrNoService: the service does not exist. It matches [ErrNotFound].
	ErrNoService error = newKind("no such service", ErrNotFound)

	// ErrNoRealServer: the service exists and does not have the real server. It
	// matches [ErrNotFound].
	ErrNoRealServer error = newKind("no such real server", ErrNotFound)

	// ErrExists: the service, real server, sync daemon or resource already exists.
	// It matches [os.ErrExist].
	ErrExists error = newKind("already exists", os.ErrExist)

	// ErrPermission: IPVS requires CAP_NET_ADMIN in the initial user namespace,
	// for reading too. It matches [os.ErrPermission].
	ErrPermission error = newKind("permission denied", os.ErrPermission)

	// ErrUnavailable: the kernel does not have IPVS, or its module is being
	// loaded or removed.
	ErrUnavailable error = newKind("IPVS is not available")

	// ErrScheduler: the kernel does not have the service's scheduler, and could
	// not load its module.
	ErrScheduler error = newKind("no such scheduler")

	// ErrEngine: the kernel does not have the service's persistence engine, and
	// could not load its module. The kernel does not say which is missing when a
	// service has both; the error then matches both ErrScheduler and ErrEngine.
	ErrEngine error = newKind("no such persistence engine")

	// ErrUnstable: the table kept changing while it was read. Try again.
	ErrUnstable error = newKind("the table kept changing")

	// ErrStale: the host or the table has changed since the plan was made, and the
	// plan no longer fits. Make a new plan. See [Client.ApplyTable] for what counts as a
	// change of the table.
	ErrStale error = newKind("it has changed since the plan was made")

	// ErrInvalid: a value can never work. Either this package refused it before
	// the kernel saw it, or the kernel did. [Error.Field] names it where known.
	ErrInvalid error = newKind("invalid value")

	// ErrSkipped: the change is valid, but was not made, because another change of
	// the same [Client.Do] is invalid, or another step of the same [Client.ApplyTable]
	// failed.
	ErrSkipped error = newKind("skipped, because of another change")

	// ErrStuck: nothing was done, because calls whose contexts ended are still
	// inside the kernel: either 32 of them, none of which returned within five
	// seconds, or a change that this one would overtake. If the call's context
	// ended while it waited for them, the error also matches the context's. Try
	// again later.
	ErrStuck error = newKind("earlier calls are stuck in the kernel")

	// ErrBusy: the kernel or this process lacks memory, descriptors or buffer
	// space for the call, or what it is about is in use. Try again later.
	ErrBusy error = newKind("busy, or out of resources")

	// ErrClosed: the client or host was closed, before or during the call. It
	// matches [os.ErrClosed].
	ErrClosed error = newKind("closed", os.ErrClosed)

	// errModule is for a service with a scheduler and an engine, one of which is
	// missing.
	errModule error = newKind("no such scheduler or persistence engine", ErrScheduler, ErrEngine)
)

// kind is an error that others match, and the more general errors that it matches.
type kind struct {
	text    string
	general []error
}

func newKind(text string, general ...error) *kind { return &kind{text, general} }

func (k *kind) Error() string { return "lvs: " + k.text }

func (k *kind) Unwrap() []error { return k.general }

// Outcome says what is known of a change that did not succeed.
type Outcome uint8

const (
	// OutcomeRefused: this package or the kernel refused the change. It was not made.
	OutcomeRefused Outcome = iota

	// OutcomeNotSent: the kernel never saw the change. It was not made.
	OutcomeNotSent

	// OutcomeUnknown: the change was sent, and no answer came. The kernel has made
	// it, has not, or may still make it: see [Client].
	OutcomeUnknown
)

// String returns "refused", "not sent" or "unknown".
func (o Outcome) String() string {
	names := [...]string{"refused", "not sent", "unknown"}
	if int(o) < len(names) {
		return names[o]
	}
	return fmt.Sprintf("outcome %d", o)
}

// Error describes a failed operation. Every error of this package is an *Error or
// wraps some: a [*BatchError] has one for each change that failed, and a [*TableError]
// one for each problem. It unwraps to its kind, to its [Errno], and to the error that
// caused it, such as the context's.
type Error struct {
	Op     Op     // the operation that failed
	Object string // what it was applied to: "tcp://10.168.0.91:80"; empty for the whole table
	Field  string // the field that was refused, with ErrInvalid; of JSON, YAML and tables its path; may be empty
	Errno  Errno  // the kernel's answer; 0 if there was none

	// Line and Column are the place in a text, both from 1, with columns in characters; 0
	// where it is not known. Errors of [ParseTable] have one.
	Line, Column int

	// Outcome says what is known of a change. It is [OutcomeRefused] for an
	// operation that is not a change.
	Outcome Outcome

	kind   error
	detail string // what is wrong, what the kernel said
	hint   string // what to do about it
	cause  error
}

// Kind returns the kind of the error: one of this package's Err variables,
// [errors.ErrUnsupported], [context.Canceled] or [context.DeadlineExceeded]. If the
// kernel did not say whether the scheduler or the persistence engine is missing,
// the kind matches both. Kind is nil if the context ended with a cause of the
// caller's ([context.WithCancelCause]) or a function of the caller's panicked
// ([SimPanicError]). Its text can label a metric.
func (e *Error) Kind() error {
	for _, ended := range []error{context.Canceled, context.DeadlineExceeded} {
		if e.kind == nil && errors.Is(e.cause, ended) {
			return ended
		}
	}
	return e.kind
}

// Hint returns what to do about the error, as [Error.Error] says it at its end,
// or "".
func (e *Error) Hint() string { return e.hint }

// Error returns what was attempted on what, what went wrong, and what to do.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("lvs: " + e.Op.words())
	if e.Object != "" {
		b.WriteString(" " + e.Object)
	}
	if e.Line > 0 {
		fmt.Fprintf(&b, ", line %d, column %d", e.Line, e.Column)
	}
	for _, part := range []string{e.Field, e.detail} {
		if part != "" {
			b.WriteString(": " + part)
		}
	}
	if e.cause != nil {
		b.WriteString(": " + e.cause.Error())
	}
	if e.Errno != 0 {
		b.WriteString(" (" + e.Errno.Error() + ")")
	}
	if e.hint != "" {
		b.WriteString("; " + e.hint)
	}
	return b.String()
}

// Unwrap returns the kind, the errno and the cause, as far as the error has them.
func (e *Error) Unwrap() []error {
	all := []error{e.kind, nil, e.cause}
	if e.Errno != 0 {
		all[1] = e.Errno
	}
	return slices.DeleteFunc(all, func(err error) bool { return err == nil })
}

// invalid returns the error of a field whose value is refused.
func invalid(field, format string, args ...any) *Error {
	return &Error{Field: field, kind: ErrInvalid, detail: fmt.Sprintf(format, args...)}
}

// prefix puts what is known of the change before what went wrong.
func (e *Error) prefix(known string) {
	if e.detail != "" {
		known += ": " + e.detail
	}
	e.detail = known
}

// problems are what is wrong with the parts of a value.
type problems []*Error

// add adds a problem, if there is one.
func (p *problems) add(bad *Error) {
	if bad != nil {
		*p = append(*p, bad)
	}
}

// first returns the first problem, or nil.
func (p problems) first() *Error {
	if len(p) == 0 {
		return nil
	}
	return p[0]
}

// about returns the error with what was attempted on what.
func (e *Error) about(op Op, object string) *Error {
	e.Op, e.Object = op, object
	return e
}
