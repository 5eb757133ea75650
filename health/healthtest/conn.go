package healthtest

import (
	"io"
	"net"
	"sync"
	"time"
)

// conn is one end of a TCP connection.
type conn struct {
	local, remote net.Addr
	in, out       *stream
	transit       transit // of what this end sends; nil if all of it arrives
	onClose       func()  // may be nil

	reading, writing *deadline
	closed           chan struct{}
	closing          sync.Once

	mu     sync.Mutex
	linger int // as in [net.TCPConn.SetLinger]
}

// transit carries the packets that an end sends.
type transit interface {
	// data carries n bytes, and reports whether they arrive. The first call is with 0, for
	// the packet that opens the connection.
	data(n int) bool
	// end carries the end of what is sent, or a reset.
	end(reset bool)
}

// newConns returns the two ends of a connection.
func newConns(client, server net.Addr) (c, s *conn) {
	request, reply := newStream(), newStream()
	end := func(local, remote net.Addr, in, out *stream) *conn {
		return &conn{
			local: local, remote: remote, in: in, out: out, linger: -1,
			reading: newDeadline(), writing: newDeadline(), closed: make(chan struct{}),
		}
	}
	return end(client, server, reply, request), end(server, client, request, reply)
}

// Read implements [net.Conn].
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.in.read(p, c.reading, c.closed)
	return n, c.explain("read", err)
}

// Write implements [net.Conn].
func (c *conn) Write(p []byte) (int, error) {
	if c.transit != nil && len(p) > 0 && !isClosed(c.closed) && !c.transit.data(len(p)) {
		return len(p), nil // lost on the way, which the sender does not learn
	}
	n, err := c.out.write(p, c.writing, c.closed)
	return n, c.explain("write", err)
}

func (c *conn) explain(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &net.OpError{Op: op, Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
}

// Close implements [net.Conn]. It resets the connection if something has not been read, or
// after SetLinger(0).
func (c *conn) Close() error {
	first := false
	c.closing.Do(func() { first = true })
	if !first {
		return c.explain("close", net.ErrClosed)
	}
	close(c.closed)
	c.mu.Lock()
	reset := c.linger == 0
	c.mu.Unlock()
	if reset = c.in.abandon() > 0 || reset; reset {
		c.out.fail()
	} else {
		c.out.end()
	}
	if c.transit != nil {
		c.transit.end(reset)
	}
	c.reading.set(time.Time{})
	c.writing.set(time.Time{})
	if c.onClose != nil {
		c.onClose()
	}
	return nil
}

// CloseWrite ends what this end sends.
func (c *conn) CloseWrite() error {
	c.out.end()
	return nil
}

// reset breaks the connection for both ends.
func (c *conn) reset() {
	c.in.fail()
	c.out.fail()
}

// SetLinger with 0 makes Close reset the connection, as for a [net.TCPConn]. Other values
// have no effect.
func (c *conn) SetLinger(sec int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.linger = sec
	return nil
}

// LocalAddr implements [net.Conn].
func (c *conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements [net.Conn].
func (c *conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline implements [net.Conn].
func (c *conn) SetDeadline(t time.Time) error {
	c.reading.set(t)
	c.writing.set(t)
	return nil
}

// SetReadDeadline implements [net.Conn].
func (c *conn) SetReadDeadline(t time.Time) error {
	c.reading.set(t)
	return nil
}

// SetWriteDeadline implements [net.Conn].
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.writing.set(t)
	return nil
}
