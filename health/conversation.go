package health

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
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
		host = t.Addr.Addr().WithZone("").String()
	}
	if conn, err = secure.client(ctx, c, host, protocols...); err != nil {
		hangUp()
		return nil, nil, err
	}
	return conn, hangUp, nil
}

// leashed is a connection that is closed when a context ends.
type leashed struct {
	net.Conn
	close func() error
}

func leash(ctx context.Context, conn net.Conn) *leashed {
	gone := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(gone)
		_ = conn.Close()
	})
	return &leashed{conn, sync.OnceValue(func() error {
		if !stop() {
			<-gone // so that no goroutine is left
		}
		return conn.Close()
	})}
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
