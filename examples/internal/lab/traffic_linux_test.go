package lab

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/internal/testbed"
	"golang.org/x/sys/unix"
)

// traffic is clients that open connections through a lab's director and exchange data on
// them all the time.
type traffic struct {
	lab  *Lab
	ctx  context.Context
	stop context.CancelFunc
	all  sync.WaitGroup
	echo []net.Listener

	mu       sync.Mutex // guards what follows
	opened   int        // or tried to
	heard    int        // of them, on how many an echo came
	messages int
	slowest  time.Duration // from a message to its echo
	broken   []brokenConn
}

// brokenConn is a connection that failed, or could not be opened.
type brokenConn struct {
	service       lvs.ServiceID
	server        int // its place in the lab; -1 if the client never heard of it
	opened, broke time.Time
	err           error
}

const (
	echoPatience = 10 * time.Second      // until a connection counts as broken
	echoPause    = 20 * time.Millisecond // between two messages
)

// newTraffic starts servers that send back what they get, on every real server, at the
// ports of the services.
func newTraffic(t *testing.T, l *Lab, services ...lvs.ServiceID) *traffic {
	t.Helper()
	f := &traffic{lab: l}
	f.ctx, f.stop = context.WithCancel(context.Background())
	t.Cleanup(f.end)
	for _, id := range services {
		for n, h := range l.Servers {
			err := h.Run(func() error {
				listener, err := net.Listen("tcp", ":"+strconv.Itoa(int(id.AddrPort().Port())))
				if err == nil {
					f.echo = append(f.echo, listener)
					go serveEcho(listener, byte(n))
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return f
}

// serveEcho returns each message of 8 bytes with the number of the server before it.
func serveEcho(listener net.Listener, number byte) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return // it was closed
		}
		go func() {
			defer conn.Close()
			reply := []byte{8: 0}
			for reply[0] = number; ; {
				_ = conn.SetDeadline(time.Now().Add(4 * echoPatience)) // of one that was cut
				if _, err := io.ReadFull(conn, reply[1:]); err != nil {
					return
				}
				if _, err := conn.Write(reply); err != nil {
					return
				}
			}
		}()
	}
}

// talk starts clients of a service. Each opens a connection, exchanges data on it for as
// long as life returns, ends it and opens the next, until the traffic ends.
func (f *traffic) talk(clients int, id lvs.ServiceID, life func() time.Duration) {
	for range clients {
		f.all.Go(func() {
			for f.ctx.Err() == nil {
				b := f.connection(id, life())
				if b.err != nil && f.ctx.Err() == nil {
					b.broke = time.Now()
					f.mu.Lock()
					f.broken = append(f.broken, b)
					f.mu.Unlock()
					time.Sleep(echoPause)
				}
			}
		})
	}
}

// end ends the traffic.
func (f *traffic) end() {
	f.stop()
	f.all.Wait()
	for _, listener := range f.echo {
		listener.Close()
	}
}

// connection opens a connection and uses it for a time.
func (f *traffic) connection(id lvs.ServiceID, life time.Duration) brokenConn {
	b := brokenConn{service: id, server: -1, opened: time.Now()}
	ctx, cancel := context.WithTimeout(f.ctx, echoPatience)
	defer cancel()
	conn, err := f.lab.Client.dialer(f.nextPort())(ctx, "tcp", id.AddrPort().String())
	if err != nil {
		b.err = err
		return b
	}
	defer conn.Close()
	// A reset makes IPVS forget the connection after 10 seconds, a FIN after 120.
	if err := conn.(*net.TCPConn).SetLinger(0); err != nil {
		b.err = err
		return b
	}
	for message := uint64(1); time.Since(b.opened) < life && f.ctx.Err() == nil; message++ {
		if b.err = f.exchange(conn, message, &b.server); b.err != nil {
			return b
		}
		time.Sleep(echoPause + rand.N(echoPause))
	}
	return b
}

// nextPort returns an address and port of the client that were not used before.
func (f *traffic) nextPort() netip.AddrPort {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.opened++
	return f.lab.nextClient()
}

var errMoved = errors.New("another server answered, or something else than was sent")

// exchange sends a message and waits for its echo.
func (f *traffic) exchange(conn net.Conn, message uint64, server *int) error {
	sent := time.Now()
	_ = conn.SetDeadline(sent.Add(echoPatience))
	if _, err := conn.Write(binary.BigEndian.AppendUint64(nil, message)); err != nil {
		return err
	}
	var reply [9]byte
	if _, err := io.ReadFull(conn, reply[:]); err != nil {
		return err
	}
	if *server >= 0 && *server != int(reply[0]) || binary.BigEndian.Uint64(reply[1:]) != message {
		return errMoved
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if *server < 0 {
		f.heard++
	}
	*server = int(reply[0])
	f.messages++
	f.slowest = max(f.slowest, time.Since(sent))
	return nil
}

// await waits until the traffic has come to something, or for so long that it never will.
func (f *traffic) await(t *testing.T, what string, come func() bool) {
	t.Helper()
	for end := time.Now().Add(3 * echoPatience); ; time.Sleep(echoPause) {
		f.mu.Lock()
		ok := come()
		f.mu.Unlock()
		if ok {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: not in %s", what, 3*echoPatience)
		}
	}
}

// refused reports whether the director had no real server for the connection.
func (b brokenConn) refused() bool {
	return b.server < 0 && (errors.Is(b.err, unix.ECONNREFUSED) || errors.Is(b.err, unix.EHOSTUNREACH))
}

// TestTrafficNotices holds that the traffic sees what breaks connections, and what
// refuses them.
func TestTrafficNotices(t *testing.T) {
	testbed.InKernel(t)
	ctx := context.Background()
	p := newPlanner(t, Options{Mode: "nat"}, "1")
	l, c := p.lab, p.lab.Director.Client()
	add := []lvs.Change{lvs.AddService(lvs.Service{ID: p.always, Scheduler: lvs.RR})}
	for _, s := range l.table {
		s.Addr = netip.AddrPortFrom(s.Addr.Addr(), p.always.AddrPort().Port())
		add = append(add, lvs.AddRealServer(p.always, s))
	}
	for name, change := range map[string]lvs.Change{
		"removed":  lvs.RemoveRealServer(p.always, netip.AddrPortFrom(l.table[0].Addr.Addr(), p.always.AddrPort().Port())),
		"unusable": lvs.UpdateService(lvs.Service{ID: p.always, Scheduler: lvs.NoScheduler}),
	} {
		if err := c.Do(ctx, add...); err != nil {
			t.Fatal(err)
		}
		f := newTraffic(t, l, p.always)
		long := 2 * len(l.table) // connections, by rr two to each real server
		f.talk(long, p.always, func() time.Duration { return time.Hour })
		f.await(t, "echoes", func() bool { return f.heard == long })
		f.talk(4, p.always, func() time.Duration { return 300 * time.Millisecond })
		if err := c.Do(ctx, change); err != nil {
			t.Fatal(err)
		}
		var wrong []brokenConn
		f.await(t, name, func() bool { wrong, _ = p.wrong(f.broken); return len(wrong) > 0 })
		f.end()
		if wrong[0].refused() != (name == "unusable") {
			t.Errorf("%s: of %d connections, these broke without a plan: %+v", name, f.opened, wrong)
		}
		if err := c.RemoveService(ctx, p.always); err != nil {
			t.Fatal(err)
		}
	}
}
