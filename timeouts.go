package lvs

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/golvs/lvs/internal/wire"
)

// Timeouts are how long the kernel remembers connections without packets, in
// whole seconds. Its defaults are 15 minutes, 2 minutes and 5 minutes. In
// [SetTimeouts], zero leaves the current value unchanged.
//
// In JSON and YAML they read {"tcp": "15m0s", "tcpFin": "2m0s", "udp": "5m0s"};
// a zero is left out, and unknown fields match [ErrInvalid].
type Timeouts struct {
	TCP    time.Duration // of an established connection
	TCPFin time.Duration // of a connection after a FIN
	UDP    time.Duration // of a UDP flow
}

// timeoutsText is Timeouts in JSON and YAML.
type timeoutsText struct {
	TCP    textDuration `json:"tcp,omitempty" yaml:"tcp,omitempty"`
	TCPFin textDuration `json:"tcpFin,omitempty" yaml:"tcpFin,omitempty"`
	UDP    textDuration `json:"udp,omitempty" yaml:"udp,omitempty"`
}

// MarshalJSON returns the durations in their text form.
func (t Timeouts) MarshalJSON() ([]byte, error) { return json.Marshal(t.text()) }

// UnmarshalJSON reads what MarshalJSON returns. Errors match [ErrInvalid].
func (t *Timeouts) UnmarshalJSON(text []byte) error {
	return t.unmarshal(func(into any) error { return unmarshalStrict("lvs.Timeouts", text, into) })
}

// MarshalYAML returns the fields of MarshalJSON.
func (t Timeouts) MarshalYAML() (any, error) { return t.text(), nil }

// UnmarshalYAML reads what MarshalYAML returns. It is the method that YAML
// packages look for.
func (t *Timeouts) UnmarshalYAML(unmarshal func(any) error) error {
	return t.unmarshal(func(into any) error { return unmarshalStrictYAML("lvs.Timeouts", unmarshal, into) })
}

func (t Timeouts) text() timeoutsText {
	return timeoutsText{textDuration(t.TCP), textDuration(t.TCPFin), textDuration(t.UDP)}
}

func (t *Timeouts) unmarshal(into func(any) error) error {
	var read timeoutsText
	if err := into(&read); err != nil {
		return err
	}
	*t = Timeouts{time.Duration(read.TCP), time.Duration(read.TCPFin), time.Duration(read.UDP)}
	return nil
}

// String returns the timeouts in one line.
func (t Timeouts) String() string {
	return fmt.Sprintf("tcp %s tcpfin %s udp %s", t.TCP, t.TCPFin, t.UDP)
}

func (t Timeouts) validate() *Error {
	for _, f := range []struct {
		name string
		d    time.Duration
	}{{"TCP", t.TCP}, {"TCPFin", t.TCPFin}, {"UDP", t.UDP}} {
		if f.d < 0 || f.d > math.MaxInt32*time.Second || f.d%time.Second != 0 {
			return invalid(f.name, "%s must be a whole number of seconds, 0 or more", f.d)
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

// SetTimeouts sets the timeouts that are not zero. A connection gets the new one
// with its next packet. It returns [ErrInvalid] if one is longer than the kernel
// can count, which is 24 to 248 days.
func (c *Client) SetTimeouts(ctx context.Context, t Timeouts) error {
	return c.do1(ctx, SetTimeouts(t))
}
