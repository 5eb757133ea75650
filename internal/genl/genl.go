// Package genl speaks generic netlink to one family of the kernel, and cannot
// be hung by it.
//
// The kernel does its work inside the system call that sends a request: it may
// load a module there, or wait for a grace period, and no deadline interrupts
// it. So a call runs on a goroutine and a socket of its own. When its context
// ends, the caller goes on; the socket is closed when the kernel lets go of it
// and is never used again, so no late answer can be taken for the answer to
// another call. Who may touch a socket at any time is decided in flight.go.
package genl

import (
	"errors"
	"fmt"
)

// Socket is the seam between the library and a kernel, real or simulated: it
// carries whole datagrams of netlink messages. A socket is used by one call at
// a time; only Interrupt may be called beside the others.
type Socket interface {
	// Send hands the kernel one datagram. The kernel may do all of the work
	// that it asks for before Send returns.
	Send(datagram []byte) error

	// Receive waits for one datagram and returns its length. A datagram that
	// is larger than b is an error, and [ErrOverrun] says that some were lost.
	Receive(b []byte) (int, error)

	// ReceiveBuffer returns how many bytes of answers may wait to be received.
	ReceiveBuffer() int

	// Interrupt makes Receive return an error, now and ever after.
	Interrupt()

	Close() error
}

// Dialer opens a socket.
type Dialer func() (Socket, error)

// Error is an errno with which the kernel answered a request.
type Error struct {
	Errno   int    // positive, by Linux's numbers
	Message string // the kernel's own words, where it has any
}

func (e *Error) Error() string {
	if e.Message != "" {
		return fmt.Sprintf("errno %d: %s", e.Errno, e.Message)
	}
	return fmt.Sprintf("errno %d", e.Errno)
}

var (
	// ErrNoFamily means that the kernel does not have the family, even after
	// it tried to load the family's module.
	ErrNoFamily = errors.New("generic netlink family not found")

	// ErrClosed means that the connection was closed before or during a call.
	ErrClosed = errors.New("connection is closed")

	// ErrOverrun means that the kernel dropped answers because too many were
	// waiting. What was asked for may have been done.
	ErrOverrun = errors.New("answers were lost: the socket's receive buffer overran")

	// ErrInterrupted means that the kernel marked a dump as inconsistent.
	ErrInterrupted = errors.New("the table changed while it was dumped")

	// ErrMalformed means that an answer is not what netlink or the family says
	// that it should be.
	ErrMalformed = errors.New("netlink: malformed answer")

	// ErrMoving means that the family's module was removed and loaded again each
	// time before a request got to it.
	ErrMoving = errors.New("the family's module is being removed and loaded repeatedly")

	// ErrStuck means that a call could not begin, because calls that were given up
	// are still inside the kernel: as many as may hold a thread of this process,
	// or a change that a later one would overtake. Nothing was sent.
	ErrStuck = errors.New("calls that were given up are still inside the kernel")

	errLimit     = fmt.Errorf("%d %w", maxStuck, ErrStuck)
	errOvertakes = fmt.Errorf("it would overtake an earlier change: %w", ErrStuck)

	// errGivenUp ends the work of a call whose caller has gone on.
	errGivenUp = errors.New("given up")
)

// malformed returns an error that is [ErrMalformed].
func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrMalformed, fmt.Errorf(format, args...))
}

// errno returns the kernel's answer in err, or zero.
func errno(err error) int {
	var e *Error
	if errors.As(err, &e) {
		return e.Errno
	}
	return 0
}

// enoent is the answer to a request of a family that is not there. It has
// other meanings too, so the errno alone never decides.
const enoent = 2
