// Package genl speaks generic netlink to one family of the kernel, and never blocks
// its caller longer than the caller's context lasts.
//
// The kernel does its work inside the system call that sends a request: it may load
// a module there, or wait for a grace period, and no deadline interrupts it. So each
// call runs on a goroutine and a socket of its own. When its context ends, the
// caller continues; the socket is closed when the kernel returns and is never used
// again, so no late answer can be mistaken for the answer to another call. flight.go
// decides who may touch a socket at any time.
//
// Many requests travel in one datagram, and only its last message asks for an
// acknowledgement: that is what makes batches fast. See socket.encode.
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

	// Receive waits for one datagram and returns its length. It fails if the
	// datagram is larger than b, and with [ErrOverrun] if datagrams were lost.
	Receive(b []byte) (int, error)

	// ReceiveBuffer returns how many bytes of answers can wait to be received.
	ReceiveBuffer() int

	// Interrupt makes Receive return an error, now and from then on.
	Interrupt()

	Close() error
}

// Dialer opens a new socket.
type Dialer func() (Socket, error)

// Error is an errno with which the kernel answered a request.
type Error struct {
	Errno   int    // positive, by Linux's numbers
	Message string // the kernel's explanation, or ""
}

func (e *Error) Error() string {
	if e.Message != "" {
		return fmt.Sprintf("errno %d: %s", e.Errno, e.Message)
	}
	return fmt.Sprintf("errno %d", e.Errno)
}

var (
	// ErrNoFamily means that the kernel does not have the family, and could not load
	// its module.
	ErrNoFamily = errors.New("generic netlink family not found")

	// ErrClosed means that the connection was closed before or during a call.
	ErrClosed = errors.New("connection is closed")

	// ErrOverrun means that the kernel dropped answers because too many were
	// waiting. What was asked for may have been done.
	ErrOverrun = errors.New("answers were lost: the socket's receive buffer overran")

	// ErrInterrupted means that the kernel marked a dump as inconsistent.
	ErrInterrupted = errors.New("the table changed while it was dumped")

	// ErrMalformed means that an answer does not have the form that netlink or the
	// family prescribes.
	ErrMalformed = errors.New("netlink: malformed answer")

	// ErrMoving means that the family's module was removed and loaded again, each
	// time before a request reached it.
	ErrMoving = errors.New("the family's module is being removed and loaded repeatedly")

	// ErrStuck means that a call could not begin, because abandoned calls are still
	// inside the kernel: as many as may hold a thread of this process, or a change
	// that this one would overtake. Nothing was sent.
	ErrStuck = errors.New("abandoned calls are still inside the kernel")

	errLimit     = fmt.Errorf("%d %w", maxStuck, ErrStuck)
	errOvertakes = fmt.Errorf("it would overtake an earlier change: %w", ErrStuck)

	// errGivenUp ends the work of a call that its caller has abandoned.
	errGivenUp = errors.New("given up")
)

// malformed returns an error that is [ErrMalformed].
func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrMalformed, fmt.Errorf(format, args...))
}

// errno returns the kernel's answer in err, or zero.
func errno(err error) int {
	if err == nil {
		return 0 // without the allocation of what follows
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Errno
	}
	return 0
}

// enoent is the answer to a request to a family that does not exist. It has other
// meanings too, so the errno alone never decides.
const enoent = 2
