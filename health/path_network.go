package health

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
)

// markedNetwork opens connections through IPVS to one real server.
type markedNetwork struct {
	path   *TablePath
	server markedServer
	source atomic.Pointer[netip.Addr] // that worked last; nil if it must be found
	turn   atomic.Uint32              // of the server's ports
}

// DialContext implements [Network].
func (n *markedNetwork) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := n.dial(ctx, network, address)
	if err != nil {
		// The host may have got other addresses.
		n.source.Store(nil)
		return nil, err
	}
	return conn, nil
}

func (n *markedNetwork) dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	mark, ok := n.path.markOf(n.server)
	if !ok {
		return nil, errors.New("no service carries its probes any more: call TablePath.Set")
	}
	source, err := n.from(ctx)
	if err != nil {
		return nil, err
	}
	if n.path.options.Network != nil {
		return n.path.options.Network(mark, source).DialContext(ctx, network, address)
	}
	dialer := net.Dialer{Control: controlMarked(mark), KeepAlive: -1}
	switch {
	case strings.HasPrefix(network, "udp"):
		// Datagrams are scheduled one by one, whatever their port.
		dialer.LocalAddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(source, 0))
		conn, err = dialer.DialContext(ctx, network, address)
	case strings.HasPrefix(network, "tcp"):
		err = n.path.portsOf().each(mark-n.path.options.Marks.First, &n.turn, func(port uint16) error {
			dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(source, port))
			conn, err = dialer.DialContext(ctx, network, address)
			return err
		})
	default:
		return nil, fmt.Errorf("IPVS forwards TCP and UDP, not %s: use the direct path", network)
	}
	if err != nil {
		return nil, explainMarked(err, source)
	}
	return conn, nil
}

// from returns the address that probes come from. Without one, the kernel would choose
// the VIP where it is local, and the real server would answer itself.
func (n *markedNetwork) from(ctx context.Context) (netip.Addr, error) {
	if known := n.source.Load(); known != nil {
		return *known, nil
	}
	source, err := n.path.findSource(ctx, n.server)
	if err == nil {
		n.source.Store(&source)
	}
	return source, err
}

// findSource returns the address of this host from which probes of a real server come.
func (p *TablePath) findSource(ctx context.Context, s markedServer) (netip.Addr, error) {
	for _, a := range p.options.Sources {
		if a.Is6() == s.is6 {
			return a, nil
		}
	}
	suits := func(a netip.Addr) bool {
		return a.Is6() == s.is6 && a.IsGlobalUnicast() && !p.isVIP(a)
	}
	if a, err := sourceTo(ctx, s.addr); err == nil && suits(a) {
		return a, nil
	}
	all, err := net.InterfaceAddrs()
	if err != nil {
		return netip.Addr{}, fmt.Errorf("find an address of this host: %w", err)
	}
	for _, a := range all {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil && suits(prefix.Addr()) {
			return prefix.Addr(), nil
		}
	}
	return netip.Addr{}, errors.New("this host has no address of its own, other than VIPs, that could be the source: set TablePathOptions.Sources")
}

// sourceTo returns the address from which this host reaches another. Nothing is sent.
func sourceTo(ctx context.Context, to netip.Addr) (netip.Addr, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "udp", netip.AddrPortFrom(to, 9).String())
	if err != nil {
		return netip.Addr{}, err
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap(), nil
}
