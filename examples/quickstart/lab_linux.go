package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"

	"github.com/golvs/lvs/internal/netspace"
	"github.com/vishvananda/netlink"
)

// lab is a network of four network namespaces:
//
//	          192.168.0.0/24                    10.168.0.0/24
//	client ─────────────────── director ───┬─── rs1  10.168.0.94
//	  │  .101 to .120   .11       .90      ├─── rs2  10.168.0.95
//	  └────────────────────────────────────┘    both: VIP 10.168.0.91 on lo
//	  10.168.0.10                VIP .91
//
// 10.168.0.0/24 is a bridge in the director's namespace.
type lab struct {
	client, director, rs1, rs2 *namespace
	web                        []*http.Server
	port                       uint16 // from which a client connected last
}

// newLab makes the network and starts a web server on each real server.
func newLab() (*lab, error) {
	l := &lab{}
	for _, ns := range []**namespace{&l.client, &l.director, &l.rs1, &l.rs2} {
		var err error
		if *ns, err = newNamespace(); err != nil {
			l.close()
			return nil, err
		}
	}
	for _, part := range []func() error{l.setUpDirector, l.setUpServers, l.setUpClient} {
		if err := part(); err != nil {
			l.close()
			return nil, err
		}
	}
	return l, nil
}

// setUpDirector makes all links, for every one of them has an end here.
func (l *lab) setUpDirector() error {
	err := l.director.do(
		// NAT: the servers' answers are forwarded to the clients.
		sysctl("ip_forward", "1"),
		// Servers should not learn of shorter ways than through the director.
		// Interfaces inherit default when they are made: it comes first.
		sysctl("conf/all/send_redirects", "0"),
		sysctl("conf/default/send_redirects", "0"),

		up("lo"), // or IPVS takes no real server
		bridge("inner"),
		cable("client", l.client, "inner"), plug("client", "inner"),
		cable("rs1", l.rs1, "eth0"), plug("rs1", "inner"),
		cable("rs2", l.rs2, "eth0"), plug("rs2", "inner"),
		address("inner", "10.168.0.90/24"), address("inner", "10.168.0.91/32"), // VIP of the DR service
		up("inner"),
		cable("outer", l.client, "outer"),
		address("outer", "192.168.0.11/24"), // VIP of the NAT service
		up("outer"),
	)
	return wrap("director", err)
}

func (l *lab) setUpServers() error {
	err := l.rs1.do(realServer("10.168.0.94/24")...)
	if err == nil {
		err = l.rs2.do(realServer("10.168.0.95/24")...)
	}
	if err == nil {
		err = l.serve(l.rs1, rs1.Addr().String())
	}
	if err == nil {
		err = l.serve(l.rs2, rs2.Addr().String())
	}
	return wrap("real server", err)
}

// realServer sets up a namespace for both modes.
func realServer(addr string) []step {
	return []step{
		// DR: a server has the VIP, to take packets for it, but must not tell
		// anybody. Else clients would find the server in place of the director.
		sysctl("conf/all/arp_ignore", "1"), // answer only for addresses of the interface that was asked
		sysctl("conf/lo/arp_ignore", "1"),
		sysctl("conf/all/arp_announce", "2"), // ask with an address of one's own, not with the VIP
		sysctl("conf/lo/arp_announce", "2"),
		address("lo", "10.168.0.91/32"),
		up("lo"),
		address("eth0", addr),
		up("eth0"),
		// NAT: answers must come back through the director.
		route("192.168.0.0/24", "10.168.0.90"),
	}
}

func (l *lab) setUpClient() error {
	steps := []step{
		address("inner", "10.168.0.10/24"),
		up("inner"),
		up("outer"),
	}
	for _, addr := range append(firstClients, newClients...) {
		steps = append(steps, address("outer", addr.String()+"/24"))
	}
	return wrap("client", l.client.do(steps...))
}

