package health

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs"
)

// page is what the web server of these tests serves.
const page = "<p>all is well</p>\n"

func pages() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, page) })
	mux.HandleFunc("/status/{code}", func(w http.ResponseWriter, r *http.Request) {
		code := 0
		fmt.Sscan(r.PathValue("code"), &code)
		w.WriteHeader(code)
	})
	mux.HandleFunc("/share/{share}", func(w http.ResponseWriter, r *http.Request) { w.Header().Set("X-Share", r.PathValue("share")) })
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s %s host=%s agent=%s a=%s", r.Proto, r.Method, r.URL, r.Host, r.UserAgent(), r.Header.Get("X-A"))
	})
	mux.HandleFunc("/to/{n}", func(w http.ResponseWriter, r *http.Request) {
		n := 0
		fmt.Sscan(r.PathValue("n"), &n)
		to := fmt.Sprintf("http://other.example/to/%d", n-1)
		if n == 1 {
			to = "/"
		}
		http.Redirect(w, r, to, http.StatusFound)
	})
	mux.HandleFunc("/secure", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://other.example/", http.StatusFound)
	})
	mux.HandleFunc("/large", func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(make([]byte, mostBody+1)) })
	mux.HandleFunc("/largest", func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(make([]byte, mostBody)) })
	return mux
}

// webServer starts the web server, with every version of HTTP.
func webServer(t testing.TB, cert *tls.Certificate) Target {
	t.Helper()
	s := httptest.NewUnstartedServer(pages())
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(true)
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

func TestHTTP(t *testing.T) {
	target := webServer(t, nil)
	zeros := fmt.Sprintf("%x", sha256.Sum256(make([]byte, mostBody)))
	tests := []struct {
		name  string
		probe HTTP
		wrong string // what the error contains; "" if it works
	}{
		{"the zero value", HTTP{}, ""},
		{"a status", HTTP{Path: "/status/204"}, ""},
		{"a status that fails", HTTP{Path: "/status/500"}, "the status is 500 Internal Server Error, and must be 200-299"},
		{"a status that should be", HTTP{Path: "/status/500", Status: "200, 500-502"}, ""},
		{"a status that should not", HTTP{Status: "301"}, "the status is 200 OK, and must be 301"},
		{"a method", HTTP{Path: "/echo", Method: "OPTIONS", Contains: "HTTP/1.1 OPTIONS /echo"}, ""},
		{"a query", HTTP{Path: "/echo?a=%2F&b", Contains: "GET /echo?a=%2F&b "}, ""},
		{"a host", HTTP{Path: "/echo", Host: "example.org:8080", Contains: "host=example.org:8080 "}, ""},
		{"the address as host", HTTP{Path: "/echo", Contains: "host=" + target.Addr.String() + " "}, ""},
		{"headers", HTTP{Path: "/echo", Headers: map[string]string{"x-a": "1", "user-agent": "me"}, Contains: "agent=me a=1"}, ""},
		{"HEAD", HTTP{Method: "HEAD"}, ""},
		{"a port", HTTP{Port: 1}, "refused"},
		{"a text", HTTP{Contains: "all is well"}, ""},
		{"another text", HTTP{Contains: "all is bad"}, `the body does not contain "all is bad"; it has 19 bytes: "<p>all is well</p>\n"`},
		{"a pattern", HTTP{Matches: "(?i)ALL .* well"}, ""},
		{"another pattern", HTTP{Matches: "^all"}, `the body does not match "^all"; it has 19 bytes`},
		{"a pattern that must not match", HTTP{NoMatch: "bad"}, ""},
		{"a pattern that must not match, and does", HTTP{NoMatch: "is w"}, `the body matches "is w"; it has 19 bytes: "<p>all`},
		{"a pattern that must not match in a larger body", HTTP{Path: "/large", NoMatch: "a"}, "the body has more than 1 MiB"},
		{"a pattern that matches early in a larger body", HTTP{Path: "/large", NoMatch: "^\x00"}, "it has 1048576 bytes or more"},
		{"two patterns", HTTP{Matches: "well", NoMatch: "well"}, `the body matches "well"`},
		{"a digest", HTTP{SHA256: strings.ToUpper(fmt.Sprintf("%x", sha256.Sum256([]byte(page))))}, ""},
		{"another digest", HTTP{SHA256: zeros}, "and must be " + zeros},
		{"an MD5", HTTP{MD5: fmt.Sprintf("%x", md5.Sum([]byte(page)))}, ""},
		{"another MD5", HTTP{MD5: fmt.Sprintf("%x", md5.Sum(nil))}, "the MD5 of the body is"},
		{"the largest body", HTTP{Path: "/largest", SHA256: zeros}, ""},
		{"a larger body", HTTP{Path: "/large", SHA256: zeros}, "the body has more than 1 MiB"},
		{"a text in a larger body", HTTP{Path: "/large", Contains: "\x00"}, ""},
		{"no text in a larger body", HTTP{Path: "/large", Contains: "a"}, "it has 1048576 bytes or more"},
		{"a larger body that does not matter", HTTP{Path: "/large"}, ""},
		{"a redirect", HTTP{Path: "/to/1"}, "the status is 302 Found"},
		{"a redirect that should be", HTTP{Path: "/to/1", Status: "302"}, ""},
		{"redirects, to the target", HTTP{Path: "/to/3", Follow: 3, Contains: page}, ""},
		{"too many redirects", HTTP{Path: "/to/3", Follow: 2}, "GET /to/3: more than 2 redirects"},
		{"a redirect to HTTPS", HTTP{Path: "/secure", Follow: 1}, "a redirect leads from http to https"},
		{"HTTP/2", HTTP{Path: "/echo", HTTP2: true, Contains: "HTTP/2.0 GET /echo"}, ""},
		{"a status over HTTP/2", HTTP{Path: "/status/500", HTTP2: true}, "the status is 500"},
		{"TLS", HTTP{TLS: &TLS{}}, "GET /: TLS handshake: "},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := test.probe.validate(); err != nil {
				t.Fatal(err)
			}
			answer, err := test.probe.Probe(seconds(t, 10*time.Second), target)
			checkError(t, err, test.wrong)
			if answer != (Answer{}) {
				t.Errorf("the answer is %+v", answer)
			}
		})
	}
}

