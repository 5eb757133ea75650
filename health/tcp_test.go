package health

import (
	"crypto/tls"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTCP(t *testing.T) {
	tests := []struct {
		name  string
		serve func(net.Conn)
		probe TCP
		wrong string
	}{
		{"silent", badServers["silent"], TCP{}, ""},
		{"closes", func(net.Conn) {}, TCP{}, ""},
		{"greets", lines("hello there\r\n"), TCP{Expect: "there"}, ""},
		{"greets otherwise", func(c net.Conn) { _, _ = io.WriteString(c, "go away\r\n") }, TCP{Expect: "there"}, `wait for "there" after "go away\r\n": EOF`},
		{"closes before a word", func(net.Conn) {}, TCP{Expect: "there"}, `wait for "there": EOF`},
		{"answers", lines("", "PONG\r\n"), TCP{Send: "PING\r\n", Expect: "PONG"}, ""},
		{"answers late", lines("hello\r\n", strings.Repeat("x", 5000)+"PONG\r\n"), TCP{Send: "PING\r\n", Expect: "xPONG"}, ""},
		{"answers too much", badServers["floods"], TCP{Expect: "y"}, `the first 65536 bytes of the answer do not contain "y": "xxxx`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := test.probe.validate(); err != nil {
				t.Fatal(err)
			}
			_, err := test.probe.Probe(seconds(t, 10*time.Second), on(t, test.serve))
			checkError(t, err, test.wrong)
		})
	}
	checkField(t, TCP{Send: "\xff"}.validate(), "Send")
	checkField(t, TCP{Expect: "\xff"}.validate(), "Expect")
	checkField(t, TCP{Expect: strings.Repeat("x", mostAnswer+1)}.validate(), "Expect")
}

func TestTLS(t *testing.T) {
	day := 24 * time.Hour
	cert, ca := certificate(t, time.Now().Add(10*day), "example.org")
	past, pastCA := certificate(t, time.Now().Add(-day), "example.org")
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, []byte(ca), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		cert  tls.Certificate
		tls   TLS
		wrong string
	}{
		{"an authority that the host does not know", cert, TLS{}, "TLS handshake: tls: failed to verify certificate"},
		{"its authority, and the address", cert, TLS{CA: ca}, ""},
		{"its authority in a file", cert, TLS{CAFile: file}, ""},
		{"no file", cert, TLS{CAFile: file + "x"}, "no such file"},
		{"an empty file", cert, TLS{CAFile: empty}, "has no certificate in PEM"},
		{"another authority", cert, TLS{CA: pastCA}, "TLS handshake: "},
		{"a name", cert, TLS{CA: ca, ServerName: "example.org"}, ""},
		{"another name", cert, TLS{CA: ca, ServerName: "example.com"}, "valid for example.org, not example.com"},
		{"long enough", cert, TLS{CA: ca, MinValidity: 9 * day}, ""},
		{"ends too soon", cert, TLS{CA: ca, MinValidity: 11 * day}, "the certificate of CN=test ends at "},
		{"ends too soon, insecure", cert, TLS{Insecure: true, MinValidity: 11 * day}, "and must last 264h0m0s"},
		{"insecure", cert, TLS{Insecure: true}, ""},
		{"past", past, TLS{CA: pastCA}, "has expired"},
		{"past, insecure", past, TLS{Insecure: true}, ""},
		{"past, insecure, but valid", past, TLS{Insecure: true, MinValidity: 1}, "in -24h"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			target := on(t, func(c net.Conn) {
				inside := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{test.cert}})
				_, _ = io.Copy(inside, inside)
			})
			_, err := TCP{TLS: &test.tls, Send: "echo", Expect: "echo"}.Probe(seconds(t, 10*time.Second), target)
			checkError(t, err, test.wrong)
		})
	}
}
