package conformance

import "golang.org/x/sys/unix"

// Transmit sends a segment from the director itself. Nothing else is under way, so what
// is seen next is what became of it.
func (s *kernelSide) Transmit(n numbered) left {
	p := packet{protocol: protocolTCP, from: n.from, to: n.to, mark: n.mark}
	fd, err := s.sender(p)
	if err != nil {
		return left{}
	}
	var to unix.Sockaddr = &unix.SockaddrInet4{Addr: mapped(n.to)}
	if n.to.Addr().Is6() {
		to = &unix.SockaddrInet6{Addr: n.to.Addr().As16()}
	}
	for s.next() != nil {
	}
	if unix.Sendto(fd, n.encode(), 0, to) != nil {
		return left{}
	}
	for b := s.next(); b != nil; b = s.next() {
		if l, ok := leftOf(b); ok {
			return l
		}
	}
	return left{}
}

// next returns a packet that was seen; nil if there is none.
func (s *kernelSide) next() []byte {
	n, _, err := unix.Recvfrom(s.capture, s.buf, unix.MSG_DONTWAIT)
	if err != nil {
		return nil
	}
	return s.buf[:n]
}
