package health

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// connector opens the connections of probes that only connect. One goroutine waits for all
// of them: with one each, starting and waking it would cost more than the connection does.
type connector struct {
	fresh []*watch         // whose connections have not been looked at
	waits map[int32]*watch // whose connections take their time, by socket
	fd    int              // of the epoll instance that has these
	epoll *os.File         // the same; nil while no connection has taken its time
}

// mostFresh is how many connections are opened before the first of them is looked at, or
// it would seem to have taken the time of all of them.
const mostFresh = 16

// connect begins a probe that only connects, and reports whether it is one.
func (m *Monitor) connect(w *watch, due time.Time) bool {
	to, ok := w.onlyConnects()
	if !ok {
		return false
	}
	began := time.Now()
	w.running = &attempt{began: began, due: due, socket: &socket{fd: -1, to: to}}
	m.queue.set(w, began.Add(w.check.Timeout))
	if err := w.running.socket.open(); err != nil {
		m.connected(w, err)
		return true
	}
	m.conns.fresh = append(m.conns.fresh, w)
	if len(m.conns.fresh) == mostFresh {
		m.lookAtFresh()
	}
	return true
}

// onlyConnects returns where a watch connects, if it does nothing else and nothing but the
// network of this host is needed.
func (w *watch) onlyConnects() (to netip.AddrPort, ok bool) {
	p, ok := w.check.Probe.(TCP)
	to = w.target.Addr
	if !ok || p != (TCP{Port: p.Port}) || w.path != nil || w.target.Network != nil || to.Addr().Zone() != "" {
		return to, false
	}
	if p.Port != 0 {
		to = netip.AddrPortFrom(to.Addr(), p.Port)
	}
	return to, true
}

// lookAtFresh takes the results that came while connections were opened. The others wait.
func (m *Monitor) lookAtFresh() {
	fresh := m.conns.fresh
	if len(fresh) == 0 {
		return
	}
	var polled [mostFresh]unix.PollFd
	for i, w := range fresh {
		polled[i] = unix.PollFd{Fd: int32(w.running.socket.fd), Events: unix.POLLOUT}
	}
	_, _ = unix.Poll(polled[:len(fresh)], 0)
	for i, w := range fresh {
		if events := polled[i].Revents; events != 0 {
			m.connected(w, w.running.socket.outcome(uint32(events)))
		} else if err := m.wait(w); err != nil {
			m.connected(w, err)
		}
	}
	m.conns.fresh = fresh[:0]
}

// wait has the result of a connection taken when it comes.
func (m *Monitor) wait(w *watch) error {
	if m.conns.epoll == nil {
		if err := m.beginWaiting(); err != nil {
			return err
		}
	}
	fd := w.running.socket.fd
	event := unix.EpollEvent{Fd: int32(fd), Events: unix.EPOLLOUT}
	if err := unix.EpollCtl(m.conns.fd, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		return os.NewSyscallError("epoll_ctl", err)
	}
	m.conns.waits[int32(fd)] = w
	return nil
}

// beginWaiting starts the goroutine that takes results until Run ends.
func (m *Monitor) beginWaiting() error {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	_ = unix.SetNonblock(fd, true) // so that the runtime waits for it without a thread
	epoll := os.NewFile(uintptr(fd), "epoll")
	raw, err := epoll.SyscallConn()
	if err != nil {
		epoll.Close()
		return err
	}
	m.conns.fd, m.conns.epoll, m.conns.waits = fd, epoll, map[int32]*watch{}
	m.probes.Go(func() {
		_ = raw.Read(func(uintptr) bool {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.takeResults()
			return false
		})
	})
	return nil
}

// takeResults takes the results of connections that have waited.
func (m *Monitor) takeResults() {
	if m.conns.epoll == nil {
		return
	}
	var events [64]unix.EpollEvent
	for n := len(events); n == len(events); {
		n, _ = unix.EpollWait(m.conns.fd, events[:], 0)
		for _, e := range events[:max(0, n)] {
			w := m.conns.waits[e.Fd]
			m.connected(w, w.running.socket.outcome(e.Events))
		}
	}
}

// connectionLate takes the result of a connection whose time has passed. It is a success
// if it only was not looked at in time.
func (m *Monitor) connectionLate(w *watch) {
	a := w.running
	m.takeResults()
	if w.running == a {
		m.connected(w, os.ErrDeadlineExceeded)
	}
}

// connected takes the result of a probe that only connects.
func (m *Monitor) connected(w *watch, err error) {
	a, now := w.running, time.Now()
	m.closeSocket(w)
	w.running = nil
	var f finding
	if err != nil {
		err = &net.OpError{Op: "dial", Net: "tcp", Addr: net.TCPAddrFromAddrPort(a.socket.to), Err: err}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = late(w.check.Timeout, err)
		}
		f.failed = w.target.failure(err)
	}
	m.take(w, a.began, now, f)
	m.next(w, a.due, now)
}

// closeSocket closes the connection of a probe that is under way.
func (m *Monitor) closeSocket(w *watch) {
	fd := w.running.socket.fd
	if m.conns.waits[int32(fd)] == w {
		delete(m.conns.waits, int32(fd))
		// A program that this one is just starting may have the socket too: it would stay in epoll.
		_ = unix.EpollCtl(m.conns.fd, unix.EPOLL_CTL_DEL, fd, nil)
	}
	if fd >= 0 {
		unix.Close(fd)
	}
}

// stopWaiting ends the goroutine that takes results, when no probe is under way. The
// Monitor is not locked: Close waits for that goroutine, which may wait for the lock.
func (m *Monitor) stopWaiting() {
	m.mu.Lock()
	epoll := m.conns.epoll
	m.conns.epoll = nil
	m.mu.Unlock()
	if epoll != nil {
		epoll.Close()
	}
}
