package conformance

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"strconv"

	"github.com/golvs/lvs/internal/testbed"
)

// loadKind is a kind of load. To add one: write a type with the methods of [load], and its
// line in loads; then histories can have it, and what the director sends is shown by it.
type loadKind struct {
	word                 string // with which its text begins
	protocol4, protocol6 uint8
	ports                bool // it begins with two ports
	checksum             int  // where that is in it
	like                 load // a value of its type

	// parse reads the words of its text, as far as they are its own.
	parse func(w *tokens) (load, error)

	// read reads its header, and returns what is behind it. Only reports use it: packets
	// are compared as bytes.
	read func(b []byte) (l load, rest []byte, inner bool)
}

// loads are all kinds. A packet is read as the first whose protocol fits.
var loads []loadKind

func init() {
	loads = []loadKind{
		{word: "tcp", protocol4: protocolTCP, protocol6: protocolTCP, ports: true, checksum: 16, like: tcpLoad{}, parse: parseTCPLoad, read: readTCPLoad},
		{word: "gue", protocol4: protocolUDP, protocol6: protocolUDP, ports: true, checksum: 6, like: gueLoad{}, parse: parseGUELoad, read: readGUELoad},
		{word: "udp", protocol4: protocolUDP, protocol6: protocolUDP, ports: true, checksum: 6, like: udpLoad{}, parse: parseUDPLoad, read: readUDPLoad},
		{word: "sctp", protocol4: protocolSCTP, protocol6: protocolSCTP, ports: true, checksum: sctpSum, like: sctpLoad{}, parse: parseSCTPLoad, read: readSCTPLoad},
		{word: "icmp", protocol4: 1, protocol6: 58, checksum: 2, like: icmpLoad{}, parse: parseICMPLoad, read: readICMPLoad},
		{word: "ip4", protocol4: 4, protocol6: 4, like: ip4Load{}, parse: parseAs(ip4Load{}), read: readAs(ip4Load{})},
		{word: "ip6", protocol4: 41, protocol6: 41, like: ip6Load{}, parse: parseAs(ip6Load{}), read: readAs(ip6Load{})},
		{word: "gre", protocol4: 47, protocol6: 47, like: greLoad{}, parse: parseGRELoad, read: readGRELoad},
		{word: "protocol", like: otherLoad{}, parse: parseOtherLoad, read: readAs(otherLoad{})},
	}
}

// kindOfLoad returns the kind of a load.
func kindOfLoad(l load) loadKind {
	for _, k := range loads {
		if reflect.TypeOf(l) == reflect.TypeOf(k.like) {
			return k
		}
	}
	panic(fmt.Sprintf("%T is not in loads", l))
}

// parseAs and readAs are for kinds that have no header.
func parseAs(l load) func(*tokens) (load, error) {
	return func(*tokens) (load, error) { return l, nil }
}

func readAs(l load) func([]byte) (load, []byte, bool) {
	return func(b []byte) (load, []byte, bool) { return l, b, len(b) > 0 }
}

// tcpLoad is "tcp SA", with seq, ack and window where they are not 1, 1 and 65535.
type tcpLoad struct {
	flags    uint8
	seq, ack uint32
	window   uint16
}

func newTCP(flags uint8) tcpLoad { return tcpLoad{flags: flags, seq: 1, ack: 1, window: 0xffff} }

func (l tcpLoad) words() string {
	s := tcpFlagText(l.flags)
	if l.seq != 1 {
		s += fmt.Sprintf(" seq %d", l.seq)
	}
	if l.ack != 1 {
		s += fmt.Sprintf(" ack %d", l.ack)
	}
	if l.window != 0xffff {
		s += fmt.Sprintf(" window %d", l.window)
	}
	return s
}

func parseTCPLoad(w *tokens) (load, error) {
	flags, err := parseTCPFlags(w.next())
	l := newTCP(flags)
	w.options(map[string]func(uint64){
		"seq":    func(n uint64) { l.seq = uint32(n) },
		"ack":    func(n uint64) { l.ack = uint32(n) },
		"window": func(n uint64) { l.window = uint16(n) },
	})
	return l, err
}

func readTCPLoad(b []byte) (load, []byte, bool) {
	const header = 20
	if len(b) < header || int(b[12]>>4)*4 > len(b) {
		return nil, nil, false
	}
	l := tcpLoad{b[13], binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:]), binary.BigEndian.Uint16(b[14:])}
	return l, b[b[12]>>4*4:], false
}

func (l tcpLoad) encode(p *ipPacket, rest []byte) []byte {
	b := ports(p)
	b = binary.BigEndian.AppendUint32(b, l.seq)
	b = binary.BigEndian.AppendUint32(b, l.ack)
	b = append(b, 5<<4, l.flags)
	b = binary.BigEndian.AppendUint16(b, l.window)
	b = append(append(b, 0, 0, 0, 0), rest...)
	binary.BigEndian.PutUint16(b[16:], p.sum(protocolTCP, b))
	return b
}

func ports(p *ipPacket) []byte {
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, p.from.Port()), p.to.Port())
}

// udpLoad is "udp", or "udp unsummed" without a checksum.
type udpLoad struct{ unsummed bool }

func (l udpLoad) words() string {
	if l.unsummed {
		return "unsummed"
	}
	return ""
}

func parseUDPLoad(w *tokens) (load, error) { return udpLoad{w.take("unsummed")}, nil }

