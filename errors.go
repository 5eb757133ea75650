package lvs

import (
	"fmt"
	"os"
	"strings"
)

// The kinds of error. Each error of this package that is of a kind is matched,
// with [errors.Is], by that kind and by no other of this list; besides,
// [errors.ErrUnsupported] is the kind of what this kernel cannot do (IPv6 when
// it is switched off, a command it does not know), and the context's own error
// is in every error of a call that the context ended.
var (
	// ErrNotFound: the service, real server or daemon is not there. It is
	// [os.ErrNotExist].
	ErrNotFound error = &kind{"not found", os.ErrNotExist}

	// ErrExists: the service, real server or daemon is there already. It is
	// [os.ErrExist].
	ErrExists error = &kind{"exists already", os.ErrExist}

	// ErrPermission: IPVS asks for CAP_NET_ADMIN in the initial user namespace,
	// for reading too. It is [os.ErrPermission].
	ErrPermission error = &kind{"permission denied", os.ErrPermission}

	// ErrUnavailable: there is no IPVS, or its module is being loaded or removed.
	ErrUnavailable error = &kind{"IPVS is not available", nil}

	// ErrScheduler: the kernel does not have the scheduler or the persistence
	// engine, and could not load its module.
	ErrScheduler error = &kind{"no such scheduler or persistence engine", nil}

	// ErrUnstable: the table kept changing while it was read.
	ErrUnstable error = &kind{"the table kept changing", nil}

	// ErrInvalid: a value that can never work was refused, by this package
	// before the kernel saw it or by the kernel. [Error.Field] names it.
	ErrInvalid error = &kind{"invalid value", nil}

	// ErrStuck: nothing was done, because calls that were given up are still
	// inside the kernel: 32 of them, and none came back within five seconds, or a
	// change that this one would overtake. When the call's context ended while
	// it waited for them, its error is there too. Try again later.
	ErrStuck error = &kind{"earlier calls are stuck in the kernel", nil}

	// ErrBusy: the kernel or this process is short of something that the call
	// takes: memory, descriptors, or room for answers. Try again later.
	ErrBusy error = &kind{"short of memory, descriptors or room", nil}

	// ErrClosed: the client was closed, before or during the call. It is
	// [os.ErrClosed].
	ErrClosed error = &kind{"the client is closed", os.ErrClosed}
)

type kind struct {
	text string
	also error // the standard library's word for it
}

func (k *kind) Error() string { return "lvs: " + k.text }

func (k *kind) Is(target error) bool { return k.also != nil && target == k.also }

// Error is what every failing call returns, a [Client.Do] of several changes
// excepted. It unwraps to its kind, to the [Errno], and to the error of the
// context that ended the call.
type Error struct {
	Op     string // what was attempted: "add service"
	Object string // on what: "tcp://10.168.0.91:80"; empty when it concerns the whole table
	Field  string // the field that was refused, for ErrInvalid; may be empty
	Errno  Errno  // the kernel's answer; 0 when there was none

	// Unknown says that the change was sent, and its answer did not come. The
	// kernel has made it, or has not, or is still at it: see [Client].
	Unknown bool

	kind   error
	detail string // what is wrong, what the kernel said
	hint   string // what to do about it
	cause  error
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("lvs: " + e.Op)
	if e.Object != "" {
		b.WriteString(" " + e.Object)
	}
	if e.Field != "" {
		b.WriteString(": " + e.Field)
	}
	if e.detail != "" {
		b.WriteString(": " + e.detail)
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

// Unwrap returns the kind, the errno and the cause, those that there are.
func (e *Error) Unwrap() []error {
	var all []error
	if e.kind != nil {
		all = append(all, e.kind)
	}
	if e.Errno != 0 {
		all = append(all, e.Errno)
	}
	if e.cause != nil {
		all = append(all, e.cause)
	}
	return all
}

// invalid returns the error of a field's value that is refused.
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

// about returns the error with what was attempted on what.
func (e *Error) about(op, object string) *Error {
	e.Op, e.Object = op, object
	return e
}
