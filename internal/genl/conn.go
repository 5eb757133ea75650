package genl

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	// maxIdle is how many sockets are kept for the next calls.
	maxIdle = 4

	// maxStuck is how many abandoned calls may be inside the kernel before new calls
	// wait. Each holds a thread of this process.
	maxStuck = 32

	// patience is how long a call waits for one of them to return. If the kernel is
	// only busy, one does within milliseconds.
	patience = 5 * time.Second
)

// Conn is a connection to one generic-netlink family. It is safe for concurrent use:
// each call in flight has a socket of its own.
type Conn struct {
	dial      Dialer
	name      string
	closing   chan struct{} // closed when the Conn is
	inProcess bool          // the kernel is simulated, and works on the goroutines of calls

	mu          sync.Mutex
	closed      bool
	idle        []*socket
	stuck       backlog // calls that were given up inside the kernel
	stuckWrites backlog // those of them that change something
}

// Open resolves the family, for which the kernel loads the family's module if
// necessary, and returns a connection to it. The connection owns the dialer's sockets.
func Open(ctx context.Context, dial Dialer, name string) (*Conn, error) {
	c := New(dial, name)
	_, err := call(ctx, c, reading, func(*socket) (struct{}, error) { return struct{}{}, nil })
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// New returns a connection that resolves the family in its first call. It owns the
// dialer's sockets.
func New(dial Dialer, name string) *Conn {
	return &Conn{
		dial: dial, name: name, closing: make(chan struct{}),
		stuck: backlog{limit: maxStuck}, stuckWrites: backlog{limit: 1},
	}
}

// InProcess prepares the connection for a kernel that works on the goroutines of calls,
// which then begin with a deep stack. It must come before the first concurrent call.
func (c *Conn) InProcess() { c.inProcess = true }

// Close ends the calls in flight, which fail with [ErrClosed], and closes all sockets.
// It does not wait for calls that are inside the kernel: each closes its socket when
// it returns. No call enters the kernel after Close.
func (c *Conn) Close() error {
	idle, err := c.close()
	if err != nil {
		return err
	}
	var first error
	for _, s := range idle {
		if err := s.conn.Close(); first == nil {
			first = err
		}
	}
	return first
}

func (c *Conn) close() (idle []*socket, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	c.closed = true
	close(c.closing)
	idle, c.idle = c.idle, nil
	return idle, nil
}

func (c *Conn) isClosed() bool {
	select {
	case <-c.closing:
		return true
	default:
		return false
	}
}

// over returns why a call must end, or nil. A closed Conn takes precedence over the
// context, because it stays closed.
func (c *Conn) over(ctx context.Context) error {
	if c.isClosed() {
		return ErrClosed
	}
	return context.Cause(ctx)
}

// admit waits until a call may begin. It must not begin while too many abandoned calls
// hold threads, and a change must not overtake an earlier one: an abandoned change
// may still be made while it is inside the kernel.
func (c *Conn) admit(ctx context.Context, write bool) error {
	if err := c.over(ctx); err != nil {
		return err
	}
	calls, writes := c.obstacles(write)
	if calls != nil {
		limit := time.NewTimer(patience)
		defer limit.Stop()
		if err := c.await(ctx, calls, limit.C, errLimit); err != nil {
			return err
		}
	}
	if writes != nil {
		return c.await(ctx, writes, nil, errOvertakes)
	}
	return nil
}

// Settle waits until no abandoned call that changes something is inside the kernel.
func (c *Conn) Settle(ctx context.Context) error { return c.admit(ctx, true) }

// obstacles returns what a call has to wait for; a nil channel means nothing.
func (c *Conn) obstacles(write bool) (calls, writes <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if write {
		writes = c.stuckWrites.receded
	}
	return c.stuck.receded, writes
}

// await waits for calls to return. It does not check whether others have become stuck
// since: those were in flight at the same time, and this one would starve.
func (c *Conn) await(ctx context.Context, back <-chan struct{}, limit <-chan time.Time, stuck error) error {
	select {
	case <-back:
		return nil
	case <-limit:
		return stuck
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", stuck, context.Cause(ctx))
	case <-c.closing:
		return ErrClosed
	}
}

// take returns a socket for a call: an idle one, or one that is not dialled yet,
// because dialling is part of the work that the caller may abandon. It returns nil if
// the call was given up.
func (c *Conn) take(f *flight) (s *socket) {
	err := f.update(func() { s = c.takeIdle() })
	if err != nil {
		return nil
	}
	s.flight = f
	return s
}

func (c *Conn) takeIdle() *socket {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.idle)
	if n == 0 {
		return new(socket)
	}
	s := c.idle[n-1]
	c.idle = c.idle[:n-1]
	return s
}

// give returns a socket after its call has ended. One on which an answer may still
// arrive, or which may have been interrupted, is never used again.
func (c *Conn) give(s *socket) {
	s.flight = nil
	if s.conn != nil && (s.unanswered || !c.keep(s)) {
		s.conn.Close()
	}
}

func (c *Conn) keep(s *socket) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || len(c.idle) >= maxIdle {
		return false
	}
	c.idle = append(c.idle, s)
	return true
}

// isStuck counts a call that is given up while it is inside the kernel.
func (c *Conn) isStuck(write bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stuck.add()
	if write {
		c.stuckWrites.add()
	}
}

// cameBack is called when such a call has returned from the kernel.
func (c *Conn) cameBack(write bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stuck.remove()
	if write {
		c.stuckWrites.remove()
	}
}

// explain returns ErrClosed instead of an error that is not the kernel's answer if the
// Conn is closed: the namespace may have been closed with it.
func (c *Conn) explain(err error) error {
	if err != nil && errno(err) == 0 && c.isClosed() {
		return ErrClosed
	}
	return err
}