func checkError(t *testing.T, err error, wrong string) {
	t.Helper()
	switch {
	case wrong == "" && err != nil:
		t.Error(err)
	case wrong != "" && (err == nil || !strings.Contains(err.Error(), wrong)):
		t.Errorf("%v, want %q", err, wrong)
	}
}

func TestHTTPAnswer(t *testing.T) {
	target := webServer(t, nil)
	tests := []struct {
		probe HTTP
		want  Answer
		wrong string
	}{
		{HTTP{Content: true}, Answer{Content: fmt.Sprintf("%x", sha256.Sum256([]byte(page)))}, ""},
		{HTTP{Path: "/share/0.25", ShareHeader: "x-share"}, Answer{Share: 0.25, Reported: true}, ""},
		{HTTP{Path: "/share/75%25", ShareHeader: "x-share"}, Answer{Share: 0.75, Reported: true}, ""},
		{HTTP{Path: "/share/0", ShareHeader: "x-share"}, Answer{Reported: true}, ""},
		{HTTP{Path: "/share/0.25"}, Answer{}, ""},
		{HTTP{ShareHeader: "x-share"}, Answer{}, ""},
		{HTTP{Path: "/share/low", ShareHeader: "x-share"}, Answer{}, `header x-share: "low" is not a share`},
		{HTTP{Path: "/share/NaN", ShareHeader: "x-share"}, Answer{}, "is not a share"},
		{HTTP{Path: "/share/-1", ShareHeader: "x-share"}, Answer{}, "is not a share"},
		{HTTP{Path: "/share/1e9", ShareHeader: "x-share"}, Answer{}, "is not a share"},
	}
	for _, test := range tests {
		answer, err := test.probe.Probe(seconds(t, 10*time.Second), target)
		checkError(t, err, test.wrong)
		if answer != test.want {
			t.Errorf("%s: %+v, want %+v", test.probe, answer, test.want)
		}
	}
}

func TestHTTPS(t *testing.T) {
	cert, ca := certificate(t, farAway, "example.org")
	target := webServer(t, &cert)
	tests := []struct {
		name  string
		probe HTTP
		wrong string
	}{
		{"an authority that the host does not know", HTTP{TLS: &TLS{}}, "GET /: TLS handshake: "},
		{"its authority, and the address", HTTP{TLS: &TLS{CA: ca}}, ""},
		{"the host's name", HTTP{TLS: &TLS{CA: ca}, Host: "example.org"}, ""},
		{"the host's name with a port", HTTP{TLS: &TLS{CA: ca}, Host: "example.org:443"}, ""},
		{"another host's name", HTTP{TLS: &TLS{CA: ca}, Host: "example.com"}, "not example.com"},
		{"a name for the certificate alone", HTTP{TLS: &TLS{CA: ca, ServerName: "example.org"}, Host: "example.com"}, ""},
		{"anything", HTTP{TLS: &TLS{Insecure: true}, Host: "example.com"}, ""},
		{"HTTP/1.1", HTTP{TLS: &TLS{CA: ca}, Path: "/echo", Contains: "HTTP/1.1 "}, ""},
		{"HTTP/2", HTTP{TLS: &TLS{CA: ca}, HTTP2: true, Path: "/echo", Contains: "HTTP/2.0 "}, ""},
		{"plain", HTTP{}, "the status is 400"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := test.probe.Probe(seconds(t, 10*time.Second), target)
			checkError(t, err, test.wrong)
		})
	}
	t.Run("HTTP/2 that the server does not speak", func(t *testing.T) {
		old := on(t, func(c net.Conn) {
			inside := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}})
			_, _ = io.Copy(io.Discard, inside)
		})
		_, err := HTTP{TLS: &TLS{Insecure: true}, HTTP2: true}.Probe(seconds(t, 10*time.Second), old)
		checkError(t, err, "the server does not speak HTTP/2")
	})
}

