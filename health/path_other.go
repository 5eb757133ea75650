//go:build !linux

package health

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"syscall"

	"github.com/golvs/lvs"
)

// controlMarked returns a function for [net.Dialer] that fails: only Linux has IPVS.
func controlMarked(uint32) func(network, address string, c syscall.RawConn) error {
	return func(string, string, syscall.RawConn) error {
		return fmt.Errorf("mark packets on %s: %w", runtime.GOOS, errors.ErrUnsupported)
	}
}

func explainMarked(err error, _ netip.Addr) error { return err }

func reservedPorts() []lvs.PortRange { return nil }

func localPorts() (first, last uint16, ok bool) { return 0, 0, false }
