package health

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

func TestSMTP(t *testing.T) {
	tests := []struct {
		name  string
		serve func(net.Conn)
		wrong string
	}{
		{"works", lines("220 mx ESMTP\r\n", "250-mx\r\n250-SIZE 1000\r\n250 HELP\r\n", "221 bye\r\n"), ""},
		{"greets in lines", lines("220-mx\r\n220 ESMTP\r\n", "250 mx\r\n", "221 bye\r\n"), ""},
		{"knows HELO alone", lines("220 mx\r\n", "502 what\r\n", "250 mx\r\n", "221 bye\r\n"), ""},
		{"does not serve", lines("554 no service\r\n"), `wait for the greeting: the server says 554 "no service", and must say 220`},
		{"is busy", lines("220 mx\r\n", "421 busy\r\n"), `EHLO me.example: the server says 421 "busy", and must say 250`},
		{"refuses the name", lines("220 mx\r\n", "550 no\r\n", "550 not you\r\n"), `HELO me.example: the server says 550 "not you"`},
		{"does not let go", lines("220 mx\r\n", "250 mx\r\n", "500 stay\r\n"), "QUIT: the server says 500"},
		{"is no mail server", lines("HTTP/1.1 400 Bad Request\r\n\r\n"), "wait for the greeting: "},
		{"closes", func(net.Conn) {}, "wait for the greeting: "},
		{"says too much", flood("", "220-more\r\n"), "wait for the greeting: "},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := SMTP{Name: "me.example"}.Probe(seconds(t, 10*time.Second), on(t, test.serve))
			checkError(t, err, test.wrong)
		})
	}
	cert, ca := certificate(t, farAway)
	target := on(t, func(c net.Conn) {
		lines("220 mx\r\n", "250 mx\r\n", "221 bye\r\n")(tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}}))
	})
	if _, err := (SMTP{TLS: &TLS{CA: ca}}).Probe(seconds(t, 10*time.Second), target); err != nil {
		t.Error(err)
	}
	checkField(t, SMTP{StartTLS: true}.validate(), "StartTLS")
	for _, bad := range []string{"a b", "a\r\nb", strings.Repeat("a", 256)} {
		checkField(t, SMTP{Name: bad}.validate(), "Name")
	}
}

// A conversation begins in plain, and goes on over TLS.
func TestSMTPStartTLS(t *testing.T) {
	cert, ca := certificate(t, farAway)
	secure := func(c net.Conn) {
		r := bufio.NewReader(c)
		for _, reply := range []string{"220 mx\r\n", "250-mx\r\n250 STARTTLS\r\n", "220 go on\r\n"} {
			_, _ = io.WriteString(c, reply)
			if !strings.HasSuffix(reply, "on\r\n") {
				_, _ = r.ReadString('\n')
			}
		}
		lines("", "250 mx\r\n", "221 bye\r\n")(tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}}))
	}
	for _, test := range []struct {
		name  string
		serve func(net.Conn)
		tls   TLS
		wrong string
	}{
		{"works", secure, TLS{CA: ca}, ""},
		{"of another authority", secure, TLS{}, "TLS handshake: tls: failed to verify certificate"},
		{"of another name", secure, TLS{CA: ca, ServerName: "example.org"}, "TLS handshake: tls: failed to verify certificate"},
		{"does not know it", lines("220 mx\r\n", "250 mx\r\n", "502 what\r\n"), TLS{CA: ca}, `STARTTLS: the server says 502 "what", and must say 220`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := SMTP{TLS: &test.tls, StartTLS: true}.Probe(seconds(t, 10*time.Second), on(t, test.serve))
			checkError(t, err, test.wrong)
		})
	}
	// What is sent in plain behind the reply does not count as said over TLS.
	ends(t, SMTP{TLS: &TLS{CA: ca}, StartTLS: true}, &pipes{serve: lines("220 mx\r\n", "250 mx\r\n", "220 go on\r\n250 mx\r\n221 bye\r\n")})
}
