package lab

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// uploadSize is how much a client sends: several segments, so that those that do
// not fit into a tunnel are seen to be lost.
const uploadSize = 4000

// reply is what a web server answers with.
type reply struct {
	Server string         // its name
	Client netip.AddrPort // whom it takes for the client
	Got    int64          // how many bytes came
}

// serve starts a web server on a real server.
func (l *Lab) serve(h *Host) error {
	var listener net.Listener
	err := h.space.Do(func() (err error) {
		listener, err = net.Listen("tcp", fmt.Sprintf(":%d", webPort))
		return err
	})
	if err != nil {
		return err
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, _ := io.Copy(io.Discard, r.Body)
		client, _ := netip.ParseAddrPort(r.RemoteAddr)
		client = netip.AddrPortFrom(client.Addr().Unmap(), client.Port())
		_ = json.NewEncoder(w).Encode(reply{h.Name, client, got})
	})}
	l.web = append(l.web, server)
	go func() { _ = server.Serve(listener) }() // until Close
	return nil
}

// post sends one request to the VIP, on a connection of its own. The client ends
// the connection, and has ended it when post returns: IPVS counts the next one
// without it.
func (l *Lab) post(ctx context.Context, from netip.AddrPort) (reply, error) {
	conn, err := l.dial(ctx, from)
	if err != nil {
		return reply{}, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	body := strings.NewReader(strings.Repeat("x", uploadSize))
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+l.VIP().String(), body)
	if err != nil {
		return reply{}, err
	}
	if err := request.Write(conn); err != nil {
		return reply{}, err
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), request)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	var r reply
	if err := json.NewDecoder(response.Body).Decode(&r); err != nil {
		return reply{}, err
	}
	if r.Got != uploadSize {
		return r, fmt.Errorf("%s got %d of %d bytes", r.Server, r.Got, uploadSize)
	}
	return r, nil
}

// dial connects in the client's namespace. For a literal address a dialer makes its
// socket on the calling thread.
func (l *Lab) dial(ctx context.Context, from netip.AddrPort) (conn net.Conn, err error) {
	dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(from)}
	err = l.Client.space.Do(func() error {
		conn, err = dialer.DialContext(ctx, "tcp", l.VIP().String())
		return err
	})
	return conn, err
}