func TestHTTPValidate(t *testing.T) {
	for _, test := range []struct {
		probe HTTP
		field string
	}{
		{HTTP{Path: "ready"}, "Path"},
		{HTTP{Path: "/a b"}, "Path"},
		{HTTP{Path: "/\n"}, "Path"},
		{HTTP{Path: "/#a"}, "Path"},
		{HTTP{Method: "GET /"}, "Method"},
		{HTTP{Method: "HEAD", Contains: "x"}, "Method"},
		{HTTP{Host: "a b"}, "Host"},
		{HTTP{Host: "a/b"}, "Host"},
		{HTTP{Host: ":80"}, "Host"},
		{HTTP{Headers: map[string]string{"a b": ""}}, "Headers[a b]"},
		{HTTP{Headers: map[string]string{"a": "b\r\nc: d"}}, "Headers[a]"},
		{HTTP{Headers: map[string]string{"host": "b"}}, "Headers[host]"},
		{HTTP{Headers: map[string]string{"content-length": "5"}}, "Headers[content-length]"},
		{HTTP{Headers: map[string]string{"X-A": "1", "x-a": "2"}}, "Headers[x-a]"},
		{HTTP{Status: "2xx"}, "Status"},
		{HTTP{Status: "299-200"}, "Status"},
		{HTTP{Status: "20"}, "Status"},
		{HTTP{Matches: "("}, "Matches"},
		{HTTP{NoMatch: "("}, "NoMatch"},
		{HTTP{SHA256: "12"}, "SHA256"},
		{HTTP{MD5: strings.Repeat("g", 32)}, "MD5"},
		{HTTP{Follow: -1}, "Follow"},
		{HTTP{Follow: 11}, "Follow"},
		{HTTP{ShareHeader: "a:"}, "ShareHeader"},
		{HTTP{TLS: &TLS{CA: "x"}}, "TLS.CA"},
		{HTTP{TLS: &TLS{CA: "x", CAFile: "y"}}, "TLS.CAFile"},
		{HTTP{TLS: &TLS{CAFile: "y", Insecure: true}}, "TLS.Insecure"},
		{HTTP{TLS: &TLS{KeyFile: "y"}}, "TLS.KeyFile"},
		{HTTP{TLS: &TLS{MinValidity: -1}}, "TLS.MinValidity"},
	} {
		checkField(t, test.probe.validate(), test.field)
	}
	for _, good := range []HTTP{{}, {Host: "[2001:db8::1]:80"}, {Host: "10.1.0.1"}, {Path: "/a%20b?c=d&e"}, {Headers: map[string]string{"Accept": "*/*"}}} {
		if err := good.validate(); err != nil {
			t.Errorf("%+v: %v", good, err)
		}
	}
}

func checkField(t *testing.T, err error, field string) {
	t.Helper()
	var bad *InvalidError
	if !errors.Is(err, lvs.ErrInvalid) || !errors.As(err, &bad) || bad.Field != field {
		t.Errorf("%v, want an error of %s", err, field)
	}
}

func TestString(t *testing.T) {
	for want, p := range map[string]fmt.Stringer{
		"tcp": TCP{}, "tcp :8080": TCP{Port: 8080}, "tls": TCP{TLS: &TLS{}},
		"http /": HTTP{}, "http /ready": HTTP{Path: "/ready"}, "https GET example.org/ready": HTTP{TLS: &TLS{}, Method: "GET", Host: "example.org", Path: "/ready"},
		"http :8080/ready": HTTP{Path: "/ready", Port: 8080}, "h2c /": HTTP{HTTP2: true}, "h2 /": HTTP{HTTP2: true, TLS: &TLS{}},
		"grpc": GRPC{}, "grpcs orders": GRPC{Service: "orders", TLS: &TLS{}}, "smtp :25": SMTP{Port: 25}, "smtps": SMTP{TLS: &TLS{}}, "smtp starttls :587": SMTP{Port: 587, TLS: &TLS{}, StartTLS: true},
		"agent :9000": Agent{Port: 9000}, "func": &Func{}, "mine": &Func{Name: "mine"},
		"all (tcp, any (http /, mine))": All{TCP{}, Any{HTTP{}, &Func{Name: "mine"}}},
	} {
		if got := p.String(); got != want {
			t.Errorf("%#v: %q, want %q", p, got, want)
		}
	}
}
