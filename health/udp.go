package health

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"time"
	"unicode/utf8"
)

// UDP sends a datagram and waits for an answer.
type UDP struct {
	Port uint16 `json:"port"` // 0 is that of the target
	Send string `json:"send"` // the datagram; "" is an empty one

	// Expect is how the answer must begin. Any answer is right with "".
	Expect string `json:"expect"`

	// Silence is how long a server may stay silent that never answers; it works unless its
	// host reports by then that the port is closed. 0 requires an answer.
	Silence time.Duration `json:"silence"`

	// Hex says that Send and Expect are hexadecimal digits, such as "1b00", for bytes that
	// are not text.
	Hex bool `json:"hex"`
}

// mostDatagram is how many bytes a datagram can have, in either family.
const mostDatagram = 65507

// String returns "udp" and the port.
func (p UDP) String() string { return words("udp", port(p.Port)) }

func (p UDP) validate() error {
	for _, f := range []struct{ name, value string }{{"Send", p.Send}, {"Expect", p.Expect}} {
		b, err := p.bytes(f.value)
		switch {
		case err != nil:
			return invalid(f.name, "%v", err)
		case !utf8.ValidString(f.value):
			return invalid(f.name, "is not UTF-8; set Hex, and write it in hexadecimal digits")
		case len(b) > mostDatagram:
			return invalid(f.name, "has %d bytes, and a datagram has at most %d", len(b), mostDatagram)
		}
	}
	switch {
	case p.Silence < 0:
		return invalid("Silence", "%s is negative", p.Silence)
	case p.Silence > 0 && p.Expect != "":
		return invalid("Silence", "only makes sense without Expect")
	}
	return nil
}

// bytes returns what Send or Expect stands for.
func (p UDP) bytes(text string) ([]byte, error) {
	if p.Hex {
		return hex.DecodeString(text)
	}
	return []byte(text), nil
}

// Probe sends the datagram once.
func (p UDP) Probe(ctx context.Context, t Target) (Answer, error) {
	send, err := p.bytes(p.Send)
	if err != nil {
		return Answer{}, err
	}
	expect, err := p.bytes(p.Expect)
	if err != nil {
		return Answer{}, err
	}
	conn, err := t.Dial(ctx, "udp", p.Port)
	if err != nil {
		return Answer{}, err
	}
	c := leash(ctx, conn)
	defer c.Close()
	if _, err := c.Write(send); err != nil {
		return Answer{}, because(ctx, "send", err)
	}
	if p.Silence > 0 {
		_ = c.SetReadDeadline(time.Now().Add(p.Silence))
	}
	// The rest of the answer does not count, and is lost.
	got := make([]byte, len(expect)+16)
	n, err := c.Read(got)
	if p.Silence > 0 && ctx.Err() == nil && errors.Is(err, os.ErrDeadlineExceeded) {
		return Answer{}, nil
	}
	if err != nil {
		return Answer{}, because(ctx, "wait for an answer", err)
	}
	if got = got[:n]; !bytes.HasPrefix(got, expect) {
		return Answer{}, fmt.Errorf("the answer begins with %s, not with %s", p.quote(got), p.quote(expect))
	}
	return Answer{}, nil
}

// quote returns the beginning of a datagram for an error.
func (p UDP) quote(b []byte) string {
	if p.Hex {
		return fmt.Sprintf("%x", shown(b))
	}
	return fmt.Sprintf("%q", shown(b))
}
