package ipvsadm

import (
	"fmt"
	"strings"

	"github.com/golvs/lvs"
)

// Error says what is wrong with a command, and where it stands. It matches
// [lvs.ErrInvalid] if the command can never work, and otherwise what the kernel would
// answer, such as [lvs.ErrExists] or [lvs.ErrNoService].
type Error struct {
	Line   int // from 1; 0 for [ParseArgs]
	Column int // in bytes, from 1; 0 for [ParseArgs]

	about string // the command or option, or ""
	text  string // what is wrong
	hint  string // what to do
	cause error

	said string // see Original; "" for what ipvsadm leaves to the kernel
	exit int
}

// Original returns what ipvsadm 1.31 writes about the same mistake, without the end of the
// line, and the status with which it exits: 2, or 255 if its option parser refused the
// words. The message is "" if ipvsadm does not know of such a mistake.
func (e *Error) Original() (message string, status int) { return e.said, e.exit }

// Error returns where the command stands, what is wrong with it, and what to do.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("ipvsadm: ")
	if e.Line != 0 {
		fmt.Fprintf(&b, "line %d, column %d: ", e.Line, e.Column)
	}
	if e.about != "" {
		b.WriteString(e.about + ": ")
	}
	b.WriteString(e.text)
	if e.hint != "" {
		b.WriteString("; " + e.hint)
	}
	return b.String()
}

// Unwrap returns the cause, such as [lvs.ErrInvalid].
func (e *Error) Unwrap() error { return e.cause }

// errorf returns the error of an input that can never work.
func errorf(format string, args ...any) *Error {
	return &Error{text: fmt.Sprintf(format, args...), cause: lvs.ErrInvalid}
}

// or adds what to do.
func (e *Error) or(hint string) *Error {
	e.hint = hint
	return e
}

// at adds where an error is that does not say so itself.
func (e *Error) at(about string, column int) *Error {
	if e.Column == 0 {
		e.Column = column
	}
	if e.about == "" {
		e.about = about
	}
	return e
}

// quote returns a text from outside for a message: quoted, and not endless.
func quote(s string) string {
	const most = 60
	if len(s) > most {
		return fmt.Sprintf("%q…", s[:most])
	}
	return fmt.Sprintf("%q", s)
}

// says adds what ipvsadm says, which then exits with status 2. The first one stays.
func (e *Error) says(format string, args ...any) *Error {
	if e.said == "" {
		e.said, e.exit = fmt.Sprintf(format, args...), 2
	}
	return e
}

// aborts adds what ipvsadm says when it exits with status 255.
func (e *Error) aborts(format string, args ...any) *Error {
	e.said, e.exit = fmt.Sprintf(format, args...), 255
	return e
}

// notCommand is what ipvsadm says of words that do not begin with a command.
func (e *Error) notCommand() *Error {
	return e.aborts("Try `ipvsadm -h' or 'ipvsadm --help' for more information.")
}
