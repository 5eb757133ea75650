package health

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"
)

// SMTP waits for the greeting of a mail server, introduces itself, and quits.
type SMTP struct {
	Name string `json:"name"` // that it introduces itself by; "" is "localhost"
	Port uint16 `json:"port"` // 0 is that of the target
	TLS  *TLS   `json:"tls"`  // from the beginning, as on port 465; nil is plain
}

// String returns the probe in words, such as "smtp :25".
func (p SMTP) String() string { return words(p.TLS.scheme("smtp", "smtps"), port(p.Port)) }

func (p SMTP) validate() error {
	if strings.ContainsFunc(p.Name, func(r rune) bool { return r <= ' ' || r > '~' }) || len(p.Name) > 255 {
		return invalid("Name", "%q is not the name of a host", clip(p.Name))
	}
	return p.TLS.validate()
}

// Probe has the conversation.
func (p SMTP) Probe(ctx context.Context, t Target) (Answer, error) {
	conn, hangUp, err := t.open(ctx, p.Port, p.TLS, "")
	if err != nil {
		return Answer{}, err
	}
	defer hangUp()
	name := p.Name
	if name == "" {
		name = "localhost"
	}
	s := smtpSession{conn, textproto.NewReader(bufio.NewReaderSize(io.LimitReader(conn, mostAnswer), 1<<10))}
	if _, err := s.reply(220); err != nil {
		return Answer{}, because(ctx, "wait for the greeting", err)
	}
	code, err := s.say("EHLO "+name, 250)
	if code/100 == 5 { // it may know only the older command
		_, err = s.say("HELO "+name, 250)
	}
	if err != nil {
		return Answer{}, because(ctx, "EHLO "+name, err)
	}
	if _, err := s.say("QUIT", 221); err != nil {
		return Answer{}, because(ctx, "QUIT", err)
	}
	return Answer{}, nil
}

// smtpSession is the client's side of a conversation with a mail server.
type smtpSession struct {
	conn   net.Conn
	answer *textproto.Reader
}

// say sends a command and reads the reply, which must have a code.
func (s smtpSession) say(command string, want int) (code int, err error) {
	if _, err := io.WriteString(s.conn, command+"\r\n"); err != nil {
		return 0, err
	}
	return s.reply(want)
}

func (s smtpSession) reply(want int) (code int, err error) {
	code, text, err := s.answer.ReadResponse(want)
	if _, refused := err.(*textproto.Error); refused {
		return code, fmt.Errorf("the server says %d %q, and must say %d", code, shown([]byte(text)), want)
	}
	return code, err
}
