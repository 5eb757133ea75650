package lab

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Capture records what the director sends to the real servers, as it is on the
// wire.
type Capture struct {
	fd      int
	from    map[netip.Addr]bool // the director
	servers map[netip.Addr]bool
}

// Capture starts to record.
func (l *Lab) Capture() (c *Capture, err error) {
	c = &Capture{from: make(map[netip.Addr]bool), servers: make(map[netip.Addr]bool)}
	c.note(c.from, l.plan.dir)
	c.from[l.VIP().Addr()] = true
	for _, m := range l.plan.servers {
		c.note(c.servers, m)
	}
	err = l.wires.Do(func() error {
		link, err := l.wires.Links.LinkByName(wireName(l.plan.dir.name, 0))
		if err != nil {
			return err
		}
		all := binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, unix.ETH_P_ALL))
		if c.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, int(all)); err != nil {
			return err
		}
		if err := unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20); err != nil {
			return err
		}
		return unix.Bind(c.fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: link.Attrs().Index})
	})
	if err != nil {
		return nil, fmt.Errorf("capturing: %w", err)
	}
	return c, nil
}

func (c *Capture) note(addrs map[netip.Addr]bool, m machine) {
	for _, p := range m.ports {
		for _, host := range p.hosts {
			addrs[p.net.addr(false, host)], addrs[p.net.addr(true, host)] = true, true
		}
	}
}

// Stop ends it, and returns how many packets there were of each protocol inside
// of IP: 50 is ESP. Stopping again returns none.
func (c *Capture) Stop() map[uint8]int {
	seen := make(map[uint8]int)
	if c.fd < 0 {
		return seen
	}
	defer func() { unix.Close(c.fd); c.fd = -1 }()
	packet := make([]byte, 64)
	for {
		n, _, err := unix.Recvfrom(c.fd, packet, 0)
		if err != nil {
			return seen
		}
		if protocol, from, to, ok := header(packet[:n]); ok && c.from[from] && c.servers[to] {
			seen[protocol]++
		}
	}
}

// header reads what matters of the header of an IP packet.
func header(p []byte) (protocol uint8, from, to netip.Addr, ok bool) {
	switch {
	case len(p) >= 20 && p[0]>>4 == 4:
		from, _ = netip.AddrFromSlice(p[12:16])
		to, _ = netip.AddrFromSlice(p[16:20])
		return p[9], from, to, true
	case len(p) >= 40 && p[0]>>4 == 6:
		from, _ = netip.AddrFromSlice(p[8:24])
		to, _ = netip.AddrFromSlice(p[24:40])
		return p[6], from, to, true
	}
	return 0, from, to, false
}
