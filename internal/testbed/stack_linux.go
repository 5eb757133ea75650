package testbed

import (
	"encoding/binary"
	"slices"

	"golang.org/x/sys/unix"
)

// Stack sees what reaches the IP stack of a namespace. TCP and UDP of the ports that are
// silenced do not reply.
type Stack struct {
	ns      *Namespace
	epoll   int
	sockets []int
	of      map[int32]stackSocket
	silent  map[uint16]bool // ports
	buf     []byte
}

// stackSocket is what a raw socket gets. That of IPv6 gets no IPv6 headers.
type stackSocket struct {
	protocol uint8
	six      bool
}

// stackProtocols are those of which packets are seen.
var stackProtocols = []uint8{
	unix.IPPROTO_ICMP, unix.IPPROTO_IPIP, unix.IPPROTO_TCP, unix.IPPROTO_UDP, unix.IPPROTO_IPV6, unix.IPPROTO_GRE,
	unix.IPPROTO_ESP, unix.IPPROTO_AH, unix.IPPROTO_ICMPV6, unix.IPPROTO_SCTP,
}

// flowInfo is IPV6_FLOWINFO: the traffic class and the flow label.
const flowInfo = 11

// Stack opens the stack.
func (ns *Namespace) Stack() *Stack {
	ns.t.Helper()
	s := &Stack{ns: ns, of: make(map[int32]stackSocket), silent: make(map[uint16]bool), buf: make([]byte, 1<<16+64)}
	ns.check(ns.Do(s.open))
	ns.t.Cleanup(func() {
		for _, fd := range s.sockets {
			_ = unix.Close(fd)
		}
	})
	return s
}

func (s *Stack) open() (err error) {
	if s.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return err
	}
	s.sockets = append(s.sockets, s.epoll)
	for _, protocol := range stackProtocols {
		for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
			if err := s.openRaw(family, protocol); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Stack) openRaw(family int, protocol uint8) error {
	fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, int(protocol))
	if err != nil {
		return err
	}
	s.sockets = append(s.sockets, fd)
	s.of[int32(fd)] = stackSocket{protocol, family == unix.AF_INET6}
	if family == unix.AF_INET6 {
		for _, option := range []int{unix.IPV6_RECVPKTINFO, unix.IPV6_RECVHOPLIMIT, flowInfo} {
			if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, option, 1); err != nil {
				return err
			}
		}
	}
	return unix.EpollCtl(s.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
}

// Silence keeps TCP and UDP from replying to what comes to a port: their sockets there
// drop it.
func (s *Stack) Silence(ports ...uint16) {
	s.ns.t.Helper()
	ports = slices.DeleteFunc(slices.Clone(ports), func(p uint16) bool { return p == 0 || s.silent[p] })
	if len(ports) == 0 {
		return
	}
	s.ns.check(s.ns.Do(func() error {
		for _, port := range ports {
			for _, kind := range []int{unix.SOCK_STREAM, unix.SOCK_DGRAM} {
				if err := s.silence(kind, port); err != nil {
					return err
				}
			}
			s.silent[port] = true
		}
		return nil
	}))
}

func (s *Stack) silence(kind int, port uint16) error {
	fd, err := unix.Socket(unix.AF_INET6, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	s.sockets = append(s.sockets, fd)
	drop := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K}} // no byte is accepted
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &drop[0]}); err != nil {
		return err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet6{Port: int(port)}); err != nil || kind == unix.SOCK_DGRAM {
		return err
	}
	return unix.Listen(fd, 1)
}

// Receive returns the packets that reached the stack, those of one protocol in the order in
// which they came. IPv6 headers are without extensions.
func (s *Stack) Receive() (packets [][]byte) {
	events := make([]unix.EpollEvent, 2*len(stackProtocols))
	n, _ := unix.EpollWait(s.epoll, events, 0)
	for _, e := range events[:max(n, 0)] {
		for {
			p, ok := s.read(int(e.Fd), s.of[e.Fd])
			if !ok {
				break
			}
			if !s.of[e.Fd].six || s.of[e.Fd].protocol != unix.IPPROTO_ICMPV6 || !resolves(p) {
				packets = append(packets, p)
			}
		}
	}
	return packets
}

func (s *Stack) read(fd int, of stackSocket) (packet []byte, ok bool) {
	control := make([]byte, 256)
	n, controls, _, from, err := unix.Recvmsg(fd, s.buf, control, 0)
	if err != nil {
		return nil, false
	}
	if !of.six {
		return append([]byte(nil), s.buf[:n]...), true
	}
	const header = 40
	b := make([]byte, header, header+n)
	b[0] = 0x60
	binary.BigEndian.PutUint16(b[4:], uint16(n))
	b[6] = of.protocol
	if a, ok := from.(*unix.SockaddrInet6); ok {
		copy(b[8:], a.Addr[:])
	}
	all, _ := unix.ParseSocketControlMessage(control[:controls])
	for _, c := range all {
		switch c.Header.Type {
		case unix.IPV6_PKTINFO:
			copy(b[24:40], c.Data)
		case unix.IPV6_HOPLIMIT:
			b[7] = uint8(binary.NativeEndian.Uint32(c.Data))
		case flowInfo:
			copy(b[1:4], c.Data[1:4])
			b[0] |= c.Data[0] & 0x0f
		}
	}
	return append(b, s.buf[:n]...), true
}
