package health

import (
	"net"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A marked connection that is closed is reset, also if the context ends before the dialer
// has returned it. Marking itself needs a privilege that tests lack.
func TestMarkedConnectionsAreReset(t *testing.T) {
	target := on(t, func(net.Conn) {})
	var linger *unix.Linger
	dialer := net.Dialer{Control: func(network, address string, c syscall.RawConn) (err error) {
		_ = controlMarked(1)(network, address, c)
		if bad := c.Control(func(fd uintptr) { linger, err = unix.GetsockoptLinger(int(fd), unix.SOL_SOCKET, unix.SO_LINGER) }); bad != nil {
			return bad
		}
		return err
	}}
	conn, err := dialer.DialContext(t.Context(), "tcp", target.Addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if linger == nil || linger.Onoff == 0 || linger.Linger != 0 {
		t.Errorf("SO_LINGER is %+v", linger)
	}
}
