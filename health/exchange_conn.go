package health

import (
	"net"
	"sync"
)

// askFirst is a connection from which nothing is read before something is written. Package
// net/http writes into the log of the program what a server sends before it is asked. It
// also writes a line there about a server that breaks the rules of HTTP/2, which nothing
// prevents.
type askFirst struct {
	net.Conn
	asked chan struct{} // is closed
	once  sync.Once
}

func (c *askFirst) ask() { c.once.Do(func() { close(c.asked) }) }

func (c *askFirst) Read(p []byte) (int, error) {
	<-c.asked
	return c.Conn.Read(p)
}

func (c *askFirst) Write(p []byte) (int, error) {
	c.ask()
	return c.Conn.Write(p)
}

func (c *askFirst) Close() error {
	c.ask()
	return c.Conn.Close()
}
