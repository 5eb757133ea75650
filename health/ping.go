package health

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// Ping sends an ICMP echo request. It needs the privilege to open raw sockets,
// CAP_NET_RAW on Linux, or a group of net.ipv4.ping_group_range there.
//
// It says that the host is there, and nothing of the service.
type Ping struct {
	Size int `json:"size"` // bytes of data, at most 65000; 0 is 16
}

const (
	leastPing = 16 // the random bytes by which an answer is recognised
	mostPing  = 65000
)

// String returns "ping".
func (p Ping) String() string { return "ping" }

func (p Ping) validate() error {
	if p.Size != 0 && (p.Size < leastPing || p.Size > mostPing) {
		return invalid("Size", "%d is out of range [%d, %d]", p.Size, leastPing, mostPing)
	}
	return nil
}

// echo is what differs between the families.
type echo struct {
	network  string
	request  icmp.Type
	reply    icmp.Type
	protocol int
}

var (
	echo4 = echo{"ip4:icmp", ipv4.ICMPTypeEcho, ipv4.ICMPTypeEchoReply, 1}
	echo6 = echo{"ip6:ipv6-icmp", ipv6.ICMPTypeEchoRequest, ipv6.ICMPTypeEchoReply, 58}
)

// Probe sends one request, and waits for its answer.
func (p Ping) Probe(ctx context.Context, t Target) (Answer, error) {
	e := echo4
	if t.Addr.Addr().Is6() && !t.Addr.Addr().Is4In6() {
		e = echo6
	}
	conn, err := e.dial(ctx, t)
	if err != nil {
		return Answer{}, err
	}
	c := leash(ctx, conn)
	defer c.Close()
	data := make([]byte, max(p.Size, leastPing))
	_, _ = rand.Read(data[:leastPing])
	id := int(binary.BigEndian.Uint16(data))
	request, err := (&icmp.Message{Type: e.request, Body: &icmp.Echo{ID: id, Seq: 1, Data: data}}).Marshal(nil)
	if err != nil {
		return Answer{}, err
	}
	if _, err := c.Write(request); err != nil {
		return Answer{}, because(ctx, "send an echo request", err)
	}
	return Answer{}, e.await(ctx, c, data)
}

// dial opens a raw socket, or without the privilege one for echo alone.
func (e echo) dial(ctx context.Context, t Target) (net.Conn, error) {
	conn, err := t.Dial(ctx, e.network, 0)
	if t.Network != nil || !errors.Is(err, os.ErrPermission) {
		return conn, err
	}
	socket, refused := e.openSocket(t.Addr.Addr())
	if refused != nil {
		return nil, fmt.Errorf("a ping needs CAP_NET_RAW, or a group of net.ipv4.ping_group_range: %w", errors.Join(err, refused))
	}
	return socket, nil
}

// await reads until the answer comes, which is recognised by its data: the kernel may have
// changed the identifier. A raw socket also gets the answers to other probes, and on the
// loopback interface the requests.
func (e echo) await(ctx context.Context, conn net.Conn, data []byte) error {
	packet := make([]byte, len(data)+128) // with headers
	for {
		n, err := conn.Read(packet)
		if err != nil {
			return because(ctx, "wait for an echo reply", err)
		}
		m, err := icmp.ParseMessage(e.protocol, withoutHeader(packet[:n]))
		if err != nil || m.Type != e.reply {
			continue
		}
		if body, ok := m.Body.(*icmp.Echo); ok && bytes.Equal(body.Data, data) {
			return nil
		}
	}
}

// withoutHeader returns the ICMP message in a packet: a raw socket of IPv4 reads the IP
// header as well. No message that is waited for begins like one.
func withoutHeader(packet []byte) []byte {
	if len(packet) < ipv4.HeaderLen || packet[0]>>4 != ipv4.Version {
		return packet
	}
	return packet[min(len(packet), int(packet[0]&0xf)*4):]
}
