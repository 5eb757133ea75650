package healthtest

import (
	"context"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/golvs/lvs"
)

// Network is simulated servers, by address. It implements health.Network: its DialContext
// knows the networks "tcp", "udp", "ip4:icmp" and "ip6:ipv6-icmp". Any number of
// goroutines may use it.
//
// A host at which nothing is served does not exist: packets to it get lost. Of a host
// that exists, ports where nothing is served refuse.
type Network struct {
	start time.Time

	mu      sync.Mutex
	servers map[netip.AddrPort]*host
	port    uint16 // that the last connection came from
}

// New returns a network without servers. The scripts of its servers begin now.
func New() *Network {
	return &Network{start: time.Now(), servers: make(map[netip.AddrPort]*host), port: firstPort}
}

// Connections come from these addresses, unless they come through IPVS.
var (
	source4 = netip.MustParseAddr("192.0.2.1")
	source6 = netip.MustParseAddr("2001:db8::1")
)

const firstPort = 32768

// Serve adds a server at an address, or replaces the one that is there, whose open
// connections are reset. The error is an [*InvalidError].
func (n *Network) Serve(addr netip.AddrPort, s Server) error {
	if !addr.IsValid() || addr.Port() == 0 {
		return invalid("addr", "%s is not an address with a port", addr)
	}
	if err := s.Script.validate(); err != nil {
		return err
	}
	h := newHost(n, addr, s)
	n.mu.Lock()
	before := n.servers[unmap(addr)]
	n.servers[unmap(addr)] = h
	n.mu.Unlock()
	if before != nil {
		before.end()
	}
	return nil
}

// Remove removes the server at an address, if there is one. Its open connections are
// reset.
func (n *Network) Remove(addr netip.AddrPort) {
	n.mu.Lock()
	before := n.servers[unmap(addr)]
	delete(n.servers, unmap(addr))
	n.mu.Unlock()
	if before != nil {
		before.end()
	}
}

// Set makes a server behave in a way from now on, whatever its script says. The error is
// an [*InvalidError] if the server or the behaviour does not exist.
func (n *Network) Set(addr netip.AddrPort, b Behaviour) error {
	if err := b.validate("Behaviour"); err != nil {
		return err
	}
	h := n.at(addr)
	if h == nil {
		return invalid("addr", "no server is at %s", addr)
	}
	h.follow(Script{{At: n.now(), Does: b}})
	return nil
}

// Behaviour returns what the server at an address does now: [BlackHole] if there is
// none, and for [Flap] what it does at this moment.
func (n *Network) Behaviour(addr netip.AddrPort) Behaviour {
	if h := n.at(addr); h != nil {
		return h.now()
	}
	return BlackHole()
}

// Dialled returns how often a TCP connection to the server at an address was attempted,
// directly or through IPVS, and how many of them clients have not closed yet.
func (n *Network) Dialled(addr netip.AddrPort) (attempts, open int) {
	if h := n.at(addr); h != nil {
		return h.counts()
	}
	return 0, 0
}

// DialContext connects to the server at an address. As that of [net.Dialer], it returns
// when the context ends, with a [*net.OpError].
func (n *Network) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return dial{network: network, way: direct{n}}.connect(ctx, n, address)
}

func (n *Network) now() time.Duration { return time.Since(n.start) }

// at returns the server at an address, or nil.
func (n *Network) at(addr netip.AddrPort) *host {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.servers[unmap(addr)]
}

// on returns the servers of a host, whatever their ports.
func (n *Network) on(a netip.Addr) (all []*host) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for addr, h := range n.servers {
		if addr.Addr() == a.Unmap() {
			all = append(all, h)
		}
	}
	return all
}

// nextPort returns a port for a connection to come from.
func (n *Network) nextPort() uint16 {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.port++; n.port < firstPort {
		n.port = firstPort
	}
	return n.port
}

func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

func sourceFor(a netip.Addr) netip.Addr {
	if a.Unmap().Is4() {
		return source4
	}
	return source6
}

// dial is an attempt to connect.
type dial struct {
	network string
	way     way
	local   net.Addr
	remote  net.Addr
}

