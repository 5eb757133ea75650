package health

import (
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// control prepares a socket before it connects.
func (n fromNetwork) control(network, address string, c syscall.RawConn) error {
	if err := controlReset(network, address, c); err != nil {
		return err
	}
	var err error
	if bad := c.Control(func(fd uintptr) { err = n.prepare(int(fd), network) }); bad != nil {
		return bad
	}
	return err
}

func (n fromNetwork) prepare(fd int, network string) error {
	if n.Mark != 0 {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, int(n.Mark)); err != nil {
			return os.NewSyscallError("setsockopt SO_MARK", err)
		}
	}
	if n.Interface != "" {
		if err := unix.BindToDevice(fd, n.Interface); err != nil {
			return os.NewSyscallError("setsockopt SO_BINDTODEVICE "+n.Interface, err)
		}
	}
	switch {
	case n.Port != 0: // several servers are asked from it at a time
		return os.NewSyscallError("setsockopt SO_REUSEADDR", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1))
	case n.Addr.IsValid() && !strings.HasPrefix(network, "ip"): // all ports that are not in use with the same server will do
		return os.NewSyscallError("setsockopt IP_BIND_ADDRESS_NO_PORT", unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1))
	}
	return nil
}
