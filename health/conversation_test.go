package health

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a network on which each connection is a pipe to a server.
type pipes struct {
	serve func(net.Conn)
	wg    sync.WaitGroup
}

func (p *pipes) DialContext(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	p.wg.Go(func() {
		defer server.Close()
		p.serve(server)
	})
	return client, nil
}

// away is a network on which nothing is reached.
type away struct{}

func (away) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// over is the target on a network.
func over(n Network) Target {
	return Target{Addr: netip.MustParseAddrPort("10.1.0.1:80"), Network: n}
}

// on starts a server on the loopback interface.
func on(t *testing.T, serve func(net.Conn)) Target {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				serve(conn)
			})
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return Target{Addr: l.Addr().(*net.TCPAddr).AddrPort()}
}

// seconds is a context that ends after a time.
func seconds(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// certificate returns one that signs itself, and its PEM.
func certificate(t testing.TB, notAfter time.Time, names ...string) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, DNSNames: names, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: notAfter,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, string(text)
}

var farAway = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)

// badServers are servers that never come to an end.
var badServers = map[string]func(net.Conn){
	"silent": func(c net.Conn) { _, _ = io.Copy(io.Discard, c) },
	"drips": func(c net.Conn) {
		go func() { _, _ = io.Copy(io.Discard, c) }()
		for {
			if _, err := c.Write([]byte("2")); err != nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	},
	"floods":         flood("", "x"),
	"floods lines":   flood("", "x: y\r\n"),
	"floods 1xx":     flood("", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"),
	"floods headers": flood("HTTP/1.1 200 OK\r\n", "X-Head: "+strings.Repeat("x", 100)+"\r\n"),
	"floods fields":  flood("HTTP/1.1 200 OK\r\n", "X-Head: again\r\n"),
	"floods body":    flood("HTTP/1.1 200 OK\r\n\r\n", "never ends"),
	"floods chunks":  flood("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n"),
	"floods zeros":   flood("", string(make([]byte, 100))),
	"floods 220":     flood("", "220-and more\r\n"),
	"half a body":    says("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
	"half a header":  says("HTTP/1.1 200 OK\r\nContent-Le"),
	"half a line":    says("220 he"),
	"HTTP/2 silent":  says("\x00\x00\x00\x04\x00\x00\x00\x00\x00"), // SETTINGS
	"HTTP/2 floods":  flood("\x00\x00\x00\x04\x00\x00\x00\x00\x00", "\x00\x00\x00\x04\x00\x00\x00\x00\x00"),
	"HTTP/2 pings":   flood("\x00\x00\x00\x04\x00\x00\x00\x00\x00", "\x00\x00\x08\x06\x00\x00\x00\x00\x0012345678"),
	"HTTP/2 headers": flood("\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x01\x01\x00\x00\x00\x00\x01\x88", "\x00\x00\x00\x09\x00\x00\x00\x00\x01"), // :status 200, CONTINUATION
}

// flood says one thing, and another for ever.
func flood(first, again string) func(net.Conn) {
	again = strings.Repeat(again, 1+4096/len(again))
	return func(c net.Conn) {
		go func() { _, _ = io.Copy(io.Discard, c) }()
		for text := first + again; ; text = again {
			if _, err := io.WriteString(c, text); err != nil {
				return
			}
		}
	}
}

// says is a server that says something and no more.
func says(text string) func(net.Conn) {
	return func(c net.Conn) {
		go func() { _, _ = io.WriteString(c, text) }()
		_, _ = io.Copy(io.Discard, c)
	}
}

// streams are all probes of a stream. They accept any certificate.
func streams() map[string]Probe {
	any := &TLS{Insecure: true}
	return map[string]Probe{
		"tcp": TCP{Send: "hello", Expect: "bye"}, "tls": TCP{TLS: any, Send: "hello", Expect: "bye"},
		"http": HTTP{Contains: "bye", SHA256: fmt.Sprintf("%064d", 0)}, "https": HTTP{TLS: any, Contains: "bye"},
		"h2c": HTTP{HTTP2: true, Contains: "bye"}, "h2": HTTP{HTTP2: true, TLS: any, Contains: "bye"},
		"grpc": GRPC{}, "grpcs": GRPC{TLS: any}, "smtp": SMTP{}, "smtps": SMTP{TLS: any},
		"mail": SMTP{TLS: any, StartTLS: true}, "agent": Agent{Port: 1},
	}
}

// TestProbesEnd has every probe meet servers that never come to an end. In fake time,
// no time passes while something is busy: a probe that reads without a bound does not
// return, and one that leaves a goroutine behind fails the test.
func TestProbesEnd(t *testing.T) {
	quiet(t)
	cert, _ := certificate(t, farAway, "example.org")
	for name, p := range streams() {
		secure := strings.HasSuffix(name, "s") || name == "h2"
		for server, serve := range badServers {
			if !secure || slices.Contains([]string{"silent", "drips", "floods"}, server) {
				t.Run(name+"/"+server, func(t *testing.T) { ends(t, p, &pipes{serve: serve}) })
			}
			if !secure || strings.HasPrefix(server, "HTTP/2 ") { // which is slow, and the same without TLS
				continue
			}
			t.Run(name+"/in TLS "+server, func(t *testing.T) {
				ends(t, p, &pipes{serve: func(c net.Conn) {
					inside := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2", "http/1.1"}})
					if inside.Handshake() == nil {
						serve(inside)
					}
				}})
			})
		}
		t.Run(name+"/never connects", func(t *testing.T) { ends(t, p, away{}) })
		t.Run(name+"/deaf", func(t *testing.T) { // a pipe has no buffer: it cannot even be written to
			synctest.Test(t, func(t *testing.T) {
				done := make(chan bool)
				takes(t, p, &pipes{serve: func(net.Conn) { <-done }})
				close(done)
			})
		})
	}
}

// quiet fails a test that writes to the log of the program, which is not that of a library.
func quiet(t *testing.T) {
	was := log.Writer()
	log.SetOutput(said{t})
	t.Cleanup(func() { log.SetOutput(was) })
}

type said struct{ *testing.T }

func (s said) Write(text []byte) (int, error) {
	s.Errorf("the log has %q", shown(text))
	return len(text), nil
}

func ends(t *testing.T, p Probe, n Network) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		takes(t, p, n)
		if n, ok := n.(*pipes); ok {
			n.wg.Wait() // time ends with the test
		}
	})
}

