package testbed

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"
	"unsafe"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Wire is a cable to a network interface of a namespace. The test holds its other end:
// it lets frames come in, and sees those that leave. No host is there, and nothing sends
// frames of its own.
type Wire struct {
	ns     *Namespace
	links  *netlink.Handle // of the namespace
	index  int             // of the interface
	mac    MAC             // likewise
	outer  int             // index of the other end
	socket int             // there
	buf    []byte
	hops   map[MAC]netip.Addr // neighbours
	marks  map[uint32]bool    // that packets can come in with
}

// MAC is an address of a frame.
type MAC [6]byte

// wireMTU is that of the outer ends, so that frames of any length can be sent.
const wireMTU = 65535

// firstOuter is the index from which the outer ends have theirs. Where both ends of a cable
// have one number, Linux 6.1 takes it for a network card, whose carrier it notices once a
// second.
const firstOuter = 1000

// Wire gives the namespace an interface, which is up, with addresses. The other end is in
// another namespace.
func (ns *Namespace) Wire(outside *Namespace, name string, mtu int, addrs ...string) *Wire {
	ns.t.Helper()
	w := &Wire{ns: ns, buf: make([]byte, wireMTU+64), hops: make(map[MAC]netip.Addr), marks: make(map[uint32]bool)}
	outside.Set("net/ipv6/conf/default/disable_ipv6 = 1")
	const none = 1
	ns.Set(fmt.Sprintf("net/ipv6/conf/default/addr_gen_mode = %d", none)) // or it looks for routers
	outside.links(func(h *netlink.Handle) error {
		others, err := h.LinkList()
		if err != nil {
			return err
		}
		cable := &netlink.Veth{
			LinkAttrs: netlink.LinkAttrs{Name: name, MTU: wireMTU, Index: firstOuter + len(others)},
			PeerName:  name, PeerNamespace: netlink.NsFd(ns.File.Fd()),
		}
		if err := h.LinkAdd(cable); err != nil {
			return err
		}
		link, err := h.LinkByName(name)
		if err != nil {
			return err
		}
		w.outer = link.Attrs().Index
		return h.LinkSetUp(link)
	})
	ns.check(w.openInside(name, mtu, addrs))
	ns.check(ns.Do(func() error { return checksumsInSoftware(name) }))
	ns.check(outside.Do(w.openOutside))
	ns.t.Cleanup(func() {
		w.links.Close()
		_ = unix.Close(w.socket)
	})
	return w
}

func (w *Wire) openInside(name string, mtu int, addrs []string) (err error) {
	if w.links, err = netlink.NewHandleAt(netns.NsHandle(w.ns.File.Fd()), unix.NETLINK_ROUTE); err != nil {
		return err
	}
	link, err := w.links.LinkByName(name)
	if err != nil {
		return err
	}
	w.index, w.mac = link.Attrs().Index, MAC(link.Attrs().HardwareAddr)
	if err := errors.Join(w.links.LinkSetMTU(link, mtu), w.links.LinkSetARPOff(link)); err != nil {
		return err
	}
	if err := raise(w.links, name, nil); err != nil {
		return err
	}
	if err := awaitCarrier(w.links, name); err != nil {
		return err
	}
	if err := raise(w.links, name, addrs); err != nil { // before, IPv6 may never use some
		return err
	}
	return w.awaitAddresses(addrs)
}

// awaitAddresses waits until packets to the addresses are for the namespace itself, which
// those of IPv6 are a moment after they are added.
func (w *Wire) awaitAddresses(addrs []string) error {
	end := time.Now().Add(patience)
	for _, a := range addrs {
		ip := netip.MustParsePrefix(a).Addr().AsSlice()
		for {
			routes, err := w.links.RouteGet(ip)
			if err == nil && len(routes) > 0 && routes[0].Type == unix.RTN_LOCAL {
				break
			}
			if time.Now().After(end) {
				return fmt.Errorf("%s is not used: %v, %w", a, routes, err)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	return nil
}

// checksumsInSoftware makes an interface send packets with their checksums: frames on a
// cable that no hardware sees would go without.
func checksumsInSoftware(name string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	const setTXChecksums = 0x17
	off := struct{ command, value uint32 }{command: setTXChecksums}
	request := struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}{data: unsafe.Pointer(&off)}
	copy(request.name[:], name)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request))); errno != 0 {
		return os.NewSyscallError("SIOCETHTOOL", errno)
	}
	return nil
}

