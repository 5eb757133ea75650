package genl

import (
	"flag"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// The model takes calls apart into the steps that are made under a lock, and makes
// the steps of several calls in every order: whatever threads do, it is one of
// these orders. After each step it looks at who has which socket.

var deepModel = flag.Bool("model.deep", false, "explore the orders of two calls and Close too: millions")

// model is a Conn whose calls are made step by step.
type model struct {
	fail    func(format string, args ...any)
	conn    *Conn
	sockets []*modelSocket
	calls   []*modelCall
	closing bool // Close was called
	giving  *modelCall
}

// modelSocket knows whose it is.
type modelSocket struct {
	m                   *model
	owner               *modelCall
	interrupted, closed bool
}

func (s *modelSocket) Send([]byte) error           { return nil }
func (s *modelSocket) Receive([]byte) (int, error) { return 0, nil }
func (s *modelSocket) ReceiveBuffer() int          { return 1 << 20 }

func (s *modelSocket) Interrupt() {
	if s.owner == nil || s.owner != s.m.giving {
		s.m.fail("a socket in other hands was interrupted")
	}
	s.interrupted = true
}

func (s *modelSocket) Close() error {
	if s.closed {
		s.m.fail("a socket was closed twice")
	}
	s.closed = true
	return nil
}

// modelCall is a call: what its worker does next, and whether its caller waits.
type modelCall struct {
	m         *model
	flight    *flight
	socket    *socket
	next      func() // nil when the worker has ended
	inside    bool
	finished  bool
	abandoned bool
	exchanges int // that it makes before it is done
}

func newModel(fail func(string, ...any), idle, exchanges int, writes ...bool) *model {
	m := &model{fail: fail}
	m.conn = New(m.dial, "TEST")
	for range idle {
		conn, _ := m.dial()
		m.conn.idle = append(m.conn.idle, &socket{conn: conn, family: 0x20})
	}
	for _, write := range writes {
		c := &modelCall{m: m, flight: &flight{conn: m.conn, write: write}, exchanges: exchanges}
		c.next = c.take
		m.calls = append(m.calls, c)
	}
	return m
}

func (m *model) dial() (Socket, error) {
	s := &modelSocket{m: m}
	m.sockets = append(m.sockets, s)
	return s, nil
}

func (c *modelCall) take() {
	c.socket = c.m.conn.take(c.flight)
	switch {
	case c.socket == nil && !c.abandoned:
		c.m.fail("a call that goes on got no socket")
	case c.socket == nil:
		c.next = nil
	case c.socket.conn == nil:
		c.next = c.beginDial
	default:
		c.own()
		c.next = c.beginExchange
	}
}

func (c *modelCall) own() {
	s := c.socket.conn.(*modelSocket)
	if s.owner != nil || s.interrupted || s.closed {
		c.m.fail("took a socket that is not free: %+v", *s)
	}
	s.owner = c
}

// enter goes on with then, or to the end when the kernel must not be entered.
func (c *modelCall) enter(s Socket, then func()) {
	err := c.flight.enter(s, nil)
	if may := !c.abandoned && !c.m.closing; may != (err == nil) {
		c.m.fail("entering the kernel: %v", err)
	}
	c.inside = err == nil
	if c.next = then; err != nil {
		c.next = c.finish
	}
}

func (c *modelCall) leave(then func()) {
	err := c.flight.leave()
	if c.abandoned != (err != nil) {
		c.m.fail("leaving the kernel: %v", err)
	}
	c.inside = false
	if c.next = then; err != nil {
		c.next = c.finish
	}
}

func (c *modelCall) beginDial() { c.enter(nil, c.endDial) }

func (c *modelCall) endDial() {
	c.socket.conn, _ = c.m.dial()
	c.own()
	c.leave(c.beginExchange)
}

func (c *modelCall) beginExchange() {
	c.enter(c.socket.conn, c.endExchange)
	c.socket.unanswered = c.socket.unanswered || c.inside
}

func (c *modelCall) endExchange() {
	c.exchanges--
	then := c.beginExchange
	if c.exchanges == 0 {
		then = c.finish
	}
	c.leave(then)
	if c.exchanges == 0 && !c.abandoned {
		c.socket.unanswered = false
	}
}

func (c *modelCall) finish() {
	c.finished = c.flight.finish()
	if c.finished == c.abandoned {
		c.m.fail("finished %t, abandoned %t", c.finished, c.abandoned)
	}
	c.next = c.give
}

func (c *modelCall) give() {
	if c.socket.conn != nil {
		c.socket.conn.(*modelSocket).owner = nil
	}
	c.m.conn.give(c.socket)
	c.next = nil
}

// giveUp is what the caller does when its context has ended.
func (c *modelCall) giveUp() {
	c.m.giving = c
	won := c.flight.giveUp()
	c.m.giving = nil
	if won == c.finished {
		c.m.fail("gave up %t, finished %t", won, c.finished)
	}
	c.abandoned = won
}

func (m *model) close() {
	m.closing = true
	if err := m.conn.Close(); err != nil {
		m.fail("closing: %v", err)
	}
}

// check looks at what must hold after each step.
func (m *model) check() {
	stuck, writes := 0, 0
	for _, c := range m.calls {
		if c.inside && c.abandoned {
			stuck++
			if c.flight.write {
				writes++
			}
		}
		if c.next == nil || c.abandoned || c.socket == nil || c.socket.conn == nil {
			continue
		}
		if s := c.socket.conn.(*modelSocket); !c.finished && s.interrupted {
			m.fail("a call that goes on was interrupted")
		}
	}
	if m.conn.stuck.n != stuck || m.conn.stuckWrites.n != writes {
		m.fail("%d calls count as stuck, %d of them write; want %d, %d", m.conn.stuck.n, m.conn.stuckWrites.n, stuck, writes)
	}
	if _, wait := m.conn.obstacles(writing); (wait != nil) != (writes > 0) {
		m.fail("a change waits %t, with %d that were given up", wait != nil, writes)
	}
	for _, s := range m.conn.idle {
		if s := s.conn.(*modelSocket); s.owner != nil || s.interrupted || s.closed {
			m.fail("an idle socket is not free: %+v", *s)
		}
	}
}

// checkEnd looks at what must hold when all calls have ended.
func (m *model) checkEnd() {
	open := 0
	for _, s := range m.sockets {
		if !s.closed {
			open++
		}
	}
	if open != len(m.conn.idle) || m.closing && open > 0 {
		m.fail("%d sockets are open, %d idle", open, len(m.conn.idle))
	}
}

// run makes steps until there are none, each time the one that choose picks.
func (m *model) run(close bool, choose func(n int) int) {
	gaveUp := make([]bool, len(m.calls))
	for {
		var steps []func()
		for i, c := range m.calls {
			if c.next != nil {
				steps = append(steps, c.next)
			}
			if !gaveUp[i] {
				steps = append(steps, func() { gaveUp[i] = true; c.giveUp() })
			}
		}
		if close && !m.closing {
			steps = append(steps, m.close)
		}
		if len(steps) == 0 {
			break
		}
		steps[choose(len(steps))]()
		m.check()
	}
	m.checkEnd()
}

// explore runs all orders, and returns how many there are.
func explore(t *testing.T, newModel func(fail func(string, ...any)) *model, close bool) (orders int) {
	var path, width []int
	fail := func(format string, args ...any) {
		t.Helper()
		t.Fatalf("order %v: %s", path, fmt.Sprintf(format, args...))
	}
	for {
		at := 0
		newModel(fail).run(close, func(n int) int {
			if at == len(path) {
				path, width = append(path, 0), append(width, n)
			}
			at++
			return path[at-1]
		})
		orders++
		for len(path) > 0 && path[len(path)-1] == width[len(path)-1]-1 {
			path, width = path[:len(path)-1], width[:len(path)-1]
		}
		if len(path) == 0 {
			return orders
		}
		path[len(path)-1]++
	}
}

func TestModelEveryOrder(t *testing.T) {
	for _, tt := range []struct {
		name            string
		idle, exchanges int
		writes          []bool
		close, deep     bool
	}{
		{"one call and Close", 0, 2, []bool{writing}, true, false},
		{"one call on an idle socket and Close", 1, 3, []bool{reading}, true, false},
		{"two calls", 0, 1, []bool{writing, reading}, false, true},
		{"two calls and an idle socket", 1, 1, []bool{writing, reading}, false, false},
		{"two calls, an idle socket and Close", 1, 1, []bool{writing, writing}, true, true},
	} {
		if tt.deep && !*deepModel {
			continue
		}
		t.Run(tt.name, func(t *testing.T) {
			orders := explore(t, func(fail func(string, ...any)) *model {
				return newModel(fail, tt.idle, tt.exchanges, tt.writes...)
			}, tt.close)
			t.Logf("%d orders", orders)
		})
	}
}

func TestModelRandomOrders(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		writes := rapid.SliceOfN(rapid.Bool(), 2, 8).Draw(t, "writes")
		idle := rapid.IntRange(0, maxIdle).Draw(t, "idle")
		m := newModel(t.Fatalf, idle, rapid.IntRange(1, 3).Draw(t, "exchanges"), writes...)
		m.run(rapid.Bool().Draw(t, "close"), func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "step") })
	})
}