// serve starts a web server that answers every request with its name.
func (l *lab) serve(ns *namespace, name string) error {
	var listener net.Listener
	err := ns.do(func() (err error) {
		listener, err = net.Listen("tcp4", ":80")
		return err
	})
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, name) }),
		ReadHeaderTimeout: requestTimeout,
	}
	l.web = append(l.web, server)
	go server.Serve(listener) // until close
	return nil
}

// dial connects from the client's namespace, from a port that was not used before.
// The system's choice may be one that was: the director would take the request for
// a part of the earlier connection, and the shares would not be exact. The zero
// address leaves the choice of the address to the system.
func (l *lab) dial(ctx context.Context, from netip.Addr, to netip.AddrPort) (conn net.Conn, err error) {
	l.port = max(l.port+1, 1024)
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: from.AsSlice(), Port: int(l.port)}}
	// For a literal address the dialer makes its socket on this very thread,
	// and a socket stays in the namespace in which it was made.
	err = l.client.do(func() error {
		conn, err = dialer.DialContext(ctx, "tcp4", to.String())
		return err
	})
	return conn, err
}

// directorFD is the descriptor of the director's namespace.
func (l *lab) directorFD() uintptr { return l.director.File.Fd() }

// close gives the namespaces up, and the kernel takes down what is in them.
func (l *lab) close() {
	for _, server := range l.web {
		server.Close()
	}
	for _, ns := range []*namespace{l.client, l.director, l.rs1, l.rs2} {
		if ns != nil {
			ns.Close()
		}
	}
}

// namespace is a network namespace that is set up step by step.
type namespace struct{ *netspace.Namespace }

func newNamespace() (*namespace, error) {
	ns, err := netspace.New()
	return &namespace{ns}, err
}

// do runs steps inside the namespace until one fails.
func (ns *namespace) do(steps ...step) error {
	return ns.Do(func() error {
		for _, s := range steps {
			if err := s(); err != nil {
				return err
			}
		}
		return nil
	})
}

// step is something that is set up in the namespace of the calling thread.
type step func() error

func sysctl(name, value string) step {
	return func() error { return os.WriteFile("/proc/sys/net/ipv4/"+name, []byte(value), 0) }
}

func bridge(name string) step {
	return func() error {
		return wrap("bridge "+name, netlink.LinkAdd(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: name}}))
	}
}

// cable makes a pair of interfaces, one here and one in another namespace. The
// one here is up.
func cable(here string, to *namespace, there string) step {
	return func() error {
		err := netlink.LinkAdd(&netlink.Veth{
			LinkAttrs:     netlink.LinkAttrs{Name: here, Flags: net.FlagUp},
			PeerName:      there,
			PeerNamespace: netlink.NsFd(to.File.Fd()),
		})
		return wrap("cable "+here, err)
	}
}

// plug makes an interface a port of a bridge.
func plug(port, bridge string) step {
	return onLink(port, func(link netlink.Link) error {
		b, err := netlink.LinkByName(bridge)
		if err != nil {
			return err
		}
		return netlink.LinkSetMaster(link, b)
	})
}

func up(name string) step { return onLink(name, netlink.LinkSetUp) }

func address(name, prefix string) step {
	return onLink(name, func(link netlink.Link) error {
		addr, err := netlink.ParseAddr(prefix)
		if err != nil {
			return err
		}
		return netlink.AddrAdd(link, addr)
	})
}

func route(to, via string) step {
	return func() error {
		dst, err := netlink.ParseIPNet(to)
		if err != nil {
			return err
		}
		return wrap("route to "+to, netlink.RouteAdd(&netlink.Route{Dst: dst, Gw: net.ParseIP(via)}))
	}
}

func onLink(name string, fn func(netlink.Link) error) step {
	return func() error {
		link, err := netlink.LinkByName(name)
		if err == nil {
			err = fn(link)
		}
		return wrap("interface "+name, err)
	}
}

// wrap says what failed, if it did.
func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
