package conformance

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/golvs/lvs/internal/testbed"
)

// wiredSide is a director with two wires in the kernel that the tests run in.
type wiredSide struct {
	*kernelSide
	t     testing.TB
	wires map[string]*testbed.Wire // by toClients and toServers
	stack *testbed.Stack
}

func openWiredKernel(t testing.TB) side {
	t.Helper()
	director, outside := testbed.New(t), testbed.New(t)
	director.Set(
		"net/ipv4/ip_forward = 1", "net/ipv6/conf/all/forwarding = 1",
		"net/ipv4/conf/all/rp_filter = 0", "net/ipv4/conf/default/rp_filter = 0",
		"net/ipv4/conf/all/send_redirects = 0", "net/ipv4/conf/default/send_redirects = 0",
		// Each frame has its answer, and each answer one way.
		"net/ipv4/icmp_ratelimit = 0", "net/ipv6/icmp/ratelimit = 0",
		"net/ipv4/icmp_echo_ignore_all = 1", "net/ipv6/icmp/echo_ignore_all = 1",
		"net/ipv4/ip_no_pmtu_disc = 0",
		// As if network cards had verified checksums: where netfilter has verified those of
		// IPv6, the helper for FTP of Linux 6.1 takes them for wrong.
		"net/netfilter/nf_conntrack_checksum = 0",
	)
	s := &wiredSide{kernelSide: newKernelSide(t, groundOf(t, director)), t: t, wires: make(map[string]*testbed.Wire)}
	for _, by := range []string{toClients, toServers} {
		s.wires[by] = director.Wire(outside, wireNames[by], wireMTUs[by], wireAddresses[by]...)
	}
	s.stack = director.Stack()
	s.stack.Silence(80, 53, 8080, 8081) // of real servers, which NAT can make it
	s.addRoutes(director)
	for i := 2; i < 64; i++ {
		s.wires[toServers].Neighbour(netip.AddrFrom4([4]byte{10, 2, 0, byte(i)}))
		s.wires[toServers].Neighbour(netip.MustParseAddr(fmt.Sprintf("fd00:2::%x", i)))
	}
	s.wires[toServers].Neighbour(barrierEnd)
	return s
}

func (s *wiredSide) addRoutes(director *testbed.Namespace) {
	s.t.Helper()
	h, err := netlink.NewHandleAt(netns.NsHandle(director.File.Fd()), unix.NETLINK_ROUTE)
	must(s.t, err)
	defer h.Close()
	add := func(to, device string, r netlink.Route) {
		link, err := h.LinkByName(device)
		must(s.t, err)
		_, r.Dst, err = net.ParseCIDR(to)
		must(s.t, err)
		r.LinkIndex = link.Attrs().Index
		must(s.t, h.RouteAdd(&r))
	}
	for by, routers := range map[string]map[string]string{toClients: clientRouters, toServers: serverRouters} {
		for to, via := range routers {
			s.wires[by].Neighbour(netip.MustParseAddr(via))
			add(to, wireNames[by], netlink.Route{Gw: net.ParseIP(via)})
		}
	}
	for _, to := range vipRoutes {
		add(to, "lo", netlink.Route{Table: unix.RT_TABLE_LOCAL, Type: unix.RTN_LOCAL, Scope: netlink.SCOPE_HOST})
	}
}

// The barrier is a packet that the director just forwards, of a protocol that IPVS does
// not look at. What came before it has left when it leaves: each of the kernel's queues
// keeps the order.
var (
	barrierEnd    = netip.MustParseAddr("10.2.255.253")
	barrierPacket = (&ipPacket{
		load: otherLoad{253}, from: netip.MustParseAddrPort("10.9.255.253:0"), to: netip.AddrPortFrom(barrierEnd, 0), ttl: usualTTL,
	}).encode()
)

var errBarrier = errors.New("the director did not forward the packet by which it is known that it has done all else")

func (s *wiredSide) Inject(frames []frame) (all [][]exit) {
	runtime.LockOSThread() // and so one processor and its queue
	defer runtime.UnlockOSThread()
	for _, f := range frames {
		s.prepare(f.packet)
		exits, err := s.inject(f)
		if err != nil {
			s.t.Fatalf("%s: %v", f, err)
		}
		all = append(all, exits)
	}
	return all
}

// prepare makes the ends of a packet known on the wires, and keeps programs of the
// director from replying to it.
func (s *wiredSide) prepare(p *ipPacket) {
	for _, end := range []netip.AddrPort{p.from, p.to} {
		for by, addresses := range wireAddresses {
			for _, own := range addresses {
				if prefix := netip.MustParsePrefix(own); !prefix.IsSingleIP() && prefix.Contains(end.Addr()) && prefix.Addr() != end.Addr() {
					s.wires[by].Neighbour(end.Addr())
				}
			}
		}
	}
	s.stack.Silence(p.to.Port())
}

func (s *wiredSide) inject(f frame) (all []exit, err error) {
	if err := errors.Join(s.emit(f), s.wires[toClients].Send(barrierPacket, 0)); err != nil {
		return nil, err
	}
	for end := time.Now().Add(time.Minute); ; {
		packet, hop, ok := s.wires[toServers].Receive()
		switch {
		case ok && hop == barrierEnd && bytes.Equal(packet[12:], barrierPacket[12:]):
			return slices.DeleteFunc(append(all, s.rest()...), isResetOfPort0), nil
		case ok:
			all = append(all, exit{by: toServers, hop: hop, packet: packet})
		case !s.wires[toServers].Await(time.Until(end)):
			return all, errBarrier
		}
	}
}

// emit lets a frame come in, or a program of the director send it.
func (s *wiredSide) emit(f frame) error {
	switch f.wire {
	case fromServer:
		return s.wires[toServers].Send(f.packet.encode(), f.packet.mark)
	case fromDirector:
		return s.sendOwn(f.packet)
	}
	return s.wires[toClients].Send(f.packet.encode(), f.packet.mark)
}

// rest returns what came to other places than the servers.
func (s *wiredSide) rest() (all []exit) {
	for {
		packet, hop, ok := s.wires[toClients].Receive()
		if !ok {
			break
		}
		all = append(all, exit{by: toClients, hop: hop, packet: packet})
	}
	for _, packet := range s.stack.Receive() {
		all = append(all, exit{by: toStack, packet: packet})
	}
	return all
}

// isResetOfPort0 reports whether a packet is the reset with which the director's own stack
// replies to what comes to port 0, which no socket can silence. It has no window.
func isResetOfPort0(x exit) bool {
	p, ok := readIPPacket(x.packet)
	if !ok {
		return false
	}
	l, ok := p.load.(tcpLoad)
	return ok && l.flags&flagRST != 0 && l.window == 0 && p.from.Port() == 0
}
