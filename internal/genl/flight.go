package genl

import (
	"context"
	"sync"
)

// flight is one call under way. Two goroutines share it: the one that works, and
// the caller that waits. The work ends in one of two states, decided once under
// the flight's lock, and the state says who may touch the socket:
//
//   - until then the socket is the flight's. Only the goroutine that works uses
//     it, and only giveUp, under the lock, interrupts it;
//   - finished: the worker gives the socket back, and nothing of this flight can
//     reach it any more;
//   - givenUp: the caller has abandoned the call. The worker does not enter the
//     kernel again, touches nothing of the caller's, and ends when it notices.
type flight struct {
	conn  *Conn
	write bool

	mu     sync.Mutex
	state  state
	kernel Socket // that a worker inside the kernel waits on; nil while it dials
}

type state uint8

const (
	outside state = iota // not started yet, decoding, or waiting for a processor
	inside               // in the kernel, which may hold the thread for long
	finished
	givenUp
)

// What a call is for.
const (
	reading = false
	writing = true
)

// enter is called by the worker before it enters the kernel. prepare, if not nil, may
// read and write what belongs to the caller; once it has run, the worker will enter
// the kernel.
func (f *flight) enter(s Socket, prepare func()) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state == givenUp {
		return errGivenUp
	}
	if f.conn.isClosed() {
		return ErrClosed
	}
	if prepare != nil {
		prepare()
	}
	f.state, f.kernel = inside, s
	return nil
}

// leave is called by the worker when it has returned from the kernel.
func (f *flight) leave() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kernel = nil
	if f.state == givenUp {
		f.conn.cameBack(f.write)
		return errGivenUp
	}
	f.state = outside
	return nil
}

// update lets the worker change what belongs to the caller, unless the call was given
// up.
func (f *flight) update(change func()) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state == givenUp {
		return errGivenUp
	}
	change()
	return nil
}

func (f *flight) isGivenUp() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state == givenUp
}

// finish is called by the worker when it has an answer. It reports whether the caller
// is still waiting for it.
func (f *flight) finish() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state == givenUp {
		return false
	}
	f.state = finished
	return true
}

// giveUp is called by the caller. It reports whether the call was still under way; if
// not, its answer is available at once.
func (f *flight) giveUp() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state == finished {
		return false
	}
	if f.state == inside {
		f.conn.isStuck(f.write)
		if f.kernel != nil {
			f.kernel.Interrupt()
		}
	}
	f.state = givenUp
	return true
}

// call runs work on a socket of its own and waits for it no longer than the context
// lasts. What work returns belongs to the caller. work may touch anything else of the
// caller's only in flight.enter and flight.update, because it may still run when call
// has returned.
//
// If the context ends or the Conn is closed just as the call finishes, its answer
// counts. If both happen before, the error is ErrClosed.
func call[T any](ctx context.Context, c *Conn, write bool, work func(*socket) (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	var none T
	if err := c.admit(ctx, write); err != nil {
		return none, err
	}
	f := &flight{conn: c, write: write}
	done := make(chan result, 1)
	go func() {
		if c.inProcess {
			growStack()
		}
		s := c.take(f)
		if s == nil {
			return
		}
		var r result
		if r.err = s.ready(); r.err == nil {
			r.value, r.err = work(s)
		}
		// The socket is given back before the answer is, so that whoever has
		// the answer also has the socket for the next call.
		wanted := f.finish()
		c.give(s)
		if wanted {
			done <- r
		}
	}()
	select {
	case r := <-done:
		return r.value, c.explain(r.err)
	case <-ctx.Done():
	case <-c.closing:
	}
	if f.giveUp() {
		return none, c.over(ctx)
	}
	r := <-done
	return r.value, c.explain(r.err)
}

// growStack grows a new goroutine's stack to what a call on a simulated kernel needs,
// while there is little to copy. Otherwise the stack is copied several times, deeper
// each time, which takes a third of such a call's time.
//
//go:noinline
func growStack() { stackGrown(new([7 << 10]byte)) }

//go:noinline
func stackGrown(*[7 << 10]byte) {}
