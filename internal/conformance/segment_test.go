package conformance

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/golvs/lvs/internal/ippacket"
	"github.com/golvs/lvs/internal/simipvs"
)

// segment is a TCP packet of a program that speaks to another: its data is not marked,
// and its sequence numbers are those that the program has come to. It is compared with
// its data and numbers when it leaves.
type segment struct {
	tcp      uint8 // flags
	from, to netip.AddrPort
	mark     uint32
	again    bool // it repeats the packet before it, with these data
	data     string
}

func (s segment) String() string {
	text := fmt.Sprintf("segment %s %s %s", tcpFlagText(s.tcp), s.from, s.to)
	if s.mark != 0 {
		text += fmt.Sprintf(" mark %d", s.mark)
	}
	if s.again {
		text += " again"
	}
	return text + " " + strconv.Quote(s.data)
}

// parseSegment reads what String writes, without its first word.
func parseSegment(line string) (s segment, err error) {
	words, data, _ := strings.Cut(line, `"`)
	if s.data, err = strconv.Unquote(`"` + data); err != nil {
		return s, fmt.Errorf("the data %q: %w", data, err)
	}
	f := strings.Fields(words)
	if n := len(f); n > 0 && f[n-1] == "again" {
		s.again, f = true, f[:n-1]
	}
	p, err := parsePacket(append([]string{"tcp"}, f...), "")
	s.tcp, s.from, s.to, s.mark = p.tcp, p.from, p.to, p.mark
	return s, err
}

// numbered is a segment with its sequence number and its acknowledgement.
type numbered struct {
	segment
	seq, ack uint32
}

// left is a segment as it leaves; none if it has no addresses.
type left struct {
	from, to netip.AddrPort
	seq, ack uint32
	ttl      int
	data     string
}

func (l left) String() string {
	if !l.from.IsValid() {
		return fateStopped
	}
	return fmt.Sprintf("%s, %d, %d, %q", fateOf(l.from, l.to, l.ttl), l.seq, l.ack, l.data)
}

// talker is an end of a connection as that end knows it.
type talker struct{ own, other netip.AddrPort }

// spoken is how far a talker has come.
type spoken struct{ last, next, got uint32 }

// talkers are the ends of all connections.
type talkers map[talker]*spoken

func (all talkers) of(who talker) *spoken {
	s := all[who]
	if s == nil {
		const first = 1000 // of the sequence numbers
		s = &spoken{next: first * (1 + uint32(len(all)))}
		all[who] = s
	}
	return s
}

// number gives a segment its numbers.
func (all talkers) number(s segment) (n numbered) {
	who := all.of(talker{s.from, s.to})
	if n.segment = s; s.tcp&flagACK != 0 {
		n.ack = who.got
	}
	if s.again {
		n.seq = who.last
		return n
	}
	n.seq = who.next
	who.last, who.next = who.next, n.end(n.seq)
	return n
}

// end returns the number behind a segment that begins with one.
func (s segment) end(seq uint32) uint32 {
	seq += uint32(len(s.data))
	if s.tcp&(flagSYN|flagFIN) != 0 {
		seq++
	}
	return seq
}

// hear lets the other side get a segment.
func (all talkers) hear(n numbered, l left) {
	if !l.from.IsValid() {
		return
	}
	who := all.of(talker{l.to, l.from})
	n.data = l.data
	if end := n.end(l.seq); who.got == 0 || int32(end-who.got) > 0 {
		who.got = end
	}
}

// speak lets both sides see a segment, and returns how they differ.
func (d *duel) speak(s segment) (got left, v simipvs.Verdict, difference string) {
	if d.talkers == nil {
		d.talkers = make(talkers)
	}
	n := d.talkers.number(s)
	got, v = d.sim.side.(*simulatorSide).transmit(n)
	seen := got
	if d.real != nil {
		seen = d.real.Transmit(n)
		difference = unlike([]step{s}, []string{seen.String()}, []string{got.String()})
	}
	d.talkers.hear(n, seen)
	return got, v, difference
}

func (s *simulatorSide) Transmit(n numbered) left {
	l, _ := s.transmit(n)
	return l
}

// transmit returns a segment as it leaves, and the verdict on it.
func (s *simulatorSide) transmit(n numbered) (l left, v simipvs.Verdict) {
	raw := &simipvs.Packet{
		Protocol: protocolTCP, TCP: n.tcp, Mark: n.mark, Source: &n.from, Destination: &n.to,
		Length: len(n.encode()), Data: n.data, Seq: n.seq, Ack: n.ack,
	}
	if err := s.kernel.Deliver(raw, &v); err != nil {
		panic(err)
	}
	l = left{from: n.from, to: n.to, seq: n.seq, ack: n.ack, ttl: startTTL, data: n.data}
	switch {
	case v.Action == simipvs.Refused, v.Action == simipvs.Dropped:
		return left{}, v
	case v.Action == simipvs.Replied && v.Method == masquerade:
		l.from = v.Virtual
	case v.Action == simipvs.Forwarded:
		l.ttl--
		if v.Method == masquerade {
			l.to = netip.AddrPortFrom(v.Server.Addr(), v.Port)
		}
	}
	if r := v.Rewrite; r != nil {
		l.seq, l.data = r.Seq, r.Data
		if n.tcp&flagACK != 0 {
			l.ack = r.Ack(n.ack)
		}
	}
	return l, v
}

// encode returns the packet.
func (n numbered) encode() []byte {
	const window = 65000
	b := binary.BigEndian.AppendUint16(nil, n.from.Port())
	b = binary.BigEndian.AppendUint16(b, n.to.Port())
	b = binary.BigEndian.AppendUint32(b, n.seq)
	b = binary.BigEndian.AppendUint32(b, n.ack)
	b = binary.BigEndian.AppendUint16(append(b, 5<<4, n.tcp), window)
	p := ippacket.Build(ippacket.Header{
		Source: n.from.Addr(), Destination: n.to.Addr(), Protocol: protocolTCP, TTL: startTTL,
	}, append(append(b, 0, 0, 0, 0), n.data...))
	p.FillChecksum()
	return p.Bytes
}

// leftOf reads a segment that was seen.
func leftOf(b []byte) (l left, ok bool) {
	p, err := ippacket.Parse(b)
	if err != nil || p.Protocol != protocolTCP || !p.HasHeader() {
		return l, false
	}
	from, to, _ := p.Ports()
	return left{
		from: netip.AddrPortFrom(p.Source, from), to: netip.AddrPortFrom(p.Destination, to), ttl: int(p.TTL()),
		seq: p.Seq(), ack: p.Ack(), data: string(p.Data()),
	}, true
}
