package conformance

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// syncGroup is where sync daemons talk.
var syncGroup = netip.AddrFrom4([4]byte{224, 0, 0, 81})

// syncEar is what a side of the kernel hears of its master daemon, and the socket with
// which it speaks to its backup daemon, as another director would.
type syncEar struct {
	heard  []message
	socket int // 0: none
	port   uint16
}

func (s *kernelSide) TakeSent() []message {
	s.Send(nil)
	heard := s.ear.heard
	s.ear.heard = nil
	return heard
}

// hear notes a datagram that left, if a daemon sent it.
func (e *syncEar) hear(b []byte) {
	const header, udp = 20, 8
	if len(b) < header+udp || b[0] != 0x45 || b[9] != protocolUDP || netip.AddrFrom4([4]byte(b[16:])) != syncGroup {
		return
	}
	if binary.BigEndian.Uint16(b[header:]) != e.port {
		e.heard = append(e.heard, message{binary.BigEndian.Uint16(b[header+2:]), append([]byte(nil), b[header+udp:]...)})
	}
}

// Hear speaks from the director's own address; the kernel loops it back. The ports have a
// thread each. A connection that was replaced is gone with the next tick.
func (s *kernelSide) Hear(all ...message) {
	if s.ear.socket == 0 {
		must(s.t, s.ns.Do(s.openSpeaker))
	}
	const tick, fit = 20 * time.Millisecond, 32 // into the daemon's socket
	for i, m := range all {
		if i > 0 && (m.port != all[i-1].port || i%fit == 0) {
			s.awaitHeard(all[i-1].port)
		}
		must(s.t, unix.Sendto(s.ear.socket, m.payload, 0, &unix.SockaddrInet4{Addr: syncGroup.As4(), Port: int(m.port)}))
	}
	if len(all) > 0 {
		s.awaitHeard(all[len(all)-1].port)
		time.Sleep(tick)
	}
}

// awaitHeard waits until the backup daemon has taken all that came to a port.
func (s *kernelSide) awaitHeard(port uint16) {
	const most, queue = time.Second, 4
	for start := time.Now(); time.Since(start) < most; {
		time.Sleep(time.Millisecond)
		text, err := s.ReadFile("/proc/net/udp")
		must(s.t, err)
		waiting := false
		for row := range strings.Lines(string(text)) {
			f := strings.Fields(row)
			if len(f) > queue && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) && !strings.HasSuffix(f[queue], ":00000000") {
				waiting = true
			}
		}
		if !waiting {
			return
		}
	}
}

func (s *kernelSide) openSpeaker() (err error) {
	device, err := net.InterfaceByName(groundDevice)
	if err != nil {
		return err
	}
	if s.ear.socket, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return err
	}
	at := &unix.IPMreqn{Address: netip.MustParsePrefix(groundAddresses[0]).Addr().As4(), Ifindex: int32(device.Index)}
	if err := unix.SetsockoptIPMreqn(s.ear.socket, unix.IPPROTO_IP, unix.IP_MULTICAST_IF, at); err != nil {
		return err
	}
	if err := unix.Bind(s.ear.socket, &unix.SockaddrInet4{Addr: at.Address}); err != nil {
		return err
	}
	name, err := unix.Getsockname(s.ear.socket)
	if err == nil {
		s.ear.port = uint16(name.(*unix.SockaddrInet4).Port)
	}
	return err
}
