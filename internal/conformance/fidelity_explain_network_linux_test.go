package conformance

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/golvs/lvs/internal/testbed"
)

// trialLink is an end of a link: packets that are sent go to the director, and those
// that it sends are seen.
type trialLink struct {
	socket   int
	own, far netlink.Link
	buf      []byte
}

// send sends a packet to the director, or from it, and sees what happens to it.
func (h *trial) send(p packet) seenFate {
	h.drain()
	h.sent++
	b := p.encode(h.sent)
	if p.from.Addr().String() == trialLocal {
		h.sendOwn(p, b)
	} else {
		h.inject(&h.fromClients, b)
	}
	var got seenFate
	for range 4 {
		h.look(p, &got)
		if got != (seenFate{}) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	return got
}

func (h *trial) sendOwn(p packet, b []byte) {
	kind := sender{unix.AF_INET, p.mark}
	fd, ok := h.own[kind]
	if !ok {
		must(h.T, h.director.Do(func() (err error) {
			if fd, err = unix.Socket(kind.family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW); err != nil {
				return err
			}
			return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, int(kind.mark))
		}))
		h.own[kind] = fd
	}
	_ = unix.Sendto(fd, b, 0, &unix.SockaddrInet4{Addr: p.to.Addr().As4()}) // an error is the answer of IPVS
}

// inject puts a packet on a wire, as a host at its other end would.
func (h *trial) inject(w *trialLink, b []byte) {
	binary.BigEndian.PutUint16(b[10:], 0)
	binary.BigEndian.PutUint16(b[4:], uint16(h.sent))
	binary.BigEndian.PutUint16(b[10:], testbed.Checksum(b[:20]))
	to := &unix.SockaddrLinklayer{Protocol: unix.ETH_P_IP >> 8, Ifindex: w.far.Attrs().Index, Halen: 6}
	copy(to.Addr[:], w.own.Attrs().HardwareAddr)
	if err := unix.Sendto(w.socket, b, 0, to); err != nil && !errors.Is(err, unix.ENETDOWN) {
		h.Fatal(os.NewSyscallError("sendto", err))
	}
}

func (h *trial) drain() {
	for _, w := range []*trialLink{&h.fromClients, &h.fromServers} {
		for w.next() != nil {
		}
	}
}

// next returns the next packet that the director sent, or nil if there is none.
func (w *trialLink) next() []byte {
	for {
		n, from, err := unix.Recvfrom(w.socket, w.buf, unix.MSG_DONTWAIT)
		if errors.Is(err, unix.ENETDOWN) {
			continue
		}
		if err != nil {
			return nil
		}
		if ll, ok := from.(*unix.SockaddrLinklayer); ok && ll.Pkttype != unix.PACKET_OUTGOING && w.buf[0]>>4 == 4 && n > 20 {
			return w.buf[:n]
		}
	}
}

// look sees what came of a packet.
func (h *trial) look(p packet, got *seenFate) {
	for b := h.fromServers.next(); b != nil; b = h.fromServers.next() {
		if tag, fate := seen(b); tag == h.sent {
			got.servers = fate
		}
	}
	for b := h.fromClients.next(); b != nil; b = h.fromClients.next() {
		header := int(b[0]&0xf) * 4
		to := netip.AddrFrom4([4]byte(b[16:]))
		switch {
		case to != p.from.Addr() || len(b) < header+14:
		case b[9] == unix.IPPROTO_ICMP:
			got.client = fmt.Sprintf("icmp %d.%d", b[header], b[header+1])
		case b[9] == protocolTCP && binary.BigEndian.Uint16(b[header+2:]) == p.from.Port():
			got.client = map[bool]string{true: "reset", false: "accepted"}[b[header+13]&flagRST != 0]
		}
	}
}

func trialHandle(t *testing.T, ns *testbed.Namespace) *netlink.Handle {
	h, err := netlink.NewHandleAt(netns.NsHandle(ns.File.Fd()), unix.NETLINK_ROUTE)
	must(t, err)
	t.Cleanup(h.Close)
	return h
}

// link makes an interface of the director, whose other end is in a namespace.
func (h *trial) link(name string, ns *testbed.Namespace, addrs ...string) (w trialLink) {
	other := trialHandle(h.T, ns)
	must(h.T, h.links.LinkAdd(&netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: name}, PeerName: "e0", PeerNamespace: netlink.NsFd(ns.File.Fd()),
	}))
	own, err := h.links.LinkByName(name)
	must(h.T, err)
	far, err := other.LinkByName("e0")
	must(h.T, err)
	for _, a := range addrs {
		addr, err := netlink.ParseAddr(a)
		must(h.T, err)
		must(h.T, h.links.AddrAdd(own, addr))
	}
	must(h.T, other.LinkSetUp(far))
	must(h.T, h.links.LinkSetUp(own))
	w = trialLink{own: own, far: far, buf: make([]byte, 1<<16)}
	must(h.T, ns.Do(func() (err error) {
		const all = unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8
		if w.socket, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, all); err != nil {
			return err
		}
		_ = unix.SetsockoptInt(w.socket, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1)
		return unix.Bind(w.socket, &unix.SockaddrLinklayer{Protocol: all, Ifindex: far.Attrs().Index})
	}))
	h.Cleanup(func() { _ = unix.Close(w.socket) })
	return w
}

// neighbours gives the director the link addresses on its links, since no host answers.
func (h *trial) neighbours() {
	set := func(w *trialLink, addrs ...string) {
		for _, a := range addrs {
			must(h.T, h.links.NeighSet(&netlink.Neigh{
				LinkIndex: w.own.Attrs().Index, State: netlink.NUD_PERMANENT, IP: ipOf(a), HardwareAddr: w.far.Attrs().HardwareAddr,
			}))
		}
	}
	set(&h.fromClients, "10.8.0.2")
	set(&h.fromServers, "10.2.0.1", "10.2.0.2", "10.2.0.3", "10.2.0.4", "10.2.0.250")
}
