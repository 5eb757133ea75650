package health

import (
	"net"
	"net/netip"

	"golang.org/x/net/icmp"
)

// echoSocket is a socket that sends echo requests to one address and gets the replies to
// them alone. The kernel chooses the identifier.
type echoSocket struct {
	*icmp.PacketConn
	to net.Addr
}

// openSocket opens an echoSocket.
func (e echo) openSocket(to netip.Addr) (net.Conn, error) {
	network, any := "udp4", "0.0.0.0"
	if e == echo6 {
		network, any = "udp6", "::"
	}
	conn, err := icmp.ListenPacket(network, any)
	if err != nil {
		return nil, err
	}
	return echoSocket{conn, net.UDPAddrFromAddrPort(netip.AddrPortFrom(to.Unmap(), 0))}, nil
}

func (s echoSocket) Read(b []byte) (int, error) {
	n, _, err := s.ReadFrom(b)
	return n, err
}

func (s echoSocket) Write(b []byte) (int, error) { return s.WriteTo(b, s.to) }

func (s echoSocket) RemoteAddr() net.Addr { return s.to }
