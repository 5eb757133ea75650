package ippacket

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"
	"time"
)

var (
	client  = netip.MustParseAddrPort("10.9.0.1:1001")
	vip     = netip.MustParseAddrPort("10.1.254.1:80")
	server  = netip.MustParseAddrPort("10.2.0.2:8080")
	client6 = netip.MustParseAddrPort("[fd00:9::1]:1001")
	vip6    = netip.MustParseAddrPort("[fd00:1::fe:1]:80")
	server6 = netip.MustParseAddrPort("[fd00:2::2]:8080")
)

// packetOf returns a packet with ports, a right checksum and data.
func packetOf(protocol uint8, from, to netip.AddrPort, data string) Packet {
	b := make([]byte, map[uint8]int{TCP: 20, UDP: 8, SCTP: 12}[protocol])
	binary.BigEndian.PutUint16(b, from.Port())
	binary.BigEndian.PutUint16(b[2:], to.Port())
	switch protocol {
	case TCP:
		b[12], b[13] = 5<<4, 0x10
	case UDP:
		binary.BigEndian.PutUint16(b[4:], uint16(len(b)+len(data)))
	}
	p := Build(Header{Source: from.Addr(), Destination: to.Addr(), Protocol: protocol, TTL: 64, ID: 7}, append(b, data...))
	p.FillChecksum()
	return p
}

