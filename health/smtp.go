package health

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"
)

// SMTP waits for the greeting of a mail server, introduces itself, and quits.
type SMTP struct {
	Name string `json:"name"` // name by which it introduces itself; "" is "localhost"
	Port uint16 `json:"port"` // 0 is that of the target
	TLS  *TLS   `json:"tls"`  // nil is plain

	// StartTLS begins in plain, and secures the connection by the command STARTTLS, as on
	// port 587. Otherwise TLS begins with the connection, as on port 465.
	StartTLS bool `json:"startTLS"`
}

// String returns the probe in words, such as "smtp :25".
func (p SMTP) String() string {
	scheme := p.TLS.scheme("smtp", "smtps")
	if p.StartTLS {
		scheme = "smtp starttls"
	}
	return words(scheme, port(p.Port))
}

func (p SMTP) validate() error {
	if strings.ContainsFunc(p.Name, func(r rune) bool { return r <= ' ' || r > '~' }) || len(p.Name) > 255 {
		return invalid("Name", "%q is not the name of a host", clip(p.Name))
	}
	if p.StartTLS && p.TLS == nil {
		return invalid("StartTLS", "needs TLS, which says what the certificate must be")
	}
	return p.TLS.validate()
}

// Probe has the conversation.
func (p SMTP) Probe(ctx context.Context, t Target) (Answer, error) {
	first := p.TLS
	if p.StartTLS {
		first = nil
	}
	conn, hangUp, err := t.open(ctx, p.Port, first, "")
	if err != nil {
		return Answer{}, err
	}
	defer hangUp()
	s := newSMTPSession(ctx, conn)
	if err := s.reply("wait for the greeting", 220); err != nil {
		return Answer{}, err
	}
	if err := s.hello(p.Name); err != nil {
		return Answer{}, err
	}
	if p.StartTLS {
		if s, err = s.secure(p.TLS, t.host()); err != nil {
			return Answer{}, err
		}
		if err := s.hello(p.Name); err != nil {
			return Answer{}, err
		}
	}
	return Answer{}, s.say("QUIT", 221)
}

// smtpSession is the client's side of a conversation with a mail server.
type smtpSession struct {
	ctx    context.Context
	conn   net.Conn
	answer *textproto.Reader
}

func newSMTPSession(ctx context.Context, conn net.Conn) smtpSession {
	return smtpSession{ctx, conn, textproto.NewReader(bufio.NewReaderSize(io.LimitReader(conn, mostAnswer), 1<<10))}
}

// hello introduces the client. A server may know only the older command.
func (s smtpSession) hello(name string) error {
	name = cmp.Or(name, "localhost")
	err := s.say("EHLO "+name, 250)
	if refused := (*smtpError)(nil); errors.As(err, &refused) && refused.code/100 == 5 {
		return s.say("HELO "+name, 250)
	}
	return err
}

// secure has the server begin TLS, and returns the conversation over it. What the server
// sent in plain behind its reply is not part of that.
func (s smtpSession) secure(by *TLS, host string) (smtpSession, error) {
	if err := s.say("STARTTLS", 220); err != nil {
		return s, err
	}
	conn, err := by.client(s.ctx, s.conn, host)
	if err != nil {
		return s, err
	}
	return newSMTPSession(s.ctx, conn), nil
}

// say sends a command and reads the reply, which must have a code.
func (s smtpSession) say(command string, want int) error {
	if _, err := io.WriteString(s.conn, command+"\r\n"); err != nil {
		return because(s.ctx, command, err)
	}
	return s.reply(command, want)
}

// reply reads a reply to what the client was doing.
func (s smtpSession) reply(doing string, want int) error {
	code, text, err := s.answer.ReadResponse(want)
	if _, refused := err.(*textproto.Error); refused {
		err = &smtpError{code, text, want}
	}
	if err != nil {
		return because(s.ctx, doing, err)
	}
	return nil
}

// smtpError is a reply with another code than it must have.
type smtpError struct {
	code int
	text string
	want int
}

func (e *smtpError) Error() string {
	return fmt.Sprintf("the server says %d %q, and must say %d", e.code, shown([]byte(e.text)), e.want)
}
