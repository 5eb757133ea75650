package healthtest

import (
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// mostDatagrams is how many answers wait to be read; more are lost.
const mostDatagrams = 64

// datagrams is the client's end of a UDP or ICMP association.
type datagrams struct {
	network       string
	local, remote net.Addr
	send          func(d *datagrams, p []byte) // takes what the client sends

	incoming chan []byte
	refused  chan struct{} // has an element if the last datagram was refused
	reading  *deadline
	closed   chan struct{}
	closing  sync.Once
}

func newDatagrams(network string, local, remote net.Addr, send func(*datagrams, []byte)) *datagrams {
	return &datagrams{
		network: network, local: local, remote: remote, send: send,
		incoming: make(chan []byte, mostDatagrams), refused: make(chan struct{}, 1),
		reading: newDeadline(), closed: make(chan struct{}),
	}
}

// arrive lets an answer arrive.
func (d *datagrams) arrive(p []byte) {
	select {
	case d.incoming <- p:
	default:
	}
}

// refuse makes the client get the error of a closed port.
func (d *datagrams) refuse() {
	select {
	case d.refused <- struct{}{}:
	default:
	}
}

// Read implements [net.Conn]. What does not fit into p is lost.
func (d *datagrams) Read(p []byte) (int, error) {
	passed := d.reading.wait()
	if isClosed(d.closed) {
		return 0, d.explain("read", net.ErrClosed)
	}
	select {
	case <-d.refused:
		return 0, d.explain("read", os.NewSyscallError("read", syscall.ECONNREFUSED))
	case got := <-d.incoming:
		return copy(p, got), nil
	case <-passed:
		return 0, d.explain("read", os.ErrDeadlineExceeded)
	case <-d.closed:
		return 0, d.explain("read", net.ErrClosed)
	}
}

// Write implements [net.Conn].
func (d *datagrams) Write(p []byte) (int, error) {
	if isClosed(d.closed) {
		return 0, d.explain("write", net.ErrClosed)
	}
	d.send(d, append([]byte(nil), p...))
	return len(p), nil
}

func (d *datagrams) explain(op string, err error) error {
	return &net.OpError{Op: op, Net: d.network, Source: d.local, Addr: d.remote, Err: err}
}

// Close implements [net.Conn].
func (d *datagrams) Close() error {
	err := d.explain("close", net.ErrClosed)
	d.closing.Do(func() {
		close(d.closed)
		d.reading.set(time.Time{})
		err = nil
	})
	return err
}

// LocalAddr implements [net.Conn].
func (d *datagrams) LocalAddr() net.Addr { return d.local }

// RemoteAddr implements [net.Conn].
func (d *datagrams) RemoteAddr() net.Addr { return d.remote }

// SetDeadline implements [net.Conn].
func (d *datagrams) SetDeadline(t time.Time) error { return d.SetReadDeadline(t) }

// SetReadDeadline implements [net.Conn].
func (d *datagrams) SetReadDeadline(t time.Time) error {
	d.reading.set(t)
	return nil
}

// SetWriteDeadline implements [net.Conn]. Writes never wait.
func (d *datagrams) SetWriteDeadline(time.Time) error { return nil }
