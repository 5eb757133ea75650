package simipvs

import (
	"bytes"
	"iter"
	"slices"
)

// The kernel puts as much of a dump into a datagram as fits what it allocates:
// a page at least, and as much as the largest buffer with which the socket was
// received from, up to 32 KiB.
const (
	minDumped = 3776
	maxDumped = 32448
)

// dump is a listing that is under way on a socket. It knows no more than how
// many objects it has told: each datagram starts from the top of the list and
// passes over so many. What was added or removed since makes it tell some twice
// and others not at all.
type dump struct {
	list listing
	body []byte // of the request
	seq  uint32
	told int
}

// listing returns what a request lists.
type listing func(k *Kernel, body []byte) iter.Seq[object]

// object is one of what is listed.
type object interface {
	// appendReply appends the message that tells of it, without netlink's header.
	appendReply(b []byte, k *Kernel) []byte
}

// startDump makes the first datagram. Netlink acknowledges no dump: it has an
// end.
func (s *Socket) startDump(list listing, m message) errno {
	if s.dump != nil {
		return ebusy
	}
	s.dump = &dump{list: list, body: bytes.Clone(m.body()), seq: m.seq}
	s.continueDump(receiveBuffer)
	return eintr
}

// continueDump makes the next datagram of a dump unless more than so many bytes
// wait. A datagram that would be empty is the end.
func (s *Socket) continueDump(room int) {
	d := s.dump
	if d == nil || !s.hasRoom(room) {
		return
	}
	b := s.fill(d)
	if len(b) == 0 {
		var start int
		b, start = s.begin(make([]byte, 0, headerLen+4), typeDone, flagMulti, d.seq)
		b = end(host.AppendUint32(b, 0), start)
		s.dump = nil
	}
	s.put(b)
}

// fill returns the messages of the next datagram.
func (s *Socket) fill(d *dump) []byte {
	size := min(max(minDumped, s.largest), maxDumped)
	b := s.filling[:0]
	defer func() { s.filling = b }()
	s.k.lock()
	defer s.k.mu.Unlock()
	i := 0
	for o := range d.list(s.k, d.body) {
		if i >= d.told {
			before := len(b)
			var start int
			b, start = s.begin(b, familyID, flagMulti, d.seq)
			b = end(o.appendReply(b, s.k), start)
			if len(b) > size {
				b = b[:before]
				break
			}
		}
		i++
	}
	d.told = i
	return slices.Clone(b)
}

// objects makes a listing of what is in a sequence.
func objects[T object](all iter.Seq[T]) iter.Seq[object] {
	return func(yield func(object) bool) {
		for o := range all {
			if !yield(o) {
				return
			}
		}
	}
}
