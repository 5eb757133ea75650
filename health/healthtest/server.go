package healthtest

import (
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/golvs/lvs"
)

// Server is what is served at an address. The zero value accepts TCP connections, reads
// what comes on them and says nothing, and refuses UDP.
type Server struct {
	// Script is what goes wrong, and when.
	Script Script

	// HTTP answers requests of HTTP/1 and HTTP/2, also of HTTP/2 without TLS.
	HTTP http.Handler

	// TCP serves a connection, in place of HTTP. The connection is closed when it
	// returns. It runs in a goroutine, and must return when reading or writing fails.
	TCP func(net.Conn)

	// TLS is what TCP and HTTP are served over; nil is plain TCP.
	TLS *tls.Config

	// UDP gets each datagram, in a goroutine of its own, and calls reply for each answer.
	UDP func(request []byte, reply func([]byte))
}

// host is a server at its address.
type host struct {
	network *Network
	addr    netip.AddrPort
	Server
	web http.Server

	mu       sync.Mutex
	script   Script
	conns    map[*accepted]bool
	attempts int
	ended    bool
	timer    *time.Timer // of the next change, while there are connections; nil otherwise
}

// accepted is the two ends of a connection.
type accepted struct {
	client, server *conn
	sees           func(Behaviour) kind
	slow           bool // nothing arrives yet
}

func seenDirectly(b Behaviour) kind { return b.on(lvs.NAT()) }

func newHost(n *Network, addr netip.AddrPort, s Server) *host {
	h := &host{network: n, addr: addr, Server: s, script: slices.Clone(s.Script), conns: make(map[*accepted]bool)}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	h.web = http.Server{
		Handler: http.HandlerFunc(h.answer), Protocols: &protocols,
		ErrorLog: log.New(io.Discard, "", 0), // clients may reset connections
	}
	if s.TLS != nil && s.TCP == nil && s.HTTP != nil && s.TLS.NextProtos == nil {
		h.TLS = s.TLS.Clone()
		h.TLS.NextProtos = []string{"h2", "http/1.1"}
	}
	return h
}

// now returns what the server does now.
func (h *host) now() Behaviour {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.script.At(h.network.now())
}

func (h *host) counts() (attempts, open int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.attempts, len(h.conns)
}

// follow replaces the script.
func (h *host) follow(s Script) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.script = s
	h.change()
}

// end resets all connections, and refuses further ones.
func (h *host) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = true
	h.change()
}

// change makes open connections notice what the server does now, and waits for what it
// does next. The host is locked.
func (h *host) change() {
	now, next, changes := h.script.at(h.network.now())
	for c := range h.conns {
		c.notice(now, h.ended)
	}
	if h.timer != nil {
		h.timer.Stop()
		h.timer = nil
	}
	if changes && len(h.conns) > 0 {
		h.timer = time.AfterFunc(next-h.network.now(), func() {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.change()
		})
	}
}

// notice makes a connection notice what its server does.
func (c *accepted) notice(b Behaviour, ended bool) {
	seen := c.sees(b)
	if seen == refuses || ended {
		c.client.reset()
		return
	}
	held := seen == hangs || seen == blackHole || c.slow
	c.client.in.hold(held)
}

// accept accepts a connection. It returns nil if nothing comes back to the client.
func (h *host) accept(a *arrival, client, server net.Addr) (net.Conn, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.attempts++
	now := h.script.At(h.network.now())
	switch seen := a.sees(now); {
	case seen == blackHole:
		return nil, nil
	case seen == refuses || h.ended:
		if a.answer != nil {
			a.answer.end(true)
		}
		return nil, errRefused
	}
	if a.answer != nil && !a.answer.data(0) || a.request != nil && !a.request.data(0) {
		return nil, nil
	}
	c := &accepted{sees: a.sees}
	c.client, c.server = newConns(client, server)
	c.client.transit, c.server.transit = a.request, a.answer
	c.client.onClose = func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.conns, c)
	}
	if now.kind == slow {
		c.slow = true
		time.AfterFunc(now.time, func() { h.warm(c) })
	}
	h.conns[c] = true
	h.change()
	go h.serve(c.server)
	return c.client, nil
}

// warm lets a slow server say what it has to say on a connection.
func (h *host) warm(c *accepted) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c.slow = false
	if h.conns[c] {
		c.notice(h.script.At(h.network.now()), h.ended)
	}
}

// serve serves a connection until one of its ends is closed.
func (h *host) serve(c *conn) {
	var conn net.Conn = c
	if h.TLS != nil {
		conn = tls.Server(c, h.TLS)
	}
	if h.TCP == nil && h.HTTP != nil {
		// Serve serves the connection in a goroutine of its own, and closes it.
		_ = h.web.Serve(&oneListener{conn: conn})
		return
	}
	defer conn.Close()
	if h.TCP != nil {
		h.TCP(conn)
		return
	}
	_, _ = io.Copy(io.Discard, conn)
}

// answer answers an HTTP request.
func (h *host) answer(w http.ResponseWriter, r *http.Request) {
	if b := h.now(); b.kind == status {
		w.WriteHeader(b.code)
		return
	}
	h.HTTP.ServeHTTP(w, r)
}

// receive takes a datagram.
func (h *host) receive(a *arrival, c *datagrams, p []byte) {
	now := h.now()
	seen := a.sees(now)
	switch {
	case seen == blackHole || seen == hangs:
		return
	case seen == refuses || h.UDP == nil:
		c.refuse()
		return
	}
	var wait time.Duration
	if now.kind == slow {
		wait = now.time
	}
	time.AfterFunc(wait, func() {
		h.UDP(p, func(reply []byte) {
			if a.answer == nil || a.answer.data(len(reply)) {
				c.arrive(slices.Clone(reply))
			}
		})
	})
}

// oneListener is a listener that accepts one connection.
type oneListener struct {
	conn net.Conn
	once sync.Once
}

func (l *oneListener) Accept() (conn net.Conn, err error) {
	err = errors.New("healthtest: the only connection was accepted")
	l.once.Do(func() { conn, err = l.conn, nil })
	return conn, err
}

func (l *oneListener) Close() error   { return nil }
func (l *oneListener) Addr() net.Addr { return l.conn.LocalAddr() }
