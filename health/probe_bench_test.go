package health

import (
	"io"
	"net"
	"testing"
)

// BenchmarkProbe asks a server in the same process on the loopback interface, whose cost
// is in it.
func BenchmarkProbe(b *testing.B) {
	cert, ca := certificate(b, farAway)
	plain, secure := webServer(b, nil), webServer(b, &cert)
	for _, test := range []struct {
		name   string
		probe  Probe
		target Target
	}{
		{"TCP", TCP{}, plain}, {"TLS", TCP{TLS: &TLS{CA: ca}}, secure},
		{"HTTP", HTTP{}, plain}, {"HTTPS", HTTP{TLS: &TLS{CA: ca}}, secure}, {"HTTP2", HTTP{HTTP2: true}, plain},
	} {
		b.Run(test.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := test.probe.Probe(b.Context(), test.target); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// FuzzAnswers gives bytes from the network to the probes that read them.
func FuzzAnswers(f *testing.F) {
	for _, serve := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Share: 0.5\r\n\r\nok", "HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n",
		"ready 50%,maxconn:30 # ok\n", "220-mx\r\n220 mx\r\n250-mx\r\n250 HELP\r\n221 bye\r\n", "\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x01\x01\x05\x00\x00\x00\x01\x88",
	} {
		f.Add([]byte(serve))
	}
	f.Fuzz(func(t *testing.T, said []byte) {
		network := &pipes{serve: func(c net.Conn) {
			go func() { _, _ = io.Copy(io.Discard, c) }()
			_, _ = c.Write(said)
		}}
		for _, p := range []Probe{
			TCP{Expect: "bye"}, HTTP{Matches: "ok", Content: true, ShareHeader: "X-Share", Follow: 2}, HTTP{HTTP2: true, Content: true}, GRPC{}, SMTP{}, Agent{Port: 1},
		} {
			answer, err := p.Probe(t.Context(), over(network))
			if err == nil && answer.Reported && !(answer.Share >= 0 && answer.Share <= maxShare) {
				t.Errorf("%s: %+v", p, answer)
			}
		}
		network.wg.Wait()
	})
}
