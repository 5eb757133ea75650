package health

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
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
		{"answers in two parts", func(c net.Conn) {
			for _, part := range []string{"12", "34"} {
				_, _ = io.WriteString(c, part)
				time.Sleep(10 * time.Millisecond)
			}
		}, TCP{Expect: "23"}, ""},
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

// A server may ask the probe for a certificate, which is read again by each probe.
func TestTLSCertFile(t *testing.T) {
	cert, ca := certificate(t, farAway, "example.org")
	own, ownCA := certificate(t, farAway, "probe")
	der, err := x509.MarshalPKCS8PrivateKey(own.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	key := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	certFile, keyFile := write("cert.pem", ownCA), write("key.pem", key)
	both, other := write("both.pem", ownCA+key), write("other.pem", ca)
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM([]byte(ownCA))
	target := on(t, func(c net.Conn) {
		inside := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients})
		_, _ = io.Copy(inside, inside)
		_, _ = io.Copy(io.Discard, c) // so that what it said before is read
	})
	for _, test := range []struct {
		name  string
		tls   TLS
		wrong string
	}{
		{"two files", TLS{CA: ca, CertFile: certFile, KeyFile: keyFile}, ""},
		{"one file", TLS{CA: ca, CertFile: both}, ""},
		{"without", TLS{CA: ca}, "certificate required"},
		{"no such file", TLS{CA: ca, CertFile: certFile + "x"}, "no such file"},
		{"no such key", TLS{CA: ca, CertFile: certFile, KeyFile: keyFile + "x"}, "no such file"},
		{"no key in it", TLS{CA: ca, CertFile: certFile}, "cert.pem: tls: "},
		{"the key of another", TLS{CA: ca, CertFile: other, KeyFile: keyFile}, "private key does not match"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := test.tls.validate(); err != nil {
				t.Fatal(err)
			}
			_, err := TCP{TLS: &test.tls, Send: "echo", Expect: "echo"}.Probe(seconds(t, 10*time.Second), target)
			checkError(t, err, test.wrong)
		})
	}
	write("both.pem", "")
	_, err = TCP{TLS: &TLS{CA: ca, CertFile: both}}.Probe(seconds(t, 10*time.Second), target)
	checkError(t, err, "both.pem: tls: ")
}
