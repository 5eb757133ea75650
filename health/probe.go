package health

import (
	"context"
	"net"
	"net/netip"

	"github.com/golvs/lvs"
)

// Probe asks a target once whether it works. The error says why it does not; nil means
// that it works. A probe returns promptly when the context ends, and leaves nothing
// behind. A Monitor uses a probe from many goroutines.
//
// Two probes that marshal to the same JSON are the same, and asked once for all services
// that share a target. A [Func] is shared with nothing.
type Probe interface {
	Probe(ctx context.Context, t Target) (Answer, error)
}

// Answer is what a target that works said. The zero value says nothing more.
type Answer struct {
	// Share is the part of its configured weight that the server asks for, such as 0.5
	// when it is busy, and at most 1000; it counts only if Reported. 0 asks for no new
	// connections.
	Share    float64
	Reported bool // whether the server asks for a share

	// Content identifies what the server served, such as the digest of a page, for
	// [Policy.SameContent]; "" if the probe does not look at it.
	Content string
}

// Target is what a probe asks.
type Target struct {
	Service lvs.ServiceID  // whose real server it is, one of them if several share the probe; the zero value if none
	Server  netip.AddrPort // the real server's address, with the service's port if it has none
	Mode    lvs.Mode       // how packets reach it

	// Addr is where to connect: Server, or the VIP on a path through IPVS.
	Addr netip.AddrPort

	// Network opens connections to Addr; nil is the host's. A path through IPVS has one
	// that marks packets.
	Network Network

	// Via is how Network reaches the server, for errors, such as
	// "through IPVS to 10.168.0.94 (dr)"; "" is by the server's own address.
	Via string
}

// Network opens connections. A [net.Dialer] is one. The networks that probes use are
// "tcp", "udp" and, for ICMP echo, "ip4:icmp" and "ip6:ipv6-icmp".
type Network interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// Dial opens a connection to the target. Port 0 is the port of Addr. A TCP connection
// that is closed is reset, so that it leaves no port waiting.
func (t Target) Dial(ctx context.Context, network string, port uint16) (net.Conn, error) {
	n, to := t.Network, t.Addr
	if n == nil {
		n = &net.Dialer{Control: controlReset, KeepAlive: -1}
	}
	if port != 0 {
		to = netip.AddrPortFrom(to.Addr(), port)
	}
	address := to.String()
	if network != "tcp" && network != "udp" {
		address = to.Addr().String()
	}
	conn, err := n.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if tcp, ok := conn.(interface{ SetLinger(sec int) error }); ok {
		// Without it, a check each second of thousands of servers would use up all ports.
		_ = tcp.SetLinger(0)
	}
	return conn, nil
}
