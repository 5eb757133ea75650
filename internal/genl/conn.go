package genl

import (
	"context"
	"sync"
)

const (
	// maxIdle is how many sockets are kept for the next calls.
	maxIdle = 4

	// maxAbandoned bounds the threads that calls which were given up may hold
	// inside the kernel.
	maxAbandoned = 32
)

// Conn is a connection to one generic-netlink family. Any number of goroutines
// may use it: each call in flight has a socket of its own.
type Conn struct {
	dial    Dialer
	name    string
	version uint8

	mu        sync.Mutex
	closed    bool
	idle      []*socket
	busy      map[*socket]struct{}
	abandoned int
}

// Open resolves the family, which makes the kernel load the family's module
// when it is not there yet, and returns a connection to it. Open owns the
// dialer's sockets.
func Open(ctx context.Context, dial Dialer, name string, version uint8) (*Conn, error) {
	c := New(dial, name, version)
	_, err := call(ctx, c, func(*socket) (struct{}, error) { return struct{}{}, nil })
	if err != nil {
		return nil, err
	}
	return c, nil
}

// New returns a connection that resolves the family when it is first called. It
// owns the dialer's sockets.
func New(dial Dialer, name string, version uint8) *Conn {
	return &Conn{dial: dial, name: name, version: version, busy: make(map[*socket]struct{})}
}

// Close ends the calls in flight with [ErrClosed] and closes all sockets. It
// does not wait for calls that are inside the kernel.
func (c *Conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	c.closed = true
	for s := range c.busy {
		s.Interrupt()
	}
	var first error
	for _, s := range c.idle {
		if err := s.Close(); first == nil {
			first = err
		}
	}
	c.idle = nil
	return first
}

// call runs fn on a socket of its own and waits for it no longer than the
// context lasts. What fn returns belongs to the caller; everything else that fn
// touches is fn's alone, since it may go on after call has returned.
func call[T any](ctx context.Context, c *Conn, fn func(*socket) (T, error)) (T, error) {
	var zero T
	if err := context.Cause(ctx); err != nil {
		return zero, err
	}
	s, err := c.take()
	if err != nil {
		return zero, err
	}
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		growStack()
		var r result
		if r.err = s.ready(c); r.err == nil {
			r.value, r.err = fn(s)
		}
		// The socket is given back before the answer is, so that whoever has
		// the answer also has the socket for the next call.
		c.give(s)
		done <- r
	}()
	select {
	case r := <-done:
		return r.value, c.explain(r.err)
	case <-ctx.Done():
		c.abandon(s)
		return zero, context.Cause(ctx)
	}
}

// growStack makes room on a new goroutine's stack for what a call takes on the
// simulator, while there is little to copy. Left to grow by itself the stack is
// copied again and again, deeper each time: a third of a call's time.
//
//go:noinline
func growStack() { stackGrown(new([7 << 10]byte)) }

//go:noinline
func stackGrown(*[7 << 10]byte) {}

// take returns an idle socket, or one that is not dialled yet: dialling is
// part of the work that the caller does not wait for.
func (c *Conn) take() (*socket, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	if c.abandoned >= maxAbandoned {
		return nil, ErrStuck
	}
	s := &socket{}
	if n := len(c.idle); n > 0 {
		s = c.idle[n-1]
		c.idle = c.idle[:n-1]
	}
	c.busy[s] = struct{}{}
	return s, nil
}

// give takes a socket back from a call: to be used again, or to be closed when
// something went wrong on it or nobody waits for it.
func (c *Conn) give(s *socket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.busy, s)
	if s.abandoned {
		c.abandoned--
	}
	if s.broken || s.abandoned || c.closed || len(c.idle) >= maxIdle {
		s.Close()
		return
	}
	c.idle = append(c.idle, s)
}

// abandon gives up on a call. When the call has come back meanwhile, its socket
// is as good as any.
func (c *Conn) abandon(s *socket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, busy := c.busy[s]; !busy {
		return
	}
	s.abandoned = true
	c.abandoned++
	s.Interrupt()
}

// explain turns the error of a socket that Close interrupted into ErrClosed.
func (c *Conn) explain(err error) error {
	if err == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed && errno(err) == 0 {
		return ErrClosed
	}
	return err
}
