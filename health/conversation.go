package health

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
)

// open opens a TCP connection, with TLS unless that is nil. It is closed when the
// context ends, whatever waits for it then, and by hangUp.
func (t Target) open(ctx context.Context, port uint16, secure *TLS, host string, protocols ...string) (conn net.Conn, hangUp func(), err error) {
	plain, err := t.Dial(ctx, "tcp", port)
	if err != nil {
		return nil, nil, err
	}
	c := leash(ctx, plain)
	// A TLS connection itself is not closed, because it would say so to a server that may not listen.
	hangUp = func() { _ = c.Close() }
	if secure == nil {
		return c, hangUp, nil
	}
	if host == "" {
		host = t.host()
	}
	if conn, err = secure.client(ctx, c, host, protocols...); err != nil {
		hangUp()
		return nil, nil, err
	}
	return conn, hangUp, nil
}

// send sends a text; "" is nothing.
func send(ctx context.Context, conn net.Conn, text string) error {
	if text == "" {
		return nil
	}
	if _, err := io.WriteString(conn, text); err != nil {
		return because(ctx, "send", err)
	}
	return nil
}

// leashed is a connection that is closed when a context ends, and from which only so
// much can be read: some protocols let a server say nothing without an end.
type leashed struct {
	net.Conn
	close func() error
	left  atomic.Int64 // bytes
}

// mostRead is how much can be read from a connection, in bytes: four times the longest
// body.
const mostRead = 4 * mostBody

var errEndless = fmt.Errorf("the server does not come to an end: it has sent %d MiB", mostRead>>20)

func leash(ctx context.Context, conn net.Conn) *leashed {
	gone := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(gone)
		_ = conn.Close()
	})
	c := &leashed{Conn: conn, close: sync.OnceValue(func() error {
		if !stop() {
			<-gone // so that no goroutine is left
		}
		return conn.Close()
	})}
	c.left.Store(mostRead)
	return c
}

func (c *leashed) Read(p []byte) (n int, err error) {
	if c.left.Load() <= 0 {
		return 0, errEndless
	}
	n, err = c.Conn.Read(p)
	c.left.Add(-int64(n))
	return n, err
}

func (c *leashed) Close() error { return c.close() }

// because returns the error of what a probe was doing. If it was because the context
// ended, that is what it says.
func because(ctx context.Context, doing string, err error) error {
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// words joins what is not empty.
func words(all ...string) string {
	return strings.Join(strings.Fields(strings.Join(all, " ")), " ")
}

// port returns a port in words; 0 is "".
func port(n uint16) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(":%d", n)
}
