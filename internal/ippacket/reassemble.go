package ippacket

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"time"
)

// Reassembler puts fragments together. The zero value is ready for use.
type Reassembler struct {
	queues map[queueKey]*queue
}

type queueKey struct {
	from, to netip.Addr
	protocol uint8 // of IPv4
	id       uint32
}

// queue are the fragments of a packet so far.
type queue struct {
	begun   time.Time
	parts   []Packet // by offset
	length  int      // of all, once the last one is here; 0: not known
	ecn     uint8    // bits of what they say of congestion
	largest int
	probing int // the largest that no router may fragment
}

// How long Linux waits for the rest of a packet.
const (
	wait4 = 30 * time.Second
	wait6 = 60 * time.Second
)

// Add adds a fragment and returns the packet that it completes, which is not ok before.
// What contradicts the other fragments is dropped, with them where Linux does so.
func (r *Reassembler) Add(p Packet, now time.Time) (whole Packet, ok bool) {
	key := queueKey{from: p.Source, to: p.Destination, id: p.ID}
	wait := wait6
	if p.Is4() {
		key.protocol, wait = p.Protocol, wait4
	}
	q := r.queues[key]
	if q == nil || now.Sub(q.begun) >= wait {
		q = &queue{begun: now}
		if r.queues == nil {
			r.queues = make(map[queueKey]*queue)
		}
		r.queues[key] = q
	}
	if !q.add(p) {
		delete(r.queues, key)
		return whole, false
	}
	if !q.complete() {
		return whole, false
	}
	delete(r.queues, key)
	return q.whole()
}

// add reports false for what ends the queue.
func (q *queue) add(p Packet) bool {
	begin, end := p.Offset, p.end()
	if p.More && end%8 != 0 {
		if !p.Is4() {
			return false
		}
		end &^= 7
	}
	switch {
	case end == begin, p.fragmentEnd()+end > MaxLength,
		!p.More && (q.length != 0 && q.length != end || end < q.reach()),
		p.More && q.length != 0 && end > q.length:
		return false
	}
	if !p.More {
		q.length = end
	}
	at := len(q.parts)
	for i := range q.parts {
		other := &q.parts[i]
		if begin >= other.Offset && end <= other.end() {
			return true // it is known already
		}
		if begin < other.end() && end > other.Offset {
			return false
		}
		if begin < other.Offset {
			at = min(at, i)
		}
	}
	q.largest = max(q.largest, len(p.Bytes))
	if p.Is4() && p.DF() {
		q.probing = max(q.probing, len(p.Bytes))
	}
	q.ecn |= 1 << (p.TOS() & 3)
	p.Bytes = p.Bytes[:p.fragmentEnd()+end-begin]
	q.parts = slices.Insert(q.parts, at, p)
	return true
}

func (p *Packet) end() int { return p.Offset + len(p.Bytes) - p.fragmentEnd() }

// reach returns the end of what is here.
func (q *queue) reach() int {
	if len(q.parts) == 0 {
		return 0
	}
	return q.parts[len(q.parts)-1].end()
}

func (q *queue) complete() bool {
	at := 0
	for i := range q.parts {
		if q.parts[i].Offset != at {
			return false
		}
		at = q.parts[i].end()
	}
	return q.length != 0 && at == q.length
}

// whole returns the packet, with the headers of its first fragment. It is not ok if some
// fragments may meet congestion and others may not.
func (q *queue) whole() (p Packet, ok bool) {
	const incapable, congested = 1 << 0, 1 << 3
	if q.ecn&incapable != 0 && q.ecn != incapable {
		return p, false
	}
	first := q.parts[0]
	kept := first.Transport
	if !first.Is4() {
		kept = first.fragmentAt
	}
	b := append([]byte(nil), first.Bytes[:kept]...)
	pieces := make([]int, len(q.parts))
	for i := range q.parts {
		part := q.parts[i].Bytes[q.parts[i].fragmentEnd():]
		pieces[i] = len(part)
		b = append(b, part...)
	}
	if len(b) > MaxLength {
		return p, false
	}
	congestedAny := q.ecn&congested != 0
	if first.Is4() {
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
		binary.BigEndian.PutUint16(b[6:], 0)
		if q.probing == q.largest {
			binary.BigEndian.PutUint16(b[6:], dontFragment)
		}
		if congestedAny {
			b[1] |= 3
		}
		fillHeaderChecksum(b)
	} else {
		binary.BigEndian.PutUint16(b[4:], uint16(len(b)-header6))
		b[first.nextAt] = first.Bytes[first.fragmentAt]
		if congestedAny {
			b[1] |= 3 << 4
		}
	}
	p, err := Parse(b)
	p.Mark, p.Largest, p.pieces, p.probes = first.Mark, q.largest, pieces, q.probing == q.largest
	return p, err == nil
}

// fragmentEnd returns where the part begins that the fragment is of.
func (p *Packet) fragmentEnd() int {
	if p.Is4() {
		return p.Transport
	}
	return p.fragmentAt + fragmentHeader
}
