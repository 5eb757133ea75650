package health

import (
	"bytes"
	"context"
	"fmt"
	"net"
)

// TCP opens a connection. With Send or Expect it also has a conversation.
type TCP struct {
	Port uint16 `json:"port"` // 0 is that of the target
	TLS  *TLS   `json:"tls"`  // nil is plain TCP

	Send string `json:"send"` // is sent first; "" is nothing

	// Expect must be in what the server sends, within its first 64 KiB; "" reads nothing.
	Expect string `json:"expect"`
}

// mostAnswer is how much of an answer is looked at, in bytes.
const mostAnswer = 64 << 10

// String returns the probe in words, such as "tcp" or "tls :8443".
func (p TCP) String() string { return words(p.TLS.scheme("tcp", "tls"), port(p.Port)) }

func (p TCP) validate() error {
	if len(p.Expect) > mostAnswer {
		return invalid("Expect", "has %d bytes, and at most %d are read", len(p.Expect), mostAnswer)
	}
	return p.TLS.validate()
}

// Probe connects, sends, and waits for what is expected.
func (p TCP) Probe(ctx context.Context, t Target) (Answer, error) {
	if p.TLS == nil && p.Send == "" && p.Expect == "" {
		return Answer{}, p.connect(ctx, t)
	}
	conn, hangUp, err := t.open(ctx, p.Port, p.TLS, "")
	if err != nil {
		return Answer{}, err
	}
	defer hangUp()
	if err := send(ctx, conn, p.Send); err != nil {
		return Answer{}, err
	}
	if p.Expect == "" {
		return Answer{}, nil
	}
	return Answer{}, p.wait(ctx, conn)
}

// connect only connects, which is what most checks do.
func (p TCP) connect(ctx context.Context, t Target) error {
	conn, err := t.Dial(ctx, "tcp", p.Port)
	if err != nil {
		return err
	}
	return conn.Close()
}

// wait reads until there is what is expected.
func (p TCP) wait(ctx context.Context, conn net.Conn) error {
	got := make([]byte, 0, 512)
	for {
		if len(got) == cap(got) {
			got = append(got, 0)[:len(got)]
		}
		from := max(0, len(got)-len(p.Expect)) // what is before has been looked at
		n, err := conn.Read(got[len(got):min(cap(got), mostAnswer)])
		got = got[:len(got)+n]
		switch {
		case bytes.Contains(got[from:], []byte(p.Expect)):
			return nil
		case len(got) >= mostAnswer:
			return fmt.Errorf("the first %d bytes of the answer do not contain %q: %q", len(got), p.Expect, shown(got))
		case err != nil && len(got) == 0:
			return because(ctx, fmt.Sprintf("wait for %q", p.Expect), err)
		case err != nil:
			return because(ctx, fmt.Sprintf("wait for %q after %q", p.Expect, shown(got)), err)
		}
	}
}

// shown returns the beginning of an answer, for an error.
func shown(answer []byte) []byte { return answer[:min(len(answer), 60)] }
