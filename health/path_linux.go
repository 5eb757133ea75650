package health

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/golvs/lvs"
)

// controlMarked returns a function for [net.Dialer] that does what controlReset does,
// gives the packets of a socket a mark, and lets the kernel choose its port when it
// connects, when all ports that are not in use with the same destination will do.
func controlMarked(mark uint32) func(network, address string, c syscall.RawConn) error {
	return func(network, address string, c syscall.RawConn) error {
		if err := controlReset(network, address, c); err != nil {
			return err
		}
		var err error
		if bad := c.Control(func(fd uintptr) {
			err = os.NewSyscallError("setsockopt SO_MARK", unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK, int(mark)))
			if err == nil {
				err = os.NewSyscallError("setsockopt IP_BIND_ADDRESS_NO_PORT", unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1))
			}
		}); bad != nil {
			return bad
		}
		return err
	}
}

// explainMarked adds to the error of a marked connection what to do about it.
func explainMarked(err error, source netip.Addr) error {
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return fmt.Errorf("%w: marking packets needs CAP_NET_ADMIN", err)
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return fmt.Errorf("%w: %s is not an address of this host, or has no free port", err, source)
	}
	return err
}

// reservedPorts returns the ports that this host gives to none of its connections, because
// a service listens there at times.
func reservedPorts() []lvs.PortRange {
	text, _ := os.ReadFile("/proc/sys/net/ipv4/ip_local_reserved_ports")
	return parsePortRanges(string(text))
}

// localPorts returns the range from which this host takes the ports of its connections.
func localPorts() (first, last uint16, ok bool) {
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return 0, 0, false
	}
	n, err := fmt.Sscan(string(text), &first, &last)
	return first, last, n == 2 && err == nil && 0 < first && first <= last
}
