package healthtest

import (
	"encoding/binary"
	"net/netip"
)

// The names of the protocols.
const (
	icmp4 = "icmp"
	icmp6 = "ipv6-icmp"
)

// The types of ICMP messages.
const (
	echoRequest4, echoReply4 = 8, 0
	echoRequest6, echoReply6 = 128, 129
)

// echo answers an ICMP echo request as the kernel of a host does, whatever its programs
// do.
func (n *Network) echo(c *datagrams, to netip.Addr, p []byte) {
	request, reply := byte(echoRequest4), byte(echoReply4)
	if to.Is6() {
		request, reply = echoRequest6, echoReply6
	}
	if len(p) < 8 || p[0] != request {
		return
	}
	for _, h := range n.on(to) {
		if h.now().kind == blackHole {
			continue
		}
		p[0] = reply
		if to.Is4() {
			c.arrive(withHeader(to, p))
			return
		}
		c.arrive(p)
		return
	}
}

// withHeader returns an ICMP message with its checksum behind an IPv4 header, as a raw
// socket of IPv4 reads it.
func withHeader(from netip.Addr, message []byte) []byte {
	binary.BigEndian.PutUint16(message[2:], 0)
	binary.BigEndian.PutUint16(message[2:], checksum(message))
	packet := make([]byte, 20, 20+len(message))
	packet[0], packet[8], packet[9] = 0x45, 64, 1
	binary.BigEndian.PutUint16(packet[2:], uint16(20+len(message)))
	copy(packet[12:], from.AsSlice())
	copy(packet[16:], source4.AsSlice())
	binary.BigEndian.PutUint16(packet[10:], checksum(packet))
	return append(packet, message...)
}

// checksum is the one of the Internet, RFC 1071.
func checksum(p []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(p); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(p[i:]))
	}
	if len(p)%2 == 1 {
		sum += uint32(p[len(p)-1]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