// slowSum adds 16-bit words one by one, as RFC 1071 describes it.
func slowSum(parts ...[]byte) (sum uint16) {
	for _, b := range parts {
		for ; len(b) > 0; b = b[min(2, len(b)):] {
			word := uint32(b[0]) << 8
			if len(b) > 1 {
				word |= uint32(b[1])
			}
			if word += uint32(sum); word > 0xffff {
				word -= 0xffff
			}
			sum = uint16(word)
		}
	}
	return sum
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Known sums: the example of RFC 1071, headers that many texts have, and a CRC-32C.
func TestKnownChecksums(t *testing.T) {
	for text, want := range map[string]uint16{
		"":                    0xffff,
		"00":                  0xffff,
		"ff":                  0x00ff,
		"0001 f203 f4f5 f6f7": 0x220d,
		"4500 0073 0000 4000 4011 0000 c0a8 0001 c0a8 00c7": 0xb861,
		"4500 003c 1c46 4000 4006 0000 ac10 0a63 ac10 0a0c": 0xb1e6,
		"4500 003c 1c46 4000 4006 b1e6 ac10 0a63 ac10 0a0c": 0,
	} {
		b := unhex(t, text)
		if got := Checksum(b); got != want || got != ^slowSum(b) {
			t.Errorf("the checksum of %s is %#x, want %#x", text, got, want)
		}
	}
	for _, there := range []string{"\x00\x00\x00\x00", "\xff\x01\x02\x03"} {
		if got := sctpChecksum([]byte("12345678" + there + "9")); got != 0x740d7b1d { // computed bit by bit
			t.Errorf("the checksum of SCTP is %#x with %q in its place", got, there)
		}
	}
}

// FillChecksum covers the pseudo header, and RightChecksum notices each changed bit.
func TestChecksumsOfPackets(t *testing.T) {
	for _, p := range []Packet{
		packetOf(TCP, client, vip, "odd"), packetOf(UDP, client, vip, "even"), packetOf(SCTP, client, vip, "\x00\x00\x00\x04"),
		packetOf(TCP, client6, vip6, "odd"), packetOf(UDP, client6, vip6, ""), packetOf(SCTP, client6, vip6, "\x07\x00\x00\x04"),
	} {
		b := p.Payload()
		if p.Protocol != SCTP {
			pseudo := []byte{0, p.Protocol, byte(len(b) >> 8), byte(len(b))}
			if got := slowSum(p.Source.AsSlice(), p.Destination.AsSlice(), pseudo, b); got != 0xffff {
				t.Errorf("%x: the sum is %#x", p.Bytes, got)
			}
		}
		if !p.RightChecksum() {
			t.Errorf("%x is wrong", p.Bytes)
		}
		for bit := range len(b) * 8 {
			b[bit/8] ^= 1 << (bit % 8)
			if p.RightChecksum() {
				t.Errorf("%x is right, with bit %d changed", p.Bytes, bit)
			}
			b[bit/8] ^= 1 << (bit % 8)
		}
	}
}

func TestParse(t *testing.T) {
	syn := unhex(t, "4500 0028 1c46 4000 4006 b1fa ac10 0a63 ac10 0a0c 1389 0050 0000 0001 0000 0002 5002 ffff 0000 0000")
	p, err := Parse(append(syn, "padding"...))
	if err != nil {
		t.Fatal(err)
	}
	source, destination, ok := p.Ports()
	if !ok || source != 5001 || destination != 80 || p.TCPFlags() != 2 || p.Seq() != 1 || !p.DF() || p.TTL() != 64 ||
		p.Source.String() != "172.16.10.99" || p.Destination.String() != "172.16.10.12" || len(p.Bytes) != 40 || p.IsFragment() {
		t.Errorf("%+v", p)
	}
	six := packetOf(UDP, client6, vip6, "data")
	if p, err = Parse(six.Bytes); err != nil || p.Source != client6.Addr() || string(p.Data()) != "data" || p.DF() != true {
		t.Errorf("%+v, %v", p, err)
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "version": {0x50}, "short": syn[:19], "cut off": syn[:39], "cut off 6": six.Bytes[:len(six.Bytes)-1],
		"header length": append([]byte{0x44}, syn[1:]...), "checksum": append([]byte{0x45, 1}, syn[2:]...),
		"extension": append(append(bytes.Clone(six.Bytes[:4]), 0, 4, hop, 64), six.Bytes[8:44]...),
	} {
		if p, err := Parse(b); err == nil {
			t.Errorf("%s: %x is read as %+v", name, b, p)
		}
	}
}

// What NAT does to a packet, and back, changes nothing, and its checksum stays as right or
// as wrong as it was.
func TestTranslateRoundTrip(t *testing.T) {
	for _, c := range []struct{ from, to, server netip.AddrPort }{{client, vip, server}, {client6, vip6, server6}} {
		for _, protocol := range []uint8{TCP, UDP} {
			for _, wrong := range []byte{0, 5} {
				p := packetOf(protocol, c.from, c.to, "data")
				p.Bytes[len(p.Bytes)-1] ^= wrong
				before := p.Clone()
				p.SetDestination(c.server)
				if _, port, _ := p.Ports(); p.Destination != c.server.Addr() || port != 8080 || p.RightChecksum() != (wrong == 0) {
					t.Errorf("%x became %x", before.Bytes, p.Bytes)
				}
				if _, err := Parse(p.Bytes); err != nil {
					t.Error(err)
				}
				if p.SetDestination(c.to); !bytes.Equal(p.Bytes, before.Bytes) {
					t.Errorf("%x became %x", before.Bytes, p.Bytes)
				}
			}
		}
	}
}

// A packet in a tunnel is found in what an error quotes of the tunnel.
func TestTunnelsAreQuoted(t *testing.T) {
	for _, tunnel := range []Tunnel{
		{Protocol: IPIP}, {Protocol: GRE}, {Protocol: GRE, Checksum: true}, {Protocol: UDP, FromPort: 40000, ToPort: 6080, Checksum: true},
	} {
		tunnel.Source, tunnel.Destination = netip.MustParseAddr("10.2.0.1"), server.Addr()
		inner := packetOf(TCP, client, vip, "data")
		outer := tunnel.Encapsulate(&inner)
		if got := len(outer.Bytes) - len(inner.Bytes); got != tunnel.Overhead() {
			t.Errorf("%+v adds %d bytes, not %d", tunnel, got, tunnel.Overhead())
		}
		e := Expired.Make(&outer, Answer{Source: server.Addr()})
		if !e.IsError() || !e.RightChecksum() || e.Destination != tunnel.Source {
			t.Errorf("the error is %x", e.Bytes)
		}
		quoted, ok := e.Quoted()
		found, headers, inside := quoted.Inside()
		if !ok || !inside || headers != tunnel.Overhead() || !bytes.Equal(found.Bytes, inner.Bytes) {
			t.Errorf("%+v: %x is found behind %d bytes of %x", tunnel, found.Bytes, headers, quoted.Bytes)
		}
	}
}

// NAT gives errors of a server's side the addresses that the client knows, and back.
func TestErrorRoundTrip(t *testing.T) {
	for _, c := range []struct{ from, to, server netip.AddrPort }{{client, vip, server}, {client6, vip6, server6}} {
		about := packetOf(TCP, c.from, c.server, strings.Repeat("long", 500))
		e := PortUnreachable.Make(&about, Answer{Source: c.server.Addr()})
		if len(e.Bytes) > LeastMTU6 || c.from.Addr().Is4() && len(e.Bytes) != 576 {
			t.Errorf("an error of %d bytes", len(e.Bytes))
		}
		before := e.Clone()
		e.DisguiseError(c.to)
		quoted, ok := e.Quoted()
		if _, port, _ := quoted.FirstPorts(); !ok || e.Source != c.to.Addr() || quoted.Destination != c.to.Addr() || port != 80 || !e.RightChecksum() {
			t.Errorf("%x became %x", before.Bytes, e.Bytes)
		}
		if e.DisguiseError(c.server); !bytes.Equal(e.Bytes, before.Bytes) {
			t.Errorf("%x became %x", before.Bytes, e.Bytes)
		}
	}
}

// Fragments in any order become the packet again, and not before the last one came.
func TestFragmentsRoundTrip(t *testing.T) {
	for _, whole := range []Packet{packetOf(UDP, client, vip, strings.Repeat("x", 5000)), packetOf(UDP, client6, vip6, strings.Repeat("x", 5001))} {
		const mtu = 1300
		parts := whole.Fragments(mtu, 9)
		for first := range parts {
			var r Reassembler
			for i := range parts {
				p, err := Parse(parts[(first+i)%len(parts)].Bytes)
				if err != nil || len(p.Bytes) > mtu || !p.IsFragment() {
					t.Fatalf("the fragment %+v, %v", p, err)
				}
				got, ok := r.Add(p, time.Time{})
				if ok != (i == len(parts)-1) {
					t.Fatalf("complete %t after %d of %d fragments", ok, i+1, len(parts))
				}
				if ok && (!bytes.Equal(got.Payload(), whole.Payload()) || !got.RightChecksum()) {
					t.Errorf("%d bytes became %d", len(whole.Bytes), len(got.Bytes))
				}
			}
		}
	}
}

// A longer reply has the right checksum, and so do shifted numbers, SACK included.
func TestStream(t *testing.T) {
	p := packetOf(TCP, server, client, "227 short")
	p.SetData("227 longer than before")
	if again, err := Parse(p.Bytes); err != nil || string(again.Data()) != "227 longer than before" || !again.RightChecksum() {
		t.Errorf("%x, %v", p.Bytes, err)
	}
	p = packetOf(TCP, client, vip, "\x01\x01\x05\x0a\x00\x00\x00\x64\x00\x00\x00\xc8") // two pads, and SACK from 100 to 200
	p.Payload()[12] = 8 << 4
	p.FillChecksum()
	before := p.Clone()
	p.Resequence(1000, func(ack uint32) uint32 { return ack + 13 })
	options := p.tcpOptions()
	if p.Seq() != 1000 || !p.RightChecksum() || binary.BigEndian.Uint32(options[4:]) != 113 || binary.BigEndian.Uint32(options[8:]) != 213 {
		t.Errorf("%x became %x", before.Bytes, p.Bytes)
	}
	if p.Resequence(0, func(ack uint32) uint32 { return ack - 13 }); !bytes.Equal(p.Bytes, before.Bytes) {
		t.Errorf("%x became %x", before.Bytes, p.Bytes)
	}
}