// takes checks that a probe fails within its time.
func takes(t *testing.T, p Probe, n Network) {
	t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := p.Probe(ctx, over(n))
	took := time.Since(began)
	if err == nil || took > time.Second {
		t.Errorf("after %s: %v", took, err)
	}
	if took == time.Second && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v does not match %v", err, context.DeadlineExceeded)
	}
}

// TestProbesCancelled ends the context while a probe waits.
func TestProbesCancelled(t *testing.T) {
	why := errors.New("no longer wanted")
	for name, p := range streams() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				began := time.Now()
				time.AfterFunc(time.Minute, func() { cancel(why) })
				servers := &pipes{serve: badServers["silent"]}
				_, err := p.Probe(ctx, over(servers))
				if took := time.Since(began); took != time.Minute || !errors.Is(err, why) {
					t.Errorf("after %s: %v", took, err)
				}
			})
		})
	}
}

// TestProbesRefused has no server at all.
func TestProbesRefused(t *testing.T) {
	target := on(t, func(net.Conn) {})
	target.Addr = netip.AddrPortFrom(target.Addr.Addr(), 1)
	for name, p := range streams() {
		if _, err := p.Probe(seconds(t, 10*time.Second), target); !isRefused(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func isRefused(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// lines is a server that sends the first text, and then the next one for each line that it reads.
func lines(texts ...string) func(net.Conn) {
	return func(c net.Conn) {
		r := bufio.NewReader(c)
		for i, text := range texts {
			if i > 0 {
				if _, err := r.ReadString('\n'); err != nil {
					return
				}
			}
			if _, err := io.WriteString(c, text); err != nil {
				return
			}
		}
		_, _ = io.Copy(io.Discard, r)
	}
}
