//go:build unix

package health

import (
	"strings"
	"syscall"
)

// controlReset has a TCP connection reset when it is closed, also when that is before the
// dialer has returned it: the context may end just when the server answers.
func controlReset(network, _ string, c syscall.RawConn) error {
	if !strings.HasPrefix(network, "tcp") {
		return nil
	}
	return c.Control(func(fd uintptr) {
		_ = syscall.SetsockoptLinger(int(fd), syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1})
	})
}
