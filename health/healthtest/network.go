package healthtest

import (
	"context"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/golvs/lvs"
)

// Network is a network of simulated servers. It implements health.Network. Any number of
// goroutines may use it.
//
// An address without a server does not exist: packets to it get lost. At the address of a
// server, other ports refuse connections.
type Network struct {
	start   time.Time
	serving sync.WaitGroup // what runs for servers

	mu      sync.Mutex
	servers map[netip.AddrPort]*host
	port    uint16 // that the last connection came from
}

// New returns a network without servers. The scripts of its servers begin now. A network
// that is made inside [testing/synctest] is used and closed there.
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
	h := newHost(n, s)
	n.mu.Lock()
	before := n.servers[unmap(addr)]
	n.servers[unmap(addr)] = h
	n.mu.Unlock()
	if before != nil {
		before.end()
	}
	return nil
}

// Close removes all servers and resets their open connections. It returns when the last
// of their handlers and functions has returned.
func (n *Network) Close() {
	n.mu.Lock()
	servers := n.servers
	n.servers = make(map[netip.AddrPort]*host)
	n.mu.Unlock()
	for _, h := range servers {
		h.end()
	}
	n.serving.Wait()
}

// Remove removes the server at an address, if there is one, and resets its open
// connections.
func (n *Network) Remove(addr netip.AddrPort) {
	n.mu.Lock()
	before := n.servers[unmap(addr)]
	delete(n.servers, unmap(addr))
	n.mu.Unlock()
	if before != nil {
		before.end()
	}
}

// Set gives a server a behaviour from now on, in place of its script. The error is an
// [*InvalidError].
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

// Behaviour returns what the server at an address does at this moment: for [Flap] either
// [Refuse] or [Answer], and [BlackHole] if no server is there.
func (n *Network) Behaviour(addr netip.AddrPort) Behaviour {
	if h := n.at(addr); h != nil {
		return h.now()
	}
	return BlackHole()
}

// Dialled returns how many TCP connections to the server at an address were attempted,
// directly or through IPVS, and how many of them are open: clients have not closed them.
func (n *Network) Dialled(addr netip.AddrPort) (attempts, open int) {
	if h := n.at(addr); h != nil {
		return h.counts()
	}
	return 0, 0
}

// DialContext connects to the server at an address. It knows the networks "tcp", "udp",
// "ip4:icmp" and "ip6:ipv6-icmp", and no names of hosts. Like [net.Dialer], it returns a
// [*net.OpError] when the context ends or a TCP connection gets no answer for 127 seconds.
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
	sees    func(Behaviour) kind // what clients notice that come this way
	request transit              // of what the client sends; nil if all of it arrives
	answer  transit              // of what the server sends; nil if all of it arrives
}

func (d dial) connect(ctx context.Context, n *Network, address string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, d.fail(err)
	}
	switch d.network {
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
	case "ip4:" + icmp4, "ip4:1", "ip6:" + icmp6, "ip6:58":
		to, err := netip.ParseAddr(address)
		if err != nil || to.Is4() != strings.HasPrefix(d.network, "ip4") {
			return nil, d.fail(&net.AddrError{Err: "not an address of the family", Addr: address})
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
	timeout := time.NewTimer(connectTimeout)
	defer timeout.Stop()
	select {
	case <-ctx.Done():
		return nil, d.fail(ctx.Err())
	case <-timeout.C:
		return nil, d.fail(os.NewSyscallError("connect", syscall.ETIMEDOUT))
	}
}

// connectTimeout is how long Linux waits for an answer when it connects.
const connectTimeout = 127 * time.Second

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
	local, remote := &net.IPAddr{IP: sourceFor(to).AsSlice()}, &net.IPAddr{IP: to.AsSlice()}
	return newDatagrams(d.network, local, remote, func(c *datagrams, p []byte) { n.echo(c, to, p) }), nil
}
