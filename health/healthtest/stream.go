package healthtest

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
)

// window is how many bytes a stream holds that were written and not read yet.
const window = 64 << 10

// stream is one direction of a TCP connection.
type stream struct {
	mu      sync.Mutex
	data    []byte
	ended   bool          // the writer has closed its side
	reset   bool          // the connection was reset: reads and writes fail
	gone    bool          // the reader has closed, so that writes fail
	held    bool          // nothing more arrives for now
	arrived int           // bytes of data that did, if it is held
	changed chan struct{} // closed and replaced when any of these has changed
}

func newStream() *stream { return &stream{changed: make(chan struct{})} }

// change changes the stream, and wakes those who wait for it.
func (s *stream) change(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do()
	close(s.changed)
	s.changed = make(chan struct{})
}

// end ends what is written.
func (s *stream) end() { s.change(func() { s.ended = true }) }

// fail resets the connection. What has been written can still be read.
func (s *stream) fail() { s.change(func() { s.reset, s.held = true, false }) }

// abandon notes that the reader has gone, and returns how much it has not read.
func (s *stream) abandon() (unread int) {
	s.change(func() { unread, s.gone, s.data = len(s.data), true, nil })
	return unread
}

// hold keeps what is written from now on from arriving, until hold(false). A reset arrives
// nevertheless.
func (s *stream) hold(held bool) {
	s.change(func() {
		if s.reset {
			return
		}
		if held && !s.held {
			s.arrived = len(s.data)
		}
		s.held = held
	})
}

// read reads what has arrived. It returns early when the deadline passes or the reader's
// side is closed.
func (s *stream) read(p []byte, d *deadline, closed <-chan struct{}) (int, error) {
	for {
		passed := d.wait()
		switch {
		case isClosed(closed):
			return 0, net.ErrClosed
		case isClosed(passed):
			return 0, os.ErrDeadlineExceeded
		}
		n, changed, err := s.take(p)
		if changed == nil {
			return n, err
		}
		select {
		case <-changed:
		case <-passed:
		case <-closed:
		}
	}
}

// take takes what is there, or returns what to wait for.
func (s *stream) take(p []byte) (n int, changed <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case len(p) == 0:
		return 0, nil, nil
	case s.held && s.arrived == 0:
		return 0, s.changed, nil
	case len(s.data) > 0:
		if n = copy(p, s.data); s.held {
			n = min(n, s.arrived)
			s.arrived -= n
		}
		s.data = s.data[n:]
		close(s.changed)
		s.changed = make(chan struct{})
		return n, nil, nil
	case s.reset:
		return 0, nil, os.NewSyscallError("read", syscall.ECONNRESET)
	case s.ended:
		return 0, nil, io.EOF
	}
	return 0, s.changed, nil
}

// write writes all of p, as there is room.
func (s *stream) write(p []byte, d *deadline, closed <-chan struct{}) (written int, err error) {
	for {
		passed := d.wait()
		switch {
		case isClosed(closed):
			return written, net.ErrClosed
		case isClosed(passed):
			return written, os.ErrDeadlineExceeded
		}
		n, changed, err := s.put(p[written:])
		written += n
		if err != nil || written == len(p) {
			return written, err
		}
		select {
		case <-changed:
		case <-passed:
		case <-closed:
		}
	}
}

// put puts in what fits, and returns what to wait for.
func (s *stream) put(p []byte) (n int, changed <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.reset:
		return 0, nil, os.NewSyscallError("write", syscall.ECONNRESET)
	case s.gone || s.ended:
		return 0, nil, os.NewSyscallError("write", syscall.EPIPE)
	}
	if n = min(len(p), window-len(s.data)); n > 0 {
		s.data = append(s.data, p[:n]...)
		close(s.changed)
		s.changed = make(chan struct{})
	}
	return n, s.changed, nil
}