// way is how a connection reaches a server.
type way interface {
	// source returns where connections to an address come from.
	source(to netip.AddrPort) netip.AddrPort
	// open sends the first packet, and returns where it arrives: nil if it gets lost. The
	// error is what the client gets.
	open(protocol lvs.Protocol, from, to netip.AddrPort, size int) (*arrival, error)
}

// arrival is a connection that arrives at a server.
type arrival struct {
	host    *host
	sees    func(Behaviour) kind // what those notice who come this way
	request transit              // of what the client sends; nil if all of it arrives
	answer  transit              // of what the server sends, likewise
}

func (d dial) connect(ctx context.Context, n *Network, address string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, d.fail(err)
	}
	switch base, _, _ := strings.Cut(d.network, ":"); base {
	case "tcp", "tcp4", "tcp6":
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return nil, d.fail(&net.AddrError{Err: "not an address with a port", Addr: address})
		}
		from := d.way.source(to)
		d.local, d.remote = net.TCPAddrFromAddrPort(from), net.TCPAddrFromAddrPort(to)
		return d.tcp(ctx, from, to)
	case "udp", "udp4", "udp6":
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return nil, d.fail(&net.AddrError{Err: "not an address with a port", Addr: address})
		}
		from := d.way.source(to)
		d.local, d.remote = net.UDPAddrFromAddrPort(from), net.UDPAddrFromAddrPort(to)
		return d.udp(from, to), nil
	case "ip4", "ip6":
		to, err := netip.ParseAddr(address)
		if err != nil {
			return nil, d.fail(&net.AddrError{Err: "not an address", Addr: address})
		}
		return d.icmp(n, to)
	}
	return nil, d.fail(net.UnknownNetworkError(d.network))
}

func (d dial) fail(err error) error {
	return &net.OpError{Op: "dial", Net: d.network, Source: d.local, Addr: d.remote, Err: err}
}

func (d dial) tcp(ctx context.Context, from, to netip.AddrPort) (net.Conn, error) {
	a, err := d.way.open(lvs.ProtocolTCP, from, to, 0)
	if err == nil && a != nil {
		var c net.Conn
		if c, err = a.host.accept(a, d.local, d.remote); c != nil {
			return c, nil
		}
	}
	if err != nil {
		return nil, d.fail(err)
	}
	<-ctx.Done()
	return nil, d.fail(ctx.Err())
}

var errRefused = os.NewSyscallError("connect", syscall.ECONNREFUSED)

// direct is the way to the server's own address.
type direct struct{ *Network }

func (w direct) source(to netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(sourceFor(to.Addr()), w.nextPort())
}

func (w direct) open(_ lvs.Protocol, _, to netip.AddrPort, _ int) (*arrival, error) {
	return w.reach(to, seenDirectly)
}

// reach returns the server at which packets for an address arrive.
func (n *Network) reach(to netip.AddrPort, sees func(Behaviour) kind) (*arrival, error) {
	if h := n.at(to); h != nil {
		return &arrival{host: h, sees: sees}, nil
	}
	for _, h := range n.on(to.Addr()) {
		if sees(h.now()) != blackHole {
			return nil, errRefused
		}
	}
	return nil, nil
}

func (d dial) udp(from, to netip.AddrPort) net.Conn {
	return newDatagrams(d.network, d.local, d.remote, func(c *datagrams, p []byte) {
		a, err := d.way.open(lvs.ProtocolUDP, from, to, len(p))
		switch {
		case err != nil:
			c.refuse()
		case a != nil:
			a.host.receive(a, c, p)
		}
	})
}

func (d dial) icmp(n *Network, to netip.Addr) (net.Conn, error) {
	if _, ok := d.way.(direct); !ok {
		return nil, d.fail(invalid("network", "IPVS carries no %s", d.network))
	}
	if want := "ip4:" + icmp4; to.Is4() && d.network != want && d.network != "ip4:"+strconv.Itoa(1) ||
		to.Is6() && d.network != "ip6:"+icmp6 && d.network != "ip6:"+strconv.Itoa(58) {
		return nil, d.fail(net.UnknownNetworkError(d.network))
	}
	local, remote := &net.IPAddr{IP: sourceFor(to).AsSlice()}, &net.IPAddr{IP: to.AsSlice()}
	return newDatagrams(d.network, local, remote, func(c *datagrams, p []byte) { n.echo(c, to, p) }), nil
}
