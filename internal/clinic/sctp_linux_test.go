package clinic

import (
	"context"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Package net does not support SCTP, but it accepts SCTP sockets, whose associations are
// streams as TCP's connections are.

// listenSCTP returns a listener of the calling thread's network namespace.
func listenSCTP(address string) (net.Listener, error) {
	f, err := socketSCTP(netip.MustParseAddrPort(address))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := unix.Listen(int(f.Fd()), 128); err != nil {
		return nil, os.NewSyscallError("listen", err)
	}
	return net.FileListener(f)
}

// dialSCTP connects, and waits as long as patience lasts.
func dialSCTP(from netip.Addr, to netip.AddrPort, patience time.Duration) (net.Conn, error) {
	f, err := socketSCTP(netip.AddrPortFrom(from, 0))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	timeout := unix.NsecToTimeval(patience.Nanoseconds())
	if err := unix.SetsockoptTimeval(int(f.Fd()), unix.SOL_SOCKET, unix.SO_SNDTIMEO, &timeout); err != nil {
		return nil, err
	}
	switch err := unix.Connect(int(f.Fd()), socketAddress(to)); err {
	case nil:
		return net.FileConn(f)
	case unix.EINPROGRESS:
		return nil, context.DeadlineExceeded
	default:
		return nil, os.NewSyscallError("connect", err)
	}
}

// socketSCTP returns a socket with an IPv4 address, which the host may get later.
func socketSCTP(address netip.AddrPort) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_SCTP)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	f := os.NewFile(uintptr(fd), "sctp")
	if err := unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_FREEBIND, 1); err != nil {
		return f, err
	}
	return f, os.NewSyscallError("bind", unix.Bind(fd, socketAddress(address)))
}

func socketAddress(a netip.AddrPort) unix.Sockaddr {
	return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
}