func readUDPLoad(b []byte) (load, []byte, bool) {
	const header = 8
	if len(b) < header {
		return nil, nil, false
	}
	return udpLoad{binary.BigEndian.Uint16(b[6:]) == 0}, b[header:], false
}

func (l udpLoad) encode(p *ipPacket, rest []byte) []byte {
	b := binary.BigEndian.AppendUint16(ports(p), uint16(8+len(rest)))
	b = append(append(b, 0, 0), rest...)
	if sum := p.sum(protocolUDP, b); !l.unsummed && sum == 0 {
		binary.BigEndian.PutUint16(b[6:], 0xffff)
	} else if !l.unsummed {
		binary.BigEndian.PutUint16(b[6:], sum)
	}
	return b
}

// gueLoad is "gue" with the packet in the tunnel, or "gue unsummed". Reports know it by
// guePort.
type gueLoad struct{ udpLoad }

const guePort = 6080

func parseGUELoad(w *tokens) (load, error) { return gueLoad{udpLoad{w.take("unsummed")}}, nil }

func readGUELoad(b []byte) (load, []byte, bool) {
	l, rest, _ := readUDPLoad(b)
	if l == nil || binary.BigEndian.Uint16(b[2:]) != guePort || len(rest) < 4 || rest[0] != 0 {
		return nil, nil, false
	}
	return gueLoad{l.(udpLoad)}, rest[4:], true
}

func (l gueLoad) encode(p *ipPacket, rest []byte) []byte {
	protocol := byte(4)
	if len(rest) > 0 && rest[0]>>4 == 6 {
		protocol = 41
	}
	return l.udpLoad.encode(p, append([]byte{0, protocol, 0, 0}, rest...))
}

// icmpLoad is "icmp TYPE/CODE", with "value" for the four bytes behind the checksum, which
// are the MTU of some errors, and with "quote" for how many bytes of a longer packet are
// quoted.
type icmpLoad struct {
	kind, code uint8
	value      uint32
	quote      int // 0: all
}

func (l icmpLoad) words() string {
	s := fmt.Sprintf("%d/%d", l.kind, l.code)
	if l.value != 0 {
		s += fmt.Sprintf(" value %d", l.value)
	}
	if l.quote != 0 {
		s += fmt.Sprintf(" quote %d", l.quote)
	}
	return s
}

func parseICMPLoad(w *tokens) (load, error) {
	var l icmpLoad
	if _, err := fmt.Sscanf(w.next(), "%d/%d", &l.kind, &l.code); err != nil {
		return nil, fmt.Errorf("the type and the code of an ICMP message: %w", err)
	}
	w.options(map[string]func(uint64){
		"value": func(n uint64) { l.value = uint32(n) },
		"quote": func(n uint64) { l.quote = int(n) },
	})
	return l, nil
}

func readICMPLoad(b []byte) (load, []byte, bool) {
	const header = 8
	if len(b) < header {
		return nil, nil, false
	}
	return icmpLoad{b[0], b[1], binary.BigEndian.Uint32(b[4:]), 0}, b[header:], b[0] != 0 && b[0] != 8 && b[0] < 128
}

func (l icmpLoad) encode(p *ipPacket, rest []byte) []byte {
	if l.quote != 0 {
		rest = rest[:min(l.quote, len(rest))]
	}
	b := binary.BigEndian.AppendUint32([]byte{l.kind, l.code, 0, 0}, l.value)
	b = append(b, rest...)
	sum := testbed.Checksum(b)
	if p.six() {
		sum = p.sum(58, b)
	}
	binary.BigEndian.PutUint16(b[2:], sum)
	return b
}

// ip4Load and ip6Load are "ip4" and "ip6": a tunnel without a header of its own.
type (
	ip4Load struct{}
	ip6Load struct{}
)

func (ip4Load) words() string                          { return "" }
func (ip4Load) encode(_ *ipPacket, rest []byte) []byte { return rest }
func (ip6Load) words() string                          { return "" }
func (ip6Load) encode(_ *ipPacket, rest []byte) []byte { return rest }

// greLoad is "gre", or "gre summed" with a checksum.
type greLoad struct{ summed bool }

func (l greLoad) words() string {
	if l.summed {
		return "summed"
	}
	return ""
}

func parseGRELoad(w *tokens) (load, error) { return greLoad{w.take("summed")}, nil }

func readGRELoad(b []byte) (load, []byte, bool) {
	switch {
	case len(b) >= 4 && b[0] == 0:
		return greLoad{}, b[4:], true
	case len(b) >= 8 && b[0] == 0x80:
		return greLoad{true}, b[8:], true
	}
	return nil, nil, false
}

func (l greLoad) encode(_ *ipPacket, rest []byte) []byte {
	ether := []byte{8, 0}
	if len(rest) > 0 && rest[0]>>4 == 6 {
		ether = []byte{0x86, 0xdd}
	}
	if !l.summed {
		return append(append([]byte{0, 0}, ether...), rest...)
	}
	b := append(append(append([]byte{0x80, 0}, ether...), 0, 0, 0, 0), rest...)
	binary.BigEndian.PutUint16(b[4:], testbed.Checksum(b))
	return b
}

// otherLoad is any other protocol, by its number: "protocol 50".
type otherLoad struct{ number uint8 }

func (l otherLoad) words() string                          { return strconv.Itoa(int(l.number)) }
func (l otherLoad) encode(_ *ipPacket, rest []byte) []byte { return rest }

func parseOtherLoad(w *tokens) (load, error) {
	n, err := strconv.ParseUint(w.next(), 10, 8)
	return otherLoad{uint8(n)}, err
}
