package health

import (
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// socket is a TCP connection that is opened without waiting for it.
type socket struct {
	fd int
	to netip.AddrPort
}

// open begins to connect. When the socket is closed, the connection is reset.
func (s *socket) open() (err error) {
	family, to := s.sockaddr()
	if s.fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP); err != nil {
		return os.NewSyscallError("socket", err)
	}
	_ = unix.SetsockoptLinger(s.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	if err = unix.Connect(s.fd, to); err != nil && err != unix.EINPROGRESS && err != unix.EINTR {
		return os.NewSyscallError("connect", err)
	}
	return nil
}

// sockaddr returns where to connect, as the kernel has it.
func (s *socket) sockaddr() (family int, to unix.Sockaddr) {
	if addr, port := s.to.Addr(), int(s.to.Port()); addr.Is4() {
		return unix.AF_INET, &unix.SockaddrInet4{Port: port, Addr: addr.As4()}
	} else {
		return unix.AF_INET6, &unix.SockaddrInet6{Port: port, Addr: addr.As16()}
	}
}

// outcome returns why a connection failed, when poll has reported events.
func (s *socket) outcome(events uint32) error {
	if events&(unix.POLLERR|unix.POLLHUP) != 0 {
		n, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if err == nil && n != 0 {
			err = unix.Errno(n)
		}
		if err != nil {
			return os.NewSyscallError("connect", err)
		}
	}
	if s.isOwnPeer() {
		return os.NewSyscallError("connect", unix.ECONNREFUSED)
	}
	return nil
}

// leastChosen is the least port that the kernel gives to a connection, unless a program
// need no privilege for lower ones.
const leastChosen = 1024

// isOwnPeer reports whether the connection is one to itself. The kernel makes it when it
// happens to choose the port of a server on this host that does not listen.
func (s *socket) isOwnPeer() bool {
	if s.to.Port() < leastChosen {
		return false
	}
	own, _ := unix.Getsockname(s.fd)
	switch own := own.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(own.Addr), uint16(own.Port)) == s.to
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(own.Addr), uint16(own.Port)) == s.to
	}
	return false
}
