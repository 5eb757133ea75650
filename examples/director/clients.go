package main

import (
	"context"
	"net/netip"
	"time"

	"github.com/golvs/lvs"
)

// clients open connections to the service web, and use each for a while.
type clients struct {
	sim *lvs.Simulator

	opened, refused, cut int // may be read when live has returned
}

// A connection is opened every clientPause, and lasts for connPackets of them.
const (
	clientsCome = 500 * time.Millisecond
	clientPause = 50 * time.Millisecond
	connPackets = 40
)

// live opens and uses connections, a moment from now until the context ends.
func (c *clients) live(ctx context.Context) {
	select {
	case <-time.After(clientsCome):
	case <-ctx.Done():
		return
	}
	var open []*conn
	ticker := time.NewTicker(clientPause)
	defer ticker.Stop()
	for n := 0; ; n++ {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		if conn := c.open(n); conn != nil {
			open = append(open, conn)
		}
		left := open[:0]
		for _, conn := range open {
			if c.use(conn) {
				left = append(left, conn)
			}
		}
		open = left
	}
}

// conn is a connection that has some packets to send.
type conn struct {
	*lvs.SimConn
	left int
}

func (c *clients) open(n int) *conn {
	flow := lvs.Flow{
		Client: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(1 + n%250)}), uint16(20000+n)), VIP: web.AddrPort(),
	}
	opened, err := c.sim.Connect(flow)
	if err != nil {
		c.refused++
		return nil
	}
	c.opened++
	return &conn{opened, connPackets}
}

// use sends a packet, and reports whether more follow.
func (c *clients) use(conn *conn) bool {
	if conn.left--; conn.left == 0 {
		_ = conn.Reset() // the server has nothing to say to that
		return false
	}
	if err := conn.Send(1000); err != nil {
		c.cut++
		return false
	}
	return true
}
