package lab

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// uploadSize is the size of a client's request: several segments, so that the loss of
// those that do not fit into a tunnel shows.
const uploadSize = 4000

// reply is the answer of a real server.
type reply struct {
	Server string         // its name
	Client netip.AddrPort // the client's address, as it sees it
	Got    int64          // how many bytes came
	Page   string         // as the shared server has it
}

// Page is what the shared server has, and every real server serves.
const Page = "the page of the shared tier"

// servePage starts the shared server.
func (l *Lab) servePage() error {
	return l.listen(l.Shared, pagePort, func(w http.ResponseWriter, r *http.Request) {
		l.asking.Lock()
		l.asked[peer(r).Addr()]++
		l.asking.Unlock()
		_, _ = io.WriteString(w, Page)
	})
}

// Asked returns how often each real server asked the shared server for its page, by
// the real server's address (RIP).
func (l *Lab) Asked() map[netip.Addr]int {
	l.asking.Lock()
	defer l.asking.Unlock()
	return maps.Clone(l.asked)
}

// serve starts a web server on a real server. It has nothing of its own to serve: it
// takes the page from the shared server, for each request again.
func (l *Lab) serve(h *Host) error {
	shared := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: h.dialer(netip.AddrPort{})}}
	return l.listen(h, webPort, func(w http.ResponseWriter, r *http.Request) {
		got, _ := io.Copy(io.Discard, r.Body)
		page, err := fetch(r.Context(), &shared, l.plan.pages())
		if err != nil {
			http.Error(w, fmt.Sprintf("%s cannot reach the shared server: %v", h.Name, err), http.StatusBadGateway)
			return
		}
		_ = json.NewEncoder(w).Encode(reply{h.Name, peer(r), got, page})
	})
}

// listen serves HTTP on a host until the lab is closed.
func (l *Lab) listen(h *Host, port int, handle http.HandlerFunc) error {
	var listener net.Listener
	err := h.Run(func() (err error) {
		listener, err = net.Listen("tcp", fmt.Sprintf(":%d", port))
		return err
	})
	if err != nil {
		return err
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: handle}
	l.web = append(l.web, server)
	go func() { _ = server.Serve(listener) }() // until Close
	return nil
}

// peer returns who sent a request.
func peer(r *http.Request) netip.AddrPort {
	a, _ := netip.ParseAddrPort(r.RemoteAddr)
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// fetch gets the page from the shared server.
func fetch(ctx context.Context, client *http.Client, from netip.AddrPort) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+from.String(), nil)
	if err != nil {
		return "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	return string(page), err
}

// post sends one request to a virtual address, on a connection of its own. The
// client ends the connection, and has ended it when post returns: IPVS counts the
// next one without it.
func (l *Lab) post(ctx context.Context, from, to netip.AddrPort) (reply, error) {
	conn, err := l.Client.dialer(from)(ctx, "tcp", to.String())
	if err != nil {
		return reply{}, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	body := strings.NewReader(strings.Repeat("x", uploadSize))
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+to.String(), body)
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
	return readReply(response)
}

func readReply(response *http.Response) (r reply, err error) {
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(response.Body)
		return r, errors.New(strings.TrimSpace(string(text)))
	}
	if err := json.NewDecoder(response.Body).Decode(&r); err != nil {
		return r, err
	}
	if r.Got != uploadSize {
		return r, fmt.Errorf("%s got %d of %d bytes", r.Server, r.Got, uploadSize)
	}
	return r, nil
}

// dialer returns a function that connects from an address of the host; the zero
// AddrPort leaves it to the host. For a literal address a net.Dialer makes its socket
// on the calling thread, and a socket stays in the namespace in which it was made.
func (h *Host) dialer(from netip.AddrPort) func(ctx context.Context, network, to string) (net.Conn, error) {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: from.Addr().AsSlice(), Port: int(from.Port())}}
	return func(ctx context.Context, network, to string) (conn net.Conn, err error) {
		err = h.Run(func() error {
			conn, err = dialer.DialContext(ctx, network, to)
			return err
		})
		return conn, err
	}
}
