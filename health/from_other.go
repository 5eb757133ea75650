//go:build !linux

package health

import (
	"errors"
	"fmt"
	"runtime"
	"syscall"
)

// control prepares a socket before it connects.
func (n fromNetwork) control(network, address string, c syscall.RawConn) error {
	if n.Interface != "" || n.Mark != 0 {
		return fmt.Errorf("choose the interface or the mark of packets on %s: %w", runtime.GOOS, errors.ErrUnsupported)
	}
	return controlReset(network, address, c)
}
