package genl

import (
	"cmp"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// receiveBuffer is the size requested for each socket. The kernel limits it for a
// process without privileges.
const receiveBuffer = 1 << 20

// Dial opens a netlink socket in the network namespace of the calling thread.
func Dial() (Socket, error) {
	conn, err := netlink.Dial(unix.NETLINK_GENERIC, nil)
	if err != nil {
		return nil, fmt.Errorf("opening a netlink socket: %w", err)
	}
	s := &netlinkSocket{conn: conn}
	if err := s.prepare(); err != nil {
		conn.Close()
		return nil, fmt.Errorf("preparing a netlink socket: %w", err)
	}
	return s, nil
}

// netlinkSocket is a real netlink socket. It bypasses the receive of mdlayher/netlink,
// which drops the sequence number of an error.
type netlinkSocket struct {
	conn   *netlink.Conn
	raw    syscall.RawConn
	buffer int
	inbox  inbox
}

func (s *netlinkSocket) prepare() (err error) {
	if s.raw, err = s.conn.SyscallConn(); err != nil {
		return err
	}
	// Without this an error message carries the whole request.
	if err := s.conn.SetOption(netlink.CapAcknowledge, true); err != nil {
		return err
	}
	if err := s.conn.SetOption(netlink.ExtendedAcknowledge, true); err != nil {
		return err
	}
	if err := s.conn.SetReadBuffer(receiveBuffer); err != nil {
		return err
	}
	s.buffer, err = s.conn.ReadBuffer()
	return err
}

var toKernel = &unix.SockaddrNetlink{Family: unix.AF_NETLINK}

func (s *netlinkSocket) Send(datagram []byte) error {
	var err error
	werr := s.raw.Write(func(fd uintptr) bool {
		err = ignoringEINTR(func() error { return unix.Sendto(int(fd), datagram, 0, toKernel) })
		return err != unix.EAGAIN
	})
	return cmp.Or(werr, os.NewSyscallError("sendto", err))
}

func (s *netlinkSocket) Receive(b []byte) (int, error) {
	for {
		n, fromKernel, err := s.inbox.take(b)
		if err != nil || fromKernel {
			return n, err
		}
		if err := s.fill(b); err != nil {
			return 0, err
		}
	}
}

func (s *netlinkSocket) fill(b []byte) error {
	var err error
	rerr := s.raw.Read(func(fd uintptr) bool {
		err = ignoringEINTR(func() error { return s.inbox.fill(fd, b) })
		return err != unix.EAGAIN
	})
	if err == unix.ENOBUFS {
		return ErrOverrun
	}
	return cmp.Or(rerr, os.NewSyscallError("recvmmsg", err))
}

func ignoringEINTR(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

func (s *netlinkSocket) ReceiveBuffer() int { return s.buffer }

// Interrupt sets a deadline that has passed. It can only fail on a closed socket,
// whose Receive fails anyway.
func (s *netlinkSocket) Interrupt() { _ = s.conn.SetDeadline(time.Unix(1, 0)) }

func (s *netlinkSocket) Close() error { return s.conn.Close() }
