package lvs

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/golvs/lvs/internal/wire"
)

// Timeouts are how long connections are remembered, in whole seconds. The
// kernel's own are 15 minutes, 2 minutes and 5 minutes. When they are set, a
// zero keeps what there is.
type Timeouts struct {
	TCP    time.Duration // an established connection without a packet
	TCPFin time.Duration // a connection after a FIN
	UDP    time.Duration // a UDP flow without a packet
}

// String shows the timeouts in one line.
func (t Timeouts) String() string {
	return fmt.Sprintf("tcp %s tcpfin %s udp %s", t.TCP, t.TCPFin, t.UDP)
}

func (t Timeouts) validate() *Error {
	for _, f := range []struct {
		name string
		d    time.Duration
	}{{"TCP", t.TCP}, {"TCPFin", t.TCPFin}, {"UDP", t.UDP}} {
		if f.d < 0 || f.d > math.MaxInt32*time.Second || f.d%time.Second != 0 {
			return invalid(f.name, "%s is not in whole seconds from 0", f.d)
		}
	}
	return nil
}

func (t Timeouts) toWire() wire.Config {
	seconds := func(d time.Duration) uint32 { return uint32(d / time.Second) }
	return wire.Config{TCP: seconds(t.TCP), TCPFin: seconds(t.TCPFin), UDP: seconds(t.UDP)}
}

// Timeouts returns the timeouts of the network namespace.
func (c *Client) Timeouts(ctx context.Context) (Timeouts, error) {
	var w wire.Config
	err := c.get(ctx, call{op: OpGetTimeouts}, command(wire.CmdGetConfig), func(msg []byte) error { return wire.DecodeConfig(msg, &w) })
	seconds := func(n uint32) time.Duration { return time.Duration(n) * time.Second }
	return Timeouts{TCP: seconds(w.TCP), TCPFin: seconds(w.TCPFin), UDP: seconds(w.UDP)}, err
}

// SetTimeouts sets the timeouts that are not zero. A connection gets the new
// one with its next packet. [ErrInvalid]: longer than the kernel can count,
// some 24 to 248 days.
func (c *Client) SetTimeouts(ctx context.Context, t Timeouts) error {
	return c.do1(ctx, SetTimeouts(t))
}
