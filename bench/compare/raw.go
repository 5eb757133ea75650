//go:build linux

package main

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/golvs/lvs/internal/wire"
	"github.com/mdlayher/genetlink"
	"golang.org/x/sys/unix"
)

// The raw contender is the limit: bytes prepared beforehand go through a
// socket, and what comes back is looked at no more than it takes to know that
// it is all there.

func rawAdding() contender {
	return raw(func(s *rawSocket, j job) func() (int, error) {
		sends := j.datagrams(s.family)
		return func() (int, error) { return s.sendAll(sends) }
	})
}

func rawReading() contender {
	return raw(func(s *rawSocket, j job) func() (int, error) {
		dumps := j.dumps(s.family)
		return func() (int, error) { return s.dumpAll(dumps) }
	})
}

func raw(prepare func(*rawSocket, job) func() (int, error)) contender {
	return contender{"raw", func(ns *namespace, j job) (session, error) {
		var s *rawSocket
		err := ns.do(func() (err error) {
			s, err = openRaw()
			return err
		})
		if err != nil {
			return session{}, err
		}
		return session{prepare(s, j), s.close}, nil
	}}
}

type rawSocket struct {
	fd     int
	family uint16
	buf    []byte
}

// openRaw sets the options that the library's sockets have.
func openRaw() (*rawSocket, error) {
	family, err := ipvsFamily()
	if err != nil {
		return nil, fmt.Errorf("resolving IPVS: %w", err)
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_GENERIC)
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1),
		unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_EXT_ACK, 1),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 1<<20),
		unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}),
	)
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return &rawSocket{fd, family, make([]byte, 32<<10)}, nil
}

func ipvsFamily() (uint16, error) {
	c, err := genetlink.Dial(nil)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	f, err := c.GetFamily(wire.Family)
	return f.ID, err
}

func (s *rawSocket) close() error { return unix.Close(s.fd) }

// sendAll stops at any answer but the expected one: all the more so at an
// error, which has its own sequence number or status.
func (s *rawSocket) sendAll(sends []datagram) (int, error) {
	objects := 0
	for _, d := range sends {
		if err := s.send(d.bytes); err != nil {
			return objects, err
		}
		b, err := s.receive()
		if err != nil {
			return objects, err
		}
		kind, seq, status := host.Uint16(b[4:]), host.Uint32(b[8:]), int32(host.Uint32(b[16:]))
		if kind != unix.NLMSG_ERROR || seq != d.lastSeq() || status != 0 {
			return objects, fmt.Errorf("answer of type %d to request %d: status %d", kind, seq, status)
		}
		objects += d.requests
	}
	return objects, nil
}

func (s *rawSocket) dumpAll(dumps [][]byte) (int, error) {
	objects := 0
	for _, d := range dumps {
		n, err := s.dump(d)
		if err != nil {
			return objects, err
		}
		objects += n
	}
	return objects, nil
}

// dump walks over the netlink headers and counts.
func (s *rawSocket) dump(request []byte) (objects int, err error) {
	if err := s.send(request); err != nil {
		return 0, err
	}
	for {
		b, err := s.receive()
		if err != nil {
			return objects, err
		}
		for ; len(b) >= unix.NLMSG_HDRLEN; b = b[min(int(host.Uint32(b)+3)&^3, len(b)):] {
			switch kind := host.Uint16(b[4:]); kind {
			case s.family:
				objects++
			case unix.NLMSG_DONE:
				return objects, nil
			default:
				return objects, fmt.Errorf("a message of type %d in a dump", kind)
			}
		}
	}
}

func (s *rawSocket) send(b []byte) error {
	n, err := s.call(unix.SYS_WRITE, b)
	if err == nil && n != len(b) {
		err = fmt.Errorf("sent %d of %d bytes", n, len(b))
	}
	return err
}

func (s *rawSocket) receive() ([]byte, error) {
	n, err := s.call(unix.SYS_READ, s.buf)
	if err == nil && n < unix.NLMSG_HDRLEN+4 {
		err = fmt.Errorf("a datagram of %d bytes", n)
	}
	return s.buf[:n], err
}

// call reads or writes without a word to Go's scheduler, whose share would
// otherwise be in what is called the limit. It starts again after a signal, as
// a profiler sends.
func (s *rawSocket) call(trap uintptr, b []byte) (int, error) {
	for {
		n, _, errno := unix.RawSyscall(trap, uintptr(s.fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}
