package healthtest_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golvs/lvs/health/healthtest"
)

// A server speaks HTTP/1 and HTTP/2, with TLS and without.
func TestHTTP(t *testing.T) {
	for _, c := range []struct {
		url, want string
		set       func(*http.Protocols)
	}{
		{"http://10.168.0.94/", "HTTP/1.1", func(p *http.Protocols) { p.SetHTTP1(true) }},
		{"http://10.168.0.94/", "HTTP/2.0", func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) }},
		{"https://10.168.0.94/", "HTTP/1.1", func(p *http.Protocols) { p.SetHTTP1(true) }},
		{"https://10.168.0.94/", "HTTP/2.0", func(p *http.Protocols) { p.SetHTTP2(true) }},
	} {
		encrypted := c.url[:5] == "https"
		var config *tls.Config
		if encrypted {
			real := httptest.NewTLSServer(nil)
			config = &tls.Config{Certificates: real.TLS.Certificates}
			real.Close()
		}
		synctest.Test(t, func(t *testing.T) {
			n := healthtest.New()
			err := n.Serve(web, healthtest.Server{TLS: config, HTTP: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.WriteString(w, r.Proto)
			})})
			if err != nil {
				t.Fatal(err)
			}
			var protocols http.Protocols
			c.set(&protocols)
			tr := &http.Transport{DialContext: n.DialContext, Protocols: &protocols, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
			url := c.url
			if encrypted {
				url = "https://" + web.String()
			}
			resp, err := (&http.Client{Transport: tr, Timeout: time.Second}).Get(url)
			if err != nil {
				t.Fatalf("%s over %s: %v", c.want, c.url, err)
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if string(body) != c.want || err != nil {
				t.Errorf("%s: got %s, want %s: %v", c.url, body, c.want, err)
			}
			tr.CloseIdleConnections()
			synctest.Wait()
		})
	}
}
