package health

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
)

// Agent asks a program on the server how it is doing, as HAProxy's agent-check does. It
// connects by TCP, and reads one line, which ends with "\n", "\r" or the connection. There
// may be several words in it, in any order and case, between blanks or commas:
//
//   - "75%" or "0.75" is the share of its weight that the server asks for.
//   - "up" and "ready" say that it works.
//   - "drain" and "maint" ask for no new connections: weight 0, whatever share there is.
//   - "down", "fail", "failed" and "stopped" fail the probe.
//   - "maxconn:30" is passed over.
//
// A reason may follow behind "#". Any other word fails the probe. Each line stands for
// itself: where HAProxy keeps "drain" until it hears "ready", here the next line ends it.
type Agent struct {
	Port uint16 `json:"port"` // port of the agent; must be set
	Send string `json:"send"` // text to send first, with "\n" at its end if the agent reads a line; "" is nothing

	// Missing says that a server works whose agent cannot be reached or says nothing, as it
	// does for HAProxy; otherwise it fails. An agent that hangs until the timeout fails.
	Missing bool `json:"missing"`
}

// String returns the probe in words, such as "agent :9000".
func (p Agent) String() string { return words("agent", port(p.Port)) }

func (p Agent) validate() error {
	if p.Port == 0 {
		return invalid("Port", "must be set, because the service does not answer as an agent does")
	}
	return nil
}

var errNoLine = errors.New("the agent says nothing")

// Probe reads one line from the agent.
func (p Agent) Probe(ctx context.Context, t Target) (Answer, error) {
	line, err := p.ask(ctx, t)
	if err == nil && line == "" {
		err = errNoLine
	}
	switch {
	case err == nil:
		return parseState(line)
	case p.Missing && ctx.Err() == nil:
		return Answer{}, nil
	}
	return Answer{}, err
}

// ask returns the first line of what the agent sends.
func (p Agent) ask(ctx context.Context, t Target) (string, error) {
	conn, hangUp, err := t.open(ctx, p.Port, nil, "")
	if err != nil {
		return "", err
	}
	defer hangUp()
	if err := send(ctx, conn, p.Send); err != nil {
		return "", err
	}
	line, err := readLine(conn)
	if err != nil {
		return "", because(ctx, "wait for a line", err)
	}
	return firstLine(line), nil
}

// mostLineOfAgent is how long a line can be, in bytes.
const mostLineOfAgent = 1 << 10

// readLine reads until a line ends, or the connection.
func readLine(conn net.Conn) ([]byte, error) {
	line := make([]byte, 0, mostLineOfAgent)
	for !bytes.ContainsAny(line, "\r\n") {
		if len(line) == cap(line) {
			return nil, fmt.Errorf("it has more than %d bytes: %q", len(line), shown(line))
		}
		n, err := conn.Read(line[len(line):cap(line)])
		line = line[:len(line)+n]
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	return line, nil
}