func (w *Wire) openOutside() (err error) {
	const all, room = unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8, 1 << 22
	if w.socket, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0); err != nil {
		return err
	}
	if err := unix.SetsockoptInt(w.socket, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, room); err != nil {
		return err
	}
	if err := unix.SetsockoptInt(w.socket, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1); err != nil {
		return err
	}
	return unix.Bind(w.socket, &unix.SockaddrLinklayer{Protocol: all, Ifindex: w.outer})
}

// Neighbour makes an address known at the other end of the wire. Frames for it have a MAC
// address of their own. Nothing looks for other neighbours: frames for them have the MAC
// address of the interface, and are for the destination of their packet.
func (w *Wire) Neighbour(a netip.Addr) {
	w.ns.t.Helper()
	mac := MAC{2, 4}
	if b := a.AsSlice(); a.Is6() {
		mac[1] = 6
		copy(mac[2:], b[12:])
	} else {
		copy(mac[2:], b)
	}
	if known, ok := w.hops[mac]; ok {
		if known != a {
			w.ns.t.Fatalf("%s and %s have the same MAC address", known, a)
		}
		return
	}
	w.hops[mac] = a
	w.ns.check(w.links.NeighSet(&netlink.Neigh{
		LinkIndex: w.index, State: netlink.NUD_PERMANENT, IP: a.AsSlice(), HardwareAddr: mac[:],
	}))
}

// Send lets an IP packet come in, with a mark of the firewall; 0 is none.
func (w *Wire) Send(packet []byte, mark uint32) error {
	source, err := w.source(mark)
	if err != nil {
		return err
	}
	frame := append(w.buf[:0], w.mac[:]...)
	frame = append(frame, source[:]...)
	ether := uint16(unix.ETH_P_IP)
	if packet[0]>>4 == 6 {
		ether = unix.ETH_P_IPV6
	}
	frame = append(binary.BigEndian.AppendUint16(frame, ether), packet...)
	return unix.Sendto(w.socket, frame, 0, &unix.SockaddrLinklayer{Ifindex: w.outer})
}

// Receive returns an IP packet that left, and the neighbour that its frame is for; ok is
// false if nothing more has left. Address resolution, which is for all neighbours or for
// groups of them, is passed over.
func (w *Wire) Receive() (packet []byte, hop netip.Addr, ok bool) {
	const header = 14
	for {
		n, _, err := unix.Recvfrom(w.socket, w.buf, 0)
		if err != nil {
			return nil, hop, false
		}
		frame := w.buf[:n]
		switch ether := binary.BigEndian.Uint16(frame[12:]); {
		case ether == unix.ETH_P_IP, ether == unix.ETH_P_IPV6 && !resolves(frame[header:]):
			packet = append(packet, frame[header:]...)
			return packet, w.hop(MAC(frame), packet), true
		}
	}
}

// hop returns the neighbour with a MAC address.
func (w *Wire) hop(mac MAC, packet []byte) netip.Addr {
	switch a, known := w.hops[mac]; {
	case known:
		return a
	case packet[0]>>4 == 6:
		return netip.AddrFrom16([16]byte(packet[24:]))
	}
	return netip.AddrFrom4([4]byte(packet[16:]))
}

// resolves reports whether an IPv6 packet looks for neighbours, for routers or for members
// of groups.
func resolves(p []byte) bool {
	const header, multicast = 40, 0xff
	if len(p) <= header || p[24] != multicast {
		return false
	}
	next, body := p[6], p[header:]
	if next == unix.IPPROTO_HOPOPTS && len(body) > 8 {
		next, body = body[0], body[8:]
	}
	return next == unix.IPPROTO_ICMPV6 && body[0] >= 130
}

// Await waits until something has left, and reports whether it has.
func (w *Wire) Await(limit time.Duration) bool {
	for end := time.Now().Add(limit); ; {
		left := max(0, time.Until(end))
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(w.socket), Events: unix.POLLIN}}, int(left.Milliseconds()))
		if err == nil || left == 0 {
			return n > 0
		}
	}
}
