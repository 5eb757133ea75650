package health

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
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
}

// String returns "udp" and the port.
func (p UDP) String() string { return words("udp", port(p.Port)) }

func (p UDP) validate() error {
	switch {
	case !utf8.ValidString(p.Send):
		return invalid("Send", "is not UTF-8")
	case !utf8.ValidString(p.Expect):
		return invalid("Expect", "is not UTF-8")
	case p.Silence < 0:
		return invalid("Silence", "%s is negative", p.Silence)
	case p.Silence > 0 && p.Expect != "":
		return invalid("Silence", "only makes sense without Expect")
	}
	return nil
}

// Probe sends the datagram once.
func (p UDP) Probe(ctx context.Context, t Target) (Answer, error) {
	conn, err := t.Dial(ctx, "udp", p.Port)
	if err != nil {
		return Answer{}, err
	}
	c := leash(ctx, conn)
	defer c.Close()
	if _, err := c.Write([]byte(p.Send)); err != nil {
		return Answer{}, because(ctx, "send", err)
	}
	if p.Silence > 0 {
		_ = c.SetReadDeadline(time.Now().Add(p.Silence))
	}
	datagram := make([]byte, mostAnswer)
	n, err := c.Read(datagram)
	if p.Silence > 0 && ctx.Err() == nil && errors.Is(err, os.ErrDeadlineExceeded) {
		return Answer{}, nil
	}
	if err != nil {
		return Answer{}, because(ctx, "wait for an answer", err)
	}
	if got := string(datagram[:n]); !strings.HasPrefix(got, p.Expect) {
		return Answer{}, fmt.Errorf("the answer begins with %q, not with %q", got[:min(n, len(p.Expect)+16)], p.Expect)
	}
	return Answer{}, nil
}
