package healthtest

import (
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/golvs/lvs"
)

// Server is what is served at an address. The zero value accepts TCP connections, reads
// them without an answer, and refuses UDP.
type Server struct {
	// Script says when the server fails, and how. Without steps it always works.
	Script Script

	// HTTP answers requests of HTTP/1 and HTTP/2, the latter without TLS too. Nil speaks no
	// HTTP.
	HTTP http.Handler

	// TCP serves each connection in a goroutine, in place of HTTP; nil serves HTTP. The
	// connection is closed when TCP returns. TCP must return when reading or writing fails.
	TCP func(net.Conn)

	// TLS encrypts TCP and HTTP; nil is plain TCP.
	TLS *tls.Config

	// UDP is called with each datagram, in a goroutine, and calls reply for each answer.
	// Nil refuses datagrams.
	UDP func(request []byte, reply func([]byte))
}

// host is a server at its address.
type host struct {
	network *Network
	Server
	web http.Server

	mu       sync.Mutex
	script   Script
	conns    map[*accepted]bool
	attempts int
	timer    *time.Timer   // of the next change, while there are connections; nil otherwise
	ended    chan struct{} // closed when the server is removed
}

// accepted is the two ends of a connection.
type accepted struct {
	client, server *conn
	sees           func(Behaviour) kind
	slow           bool // nothing arrives yet
}

func seenDirectly(b Behaviour) kind { return b.on(lvs.NAT()) }

func newHost(n *Network, s Server) *host {
	h := &host{network: n, Server: s, script: slices.Clone(s.Script), conns: make(map[*accepted]bool), ended: make(chan struct{})}
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
	close(h.ended)
	if h.timer != nil {
		h.timer.Stop()
	}
	for c := range h.conns {
		c.client.reset()
	}
}

// begin reports whether the server is still there. If so, Close waits until
// network.serving is done once more.
func (h *host) begin() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if isClosed(h.ended) {
		return false
	}
	h.network.serving.Add(1)
	return true
}

// change makes open connections notice what the server does now. The host is locked.
func (h *host) change() {
	now := h.script.At(h.network.now())
	for c := range h.conns {
		c.notice(now)
	}
	if h.timer != nil {
		h.timer.Stop()
		h.timer = nil
	}
	h.schedule()
}

// schedule waits for what the server does next, while connections are open. The host is
// locked.
func (h *host) schedule() {
	next, changes := h.script.Next(h.network.now())
	if !changes || h.timer != nil || len(h.conns) == 0 || isClosed(h.ended) {
		return
	}
	h.timer = time.AfterFunc(next-h.network.now(), func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.change()
	})
}

// notice makes a connection notice what its server does.
func (c *accepted) notice(b Behaviour) {
	switch seen := c.sees(b); seen {
	case refuses, resets:
		c.client.reset()
	default:
		c.client.in.hold(seen == hangs || seen == blackHole || c.slow)
	}
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
	case seen == refuses || isClosed(h.ended):
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
	if d := now.Delay(); d > 0 {
		c.slow = true
		time.AfterFunc(d, func() { h.warm(c) })
	}
	h.conns[c] = true
	c.notice(now)
	h.schedule()
	h.network.serving.Go(func() { h.serve(c, now) })
	return c.client, nil
}

// warm lets a slow server say what it has to say on a connection.
func (h *host) warm(c *accepted) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c.slow = false
	if h.conns[c] {
		c.notice(h.script.At(h.network.now()))
	}
}

// serve serves a connection until it is closed.
func (h *host) serve(c *accepted, b Behaviour) {
	var conn net.Conn = c.server
	if h.TLS != nil {
		conn = tls.Server(conn, h.TLS)
	}
	if h.TCP == nil && h.HTTP != nil {
		// Serve serves the connection in another goroutine, which closes it.
		_ = h.web.Serve(&oneListener{conn: conn})
		<-c.server.closed
		return
	}
	defer conn.Close()
	switch {
	case b.kind == endless:
		pour(conn, c.client.closed)
	case h.TCP != nil:
		h.TCP(conn)
	default:
		_, _ = io.Copy(io.Discard, conn)
	}
}

// answer answers an HTTP request.
func (h *host) answer(w http.ResponseWriter, r *http.Request) {
	if !h.begin() {
		panic(http.ErrAbortHandler)
	}
	defer h.network.serving.Done()
	switch b := h.now(); b.kind {
	case status:
		w.WriteHeader(b.code)
	case endless:
		pour(w, r.Context().Done())
	default:
		h.HTTP.ServeHTTP(w, r)
	}
}

// pour writes until it fails or the client is gone. It pauses because fake time does not
// pass while a client always has something to read.
func pour(w io.Writer, gone <-chan struct{}) {
	pause := time.NewTicker(time.Millisecond)
	defer pause.Stop()
	for piece := make([]byte, 1000); ; {
		if _, err := w.Write(piece); err != nil {
			return
		}
		select {
		case <-pause.C:
		case <-gone:
			return
		}
	}
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
	time.AfterFunc(now.Delay(), func() {
		if !h.begin() {
			return
		}
		defer h.network.serving.Done()
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
