package health

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"regexp"
	"time"
	"unicode/utf8"
)

// UDP sends a datagram and judges the first one that comes back. Without Expect, Contains
// and Matches, any answer is right.
type UDP struct {
	Port uint16 `json:"port"` // 0 is that of the target
	Send string `json:"send"` // the datagram; "" is an empty one

	Expect   string `json:"expect"`   // how the answer must begin
	Contains string `json:"contains"` // a text in it
	Matches  string `json:"matches"`  // a regular expression of package regexp that matches in it

	// Silence is how long a server may stay silent that never answers; it works unless its
	// host reports by then that the port is closed. 0 requires an answer.
	Silence time.Duration `json:"silence"`

	// Hex says that Send, Expect and Contains are hexadecimal digits, such as "1b00", for
	// bytes that are not text.
	Hex bool `json:"hex"`
}

// mostDatagram is how many bytes a datagram can have, in either family.
const mostDatagram = 65507

// String returns "udp" and the port.
func (p UDP) String() string { return words("udp", port(p.Port)) }

func (p UDP) validate() error {
	for _, f := range []struct{ name, value string }{{"Send", p.Send}, {"Expect", p.Expect}, {"Contains", p.Contains}} {
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
	_, badPattern := regexp.Compile(p.Matches)
	switch {
	case badPattern != nil:
		return invalid("Matches", "%v", badPattern)
	case p.Silence < 0:
		return invalid("Silence", "%s is negative", p.Silence)
	case p.Silence > 0 && p.Expect+p.Contains+p.Matches != "":
		return invalid("Silence", "accepts no answer, so that Expect, Contains and Matches must be empty")
	}
	return nil
}

func (p UDP) silence() time.Duration { return p.Silence }

// silenceOf returns how long a probe waits for nothing to come; 0 if it does not.
func silenceOf(p Probe) time.Duration {
	if waits, ok := p.(interface{ silence() time.Duration }); ok {
		return waits.silence()
	}
	return 0
}

// bytes returns what Send, Expect or Contains stands for.
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
	got := make([]byte, p.room())
	n, err := c.Read(got)
	if p.Silence > 0 && ctx.Err() == nil && errors.Is(err, os.ErrDeadlineExceeded) {
		return Answer{}, nil
	}
	if err != nil {
		return Answer{}, because(ctx, "wait for an answer", err)
	}
	return Answer{}, p.judge(got[:n])
}

// room returns how much of an answer is read. The rest of it is lost.
func (p UDP) room() int {
	if p.Contains != "" || p.Matches != "" {
		return mostDatagram
	}
	return len(p.Expect) + 16
}

// judge looks at the answer.
func (p UDP) judge(answer []byte) error {
	expect, err := p.bytes(p.Expect)
	if err != nil {
		return err
	}
	contains, err := p.bytes(p.Contains)
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(answer, expect) {
		return fmt.Errorf("the answer begins with %s, not with %s", p.quote(answer), p.quote(expect))
	}
	if err := mustMatch(answer, contains, p.Matches); err != nil {
		return fmt.Errorf("the answer %w; it has %d bytes: %s", err, len(answer), p.quote(answer))
	}
	return nil
}

// quote returns the beginning of a datagram for an error.
func (p UDP) quote(b []byte) string {
	if p.Hex {
		return fmt.Sprintf("%x", shown(b))
	}
	return fmt.Sprintf("%q", shown(b))
}
