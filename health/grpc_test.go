package health

import (
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"
)

// grpcServer serves an answer to the health protocol, with the headers and trailers of gRPC.
func grpcServer(t *testing.T, cert *tls.Certificate, answer func(request string, w http.ResponseWriter)) Target {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path != "/grpc.health.v1.Health/Check" || r.Method != "POST" || r.Header.Get("Content-Type") != "application/grpc" || r.Header.Get("Te") != "trailers" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/grpc")
		answer(string(body), w)
	}))
	s.Config.Protocols = new(http.Protocols)
	if cert == nil {
		s.Config.Protocols.SetUnencryptedHTTP2(true)
		s.Start()
	} else {
		s.Config.Protocols.SetHTTP2(true)
		s.EnableHTTP2 = true
		s.TLS = &tls.Config{Certificates: []tls.Certificate{*cert}}
		s.StartTLS()
	}
	t.Cleanup(s.Close)
	return Target{Addr: netip.MustParseAddrPort(s.Listener.Addr().String())}
}

// message returns a handler that sends a body, and the status in the trailer.
func message(body, code string) func(string, http.ResponseWriter) {
	return func(_ string, w http.ResponseWriter) {
		_, _ = io.WriteString(w, body)
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", code)
	}
}

// onlyHeader returns a handler that sends the status in the header, and no body.
func onlyHeader(code, text string) func(string, http.ResponseWriter) {
	return func(_ string, w http.ResponseWriter) {
		w.Header().Set("Grpc-Status", code)
		w.Header().Set("Grpc-Message", text)
	}
}

func TestGRPC(t *testing.T) {
	tests := []struct {
		name   string
		answer func(string, http.ResponseWriter)
		is     error
		wrong  string
	}{
		{"serving", message("\x00\x00\x00\x00\x02\x08\x01", "0"), nil, ""},
		{"serving, with more fields", message("\x00\x00\x00\x00\x0d\x12\x02hi\x18\x07\x1d1234\x08\x01", "0"), nil, ""},
		{"not serving", message("\x00\x00\x00\x00\x02\x08\x02", "0"), ErrNotServing, "NOT_SERVING"},
		{"unknown status", message("\x00\x00\x00\x00\x00", "0"), ErrNotServing, "the status is UNKNOWN"},
		{"unknown service", onlyHeader("5", "unknown service"), ErrUnknownService, `unknown service "orders"`},
		{"unknown service in the trailer", message("", "5"), ErrUnknownService, ""},
		{"no health service", onlyHeader("12", "unknown service grpc.health.v1.Health"), ErrNoHealthService, ""},
		{"unavailable", onlyHeader("14", "shutting down"), nil, `the status of gRPC is 14: "shutting down"`},
		{"no status", func(_ string, w http.ResponseWriter) { _, _ = io.WriteString(w, "\x00\x00\x00\x00\x02\x08\x01") }, nil, "no grpc-status"},
		{"no message", message("", "0"), nil, "is not a HealthCheckResponse"},
		{"half a message", message("\x00\x00\x00\x00\x02\x08", "0"), nil, "is not a HealthCheckResponse"},
		{"a compressed message", message("\x01\x00\x00\x00\x02\x08\x01", "0"), nil, "is not a HealthCheckResponse"},
		{"an endless message", message(string(make([]byte, mostMessage+1)), "0"), nil, "more than 4096 bytes"},
		{"a web page", func(_ string, w http.ResponseWriter) { w.Header().Set("Content-Type", "text/html") }, nil, `the answer is "text/html"`},
		{"an error of HTTP", func(_ string, w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) }, nil, "the status of HTTP is 502"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := GRPC{Service: "orders"}.Probe(seconds(t, 10*time.Second), grpcServer(t, nil, test.answer))
			if test.is != nil {
				if !errors.Is(err, test.is) {
					t.Errorf("%v, want %v", err, test.is)
				}
			} else if test.wrong == "" && err != nil {
				t.Error(err)
			}
			if test.wrong != "" {
				checkError(t, err, test.wrong)
			}
		})
	}
}

func TestGRPCRequest(t *testing.T) {
	cert, ca := certificate(t, farAway, "example.org")
	for service, want := range map[string]string{"": "\x00\x00\x00\x00\x00", "orders": "\x00\x00\x00\x00\x08\x0a\x06orders"} {
		got := make(chan string, 1)
		target := grpcServer(t, &cert, func(request string, w http.ResponseWriter) {
			got <- request
			message("\x00\x00\x00\x00\x02\x08\x01", "0")(request, w)
		})
		if _, err := (GRPC{Service: service, Host: "example.org", TLS: &TLS{CA: ca}}).Probe(seconds(t, 10*time.Second), target); err != nil {
			t.Error(err)
		}
		if request := <-got; request != want {
			t.Errorf("%q: the request is %q, want %q", service, request, want)
		}
	}
	checkField(t, GRPC{Host: "a b"}.validate(), "Host")
}

func FuzzServingStatus(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x00\x02\x08\x01"))
	f.Add([]byte("\x00\x00\x00\x00\x0c\x12\x02hi\x1d1234\x08\x01\x21"))
	f.Add([]byte("\x00\x00\x00\x00\x0b\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))
	f.Fuzz(func(t *testing.T, frame []byte) {
		if status, err := servingStatus(frame); err != nil && status != 0 {
			t.Errorf("%s beside %v", status, err)
		}
	})
}
