package health

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
)

// exchange is the requests of one probe over HTTP. Its connections all lead to the
// target, and end with it.
type exchange struct {
	target Target
	port   uint16
	secure *TLS
	name   string // that the certificate must have; "" is the address
	http2  bool

	ctx     context.Context
	mu      sync.Mutex
	over    bool
	dialing sync.WaitGroup
	hangUp  []func()
}

// begin returns the function that ends the exchange, when no request is under way.
func (e *exchange) begin(ctx context.Context) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	e.ctx = ctx
	return func() {
		e.mu.Lock()
		e.over = true
		e.mu.Unlock()
		cancel()
		e.dialing.Wait()
		for _, hangUp := range e.hangUp {
			hangUp()
		}
	}
}

// mostHeader is how much the header of an answer can have, in bytes.
const mostHeader = 64 << 10

func (e *exchange) transport() http.RoundTripper {
	if !e.http2 {
		return http1{e}
	}
	t := &http.Transport{
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: mostHeader,
		ReadBufferSize:         1 << 10,
		WriteBufferSize:        1 << 10,
		Protocols:              new(http.Protocols),
		DialContext:            e.dial,
		DialTLSContext:         e.dial,
	}
	t.Protocols.SetHTTP2(e.secure != nil)
	t.Protocols.SetUnencryptedHTTP2(e.secure == nil)
	return t
}

var errOver = errors.New("the probe is over")

// dial connects to the target. The transport may dial longer than a request lasts, so
// that the context is that of the exchange.
func (e *exchange) dial(context.Context, string, string) (net.Conn, error) {
	e.mu.Lock()
	if e.over {
		e.mu.Unlock()
		return nil, errOver
	}
	e.dialing.Add(1)
	e.mu.Unlock()
	defer e.dialing.Done()
	conn, hangUp, err := e.target.open(e.ctx, e.port, e.secure, e.name, e.protocol())
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	e.hangUp = append(e.hangUp, hangUp)
	e.mu.Unlock()
	if c, ok := conn.(*tls.Conn); ok && e.http2 && c.ConnectionState().NegotiatedProtocol != "h2" {
		return nil, errors.New("the server does not speak HTTP/2")
	}
	return conn, nil
}

func (e *exchange) protocol() string {
	if e.http2 {
		return "h2"
	}
	return "http/1.1"
}

// because returns the error of a request.
func (e *exchange) because(req *http.Request, err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err // without the URL, which the probe's name has
	}
	return because(e.ctx, fmt.Sprintf("%s %s", req.Method, req.URL.RequestURI()), err)
}

// userAgent is what servers have in their logs.
const userAgent = "lvs-health"

// hostname returns a host without its port.
func hostname(host string) string { return (&url.URL{Host: host}).Hostname() }
