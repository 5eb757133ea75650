package clinic

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// size is how much is sent each way: several segments, so that a path that drops large
// packets shows.
const size = 4000

// serve starts a program that answers with the machine's name.
func (m *machine) serve(proto, address string) error {
	// The program may start before its address exists.
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		cerr := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_FREEBIND, 1) })
		return errors.Join(cerr, err)
	}}
	return m.space.Do(func() error {
		if proto == "udp" {
			conn, err := config.ListenPacket(context.Background(), "udp", address)
			if err == nil {
				m.stop = append(m.stop, func() { conn.Close() })
				go m.echo(conn)
			}
			return err
		}
		listen := func() (net.Listener, error) { return config.Listen(context.Background(), "tcp", address) }
		if proto == "sctp" {
			listen = func() (net.Listener, error) { return listenSCTP(address) }
		}
		listener, err := listen()
		if err == nil {
			m.stop = append(m.stop, func() { listener.Close() })
			go m.accept(listener)
		}
		return err
	})
}

func (m *machine) echo(conn net.PacketConn) {
	for p := make([]byte, size); ; {
		_, from, err := conn.ReadFrom(p)
		if err != nil {
			return
		}
		_, _ = conn.WriteTo([]byte(m.name), from)
	}
}

func (m *machine) accept(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
			if _, err := io.ReadFull(conn, make([]byte, size)); err == nil {
				_, _ = fmt.Fprintf(conn, "%-*s", size, m.name)
			}
		}()
	}
}

// outcome is the result of requests.
type outcome struct {
	sent     int
	failed   []string // which clients failed, and how, each once
	failures int
	reached  map[string]int // hosts that answered, and how often
}

// each is how many connections each client address makes, so that each of two servers gets
// one.
const each = 2

// round sends requests of all clients at once.
func (g *ground) round(patience time.Duration) outcome {
	o := outcome{reached: make(map[string]int)}
	var mutex sync.Mutex
	var all sync.WaitGroup
	for _, m := range g.up {
		for range each {
			for _, from := range m.from {
				all.Go(func() {
					server, err := m.ask(g.proto, netip.MustParseAddr(from), g.vip, patience)
					mutex.Lock()
					defer mutex.Unlock()
					o.sent++
					if err == nil {
						o.reached[server]++
						return
					}
					o.failures++
					if text := m.name + " " + reason(err); !slices.Contains(o.failed, text) {
						o.failed = append(o.failed, text)
					}
				})
			}
		}
	}
	all.Wait()
	slices.Sort(o.failed)
	return o
}

// measure sends requests of a site that should work. How long they take once routes and
// neighbours are known sets the patience for a request: the machine may be slow.
func (g *ground) measure() outcome {
	const enough = 5 * time.Second
	o := g.round(enough)
	start := time.Now()
	if o.failures == 0 {
		o = g.round(enough)
	}
	g.patience = max(150*time.Millisecond, 4*time.Since(start))
	return o
}

// traffic sends requests. Failures count only if as many fail in a second round.
func (g *ground) traffic() outcome {
	o := g.round(g.patience)
	for range 3 {
		before := o.failures
		if before == 0 {
			break
		}
		if o = g.round(3 * g.patience); o.failures == before {
			break
		}
	}
	return o
}

func reason(err error) string {
	var timed net.Error
	switch {
	case errors.As(err, &timed) && timed.Timeout():
		return "times out"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "is refused"
	case errors.Is(err, syscall.ECONNRESET):
		return "is reset"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "has no route"
	}
	return err.Error()
}

// bad describes what is wrong, "" if nothing is: a request failed, or servers that answered
// before do not answer now.
func (o outcome) bad(answers []string) string {
	var missing []string
	for _, name := range answers {
		if o.reached[name] == 0 {
			missing = append(missing, name)
		}
	}
	switch {
	case o.failures > 0:
		return fmt.Sprintf("%d of %d fail: %s", o.failures, o.sent, strings.Join(o.failed, ", "))
	case len(missing) > 0:
		return "none reaches " + strings.Join(missing, ", ")
	}
	return ""
}

// dial connects.
func dial(proto string, from netip.Addr, to netip.AddrPort, deadline time.Time) (net.Conn, error) {
	var local net.Addr = &net.TCPAddr{IP: from.AsSlice()}
	switch proto {
	case "sctp":
		return dialSCTP(from, to, time.Until(deadline))
	case "udp":
		local = &net.UDPAddr{IP: from.AsSlice()}
	}
	dialer := net.Dialer{LocalAddr: local, Deadline: deadline}
	return dialer.Dial(proto, to.String())
}

// isResent reports whether the connection's first packet was lost. On a slow machine
// patience suffices for a second one.
func isResent(conn *net.TCPConn) (is bool) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return false
	}
	_ = raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		is = err == nil && info.Total_retrans > 0
	})
	return is
}

// ask sends one request, and returns the name of the host that answered.
func (m *machine) ask(proto string, from netip.Addr, to netip.AddrPort, patience time.Duration) (string, error) {
	deadline := time.Now().Add(patience)
	var conn net.Conn
	err := m.space.Do(func() (err error) {
		conn, err = dial(proto, from, to, deadline)
		return err
	})
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if proto == "tcp" && isResent(conn.(*net.TCPConn)) {
		return "", os.ErrDeadlineExceeded
	}
	_ = conn.SetDeadline(deadline)
	if proto == "udp" {
		if _, err := conn.Write([]byte("who?")); err != nil {
			return "", err
		}
		answer := make([]byte, size)
		n, err := conn.Read(answer)
		return string(answer[:n]), err
	}
	if _, err := conn.Write(make([]byte, size)); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(conn)
	if err == nil && len(answer) != size {
		err = fmt.Errorf("gets %d bytes", len(answer))
	}
	return strings.TrimSpace(string(answer)), err
}
