package conformance

import (
	"errors"

	"golang.org/x/sys/unix"
)

// sendOwn lets a program of the director send a packet. That IPVS stops it, its sender
// knows by an error.
func (s *wiredSide) sendOwn(p *ipPacket) error {
	fd, err := s.sender(packet{to: p.to, mark: p.mark})
	if err != nil {
		return err
	}
	var to unix.Sockaddr = &unix.SockaddrInet4{Addr: mapped(p.to)}
	if p.six() {
		to = &unix.SockaddrInet6{Addr: p.to.Addr().As16()}
	}
	err = unix.Sendto(fd, p.encode(), 0, to)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENETUNREACH) || errors.Is(err, unix.EHOSTUNREACH) {
		return nil
	}
	return err
}
