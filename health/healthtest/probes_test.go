package healthtest_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/golvs/lvs/health"
	"github.com/golvs/lvs/health/healthtest"
)

// Each probe finds each behaviour, within its time, and leaves no connection behind.
func TestProbes(t *testing.T) {
	secret := httptest.NewTLSServer(nil)
	secret.Close()
	certificates := &tls.Config{Certificates: secret.TLS.Certificates}
	const all = "hang blackhole refuse reset slow status flap"
	for _, c := range []struct {
		probe  health.Probe
		server healthtest.Server
		fails  string // the behaviours that it finds
	}{
		{health.TCP{}, healthtest.Server{}, "blackhole refuse flap"},
		{health.TCP{Expect: "hello"}, healthtest.Server{TCP: greeter}, "hang blackhole refuse reset slow flap endless"},
		{health.TCP{TLS: &health.TLS{Insecure: true}}, healthtest.Server{TCP: greeter, TLS: certificates}, "hang blackhole refuse reset slow flap"},
		{health.HTTP{}, hello(), all},
		{health.HTTP{HTTP2: true, Contains: "hello"}, hello(), all + " endless"},
		{health.HTTP{TLS: &health.TLS{Insecure: true}}, healthtest.Server{HTTP: hello().HTTP, TLS: certificates}, all},
		{health.HTTP{TLS: &health.TLS{Insecure: true}, HTTP2: true}, healthtest.Server{HTTP: hello().HTTP, TLS: certificates}, all},
		{health.GRPC{}, healthtest.Server{HTTP: http.HandlerFunc(serving)}, all + " endless"},
		{health.SMTP{}, healthtest.Server{TCP: mail}, "hang blackhole refuse reset slow flap endless"},
		{health.UDP{Send: "you", Expect: "hello you"}, hello(), "hang blackhole refuse slow flap"},
		{health.DNS{Name: "example.org"}, healthtest.Server{UDP: name}, "hang blackhole refuse slow flap"},
		{health.Ping{}, healthtest.Server{}, "blackhole"},
		{health.All{health.Ping{}, health.HTTP{}}, hello(), all},
		{health.Any{health.Ping{}, health.HTTP{}}, hello(), "blackhole"},
	} {
		for _, does := range []string{"answer", "hang", "blackhole", "refuse", "reset", "slow 2s", "slow 500ms", "status 500", "endless", "flap 10s", "novip", "tunneldown"} {
			for _, address := range []string{"10.168.0.94:80", "[2001:db8:a::94]:80"} {
				t.Run(fmt.Sprint(c.probe, " ", does, " ", address), func(t *testing.T) {
					word, _, _ := strings.Cut(does, " ")
					works := !strings.Contains(c.fails, word) || does == "slow 500ms"
					synctest.Test(t, func(t *testing.T) {
						n, addr := healthtest.New(), netip.MustParseAddrPort(address)
						defer n.Close()
						s := c.server
						s.Script, _ = healthtest.ParseScript("0s " + does)
						if err := n.Serve(addr, s); err != nil {
							t.Fatal(err)
						}
						ctx, cancel := context.WithTimeout(t.Context(), time.Second)
						defer cancel()
						start := time.Now()
						_, err := c.probe.Probe(ctx, health.Target{Server: addr, Addr: addr, Network: n})
						if took := time.Since(start); (err == nil) != works || took > time.Second {
							t.Errorf("after %s: %v", took, err)
						}
						synctest.Wait()
						if _, open := n.Dialled(addr); open != 0 {
							t.Errorf("%d connections are open", open)
						}
					})
				})
			}
		}
	}
}

// serving answers as gRPC's health protocol does.
func serving(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/grpc")
	w.Header().Set("Trailer", "Grpc-Status")
	_, _ = w.Write([]byte{0, 0, 0, 0, 2, 0x08, 1})
	w.Header().Set("Grpc-Status", "0")
}

// mail is a mail server that takes no mail.
func mail(c net.Conn) {
	_, _ = io.WriteString(c, "220 ready\r\n")
	for in := bufio.NewScanner(c); in.Scan(); {
		answer := "250 ok\r\n"
		if in.Text() == "QUIT" {
			answer = "221 bye\r\n"
		}
		if _, err := io.WriteString(c, answer); err != nil {
			return
		}
	}
}

// name answers questions about a name with an address.
func name(request []byte, reply func([]byte)) {
	var m dnsmessage.Message
	if m.Unpack(request) != nil || len(m.Questions) != 1 {
		return
	}
	m.Response = true
	m.Additionals = nil
	m.Answers = []dnsmessage.Resource{{
		Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Class: dnsmessage.ClassINET, Type: dnsmessage.TypeA},
		Body:   &dnsmessage.AResource{A: [4]byte{192, 0, 2, 80}},
	}}
	if packed, err := m.Pack(); err == nil {
		reply(packed)
	}
}
