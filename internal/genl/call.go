package genl

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
)

// Get sends a request that is answered with one message, and returns that
// message.
func (c *Conn) Get(ctx context.Context, b *Batch) ([]byte, error) {
	return call(ctx, c, func(s *socket) ([]byte, error) {
		body, err := s.get(b.request(0), s.family)
		if errno(err) == enoent {
			moved, merr := s.moved(c.name)
			if merr != nil {
				return nil, merr
			}
			if moved {
				body, err = s.get(b.request(0), s.family)
			}
		}
		return append([]byte(nil), body...), err
	})
}

// Dump sends a request that is answered with any number of messages and
// collects what decode makes of each. Decode must not keep the message.
func Dump[T any](ctx context.Context, c *Conn, b *Batch, decode func(msg []byte) (T, error)) ([]T, error) {
	return call(ctx, c, func(s *socket) ([]T, error) {
		all, err := dump(s, b.request(0), decode)
		if errno(err) == enoent {
			moved, merr := s.moved(c.name)
			if merr != nil {
				return nil, merr
			}
			if moved {
				all, err = dump(s, b.request(0), decode)
			}
		}
		return all, err
	})
}

func dump[T any](s *socket, request []byte, decode func([]byte) (T, error)) ([]T, error) {
	seq := s.number(request, s.family, flagDump)
	if err := s.send(request); err != nil {
		return nil, err
	}
	var all []T
	var answer error
	err := s.await(func(m message) (bool, error) {
		switch {
		case m.seq != seq:
			return false, nil
		case m.flags&flagDumpIntr != 0:
			return false, ErrInterrupted
		case m.kind == typeDone, m.kind == typeError:
			answer = m.answer()
			return true, nil
		case m.kind != s.family:
			return false, fmt.Errorf("netlink: a message of type %d, want %d", m.kind, s.family)
		case s.isInterrupted():
			return false, errInterrupted // the datagrams that wait are not worth decoding
		}
		one, err := decode(m.body)
		if err != nil {
			return false, err
		}
		all = append(all, one)
		return false, nil
	})
	if err == nil {
		err = answer
	}
	return all, err
}

// Fate is what became of one request.
type Fate struct {
	State State
	Err   error // why, unless it was done
}

// State is what is known of a request.
type State uint8

const (
	NotSent State = iota // the kernel never saw it
	Unknown              // it was sent, and its answer never came
	Failed               // the kernel refused it
	Done
)

// Send sends all requests, many at a time, in order. The kernel goes on after
// one that failed. The fates stand in the order of the requests; when every
// request was done they are nil. The error is why sending ended early, if it
// did: requests that were not done then have it too.
//
// The batch belongs to Send from then on.
func (c *Conn) Send(ctx context.Context, b *Batch) ([]Fate, error) {
	if b.Len() == 0 {
		return nil, nil
	}
	p := &progress{fates: make([]Fate, b.Len())}
	_, err := call(ctx, c, func(s *socket) (struct{}, error) {
		return struct{}{}, s.sendAll(c.name, b, p)
	})
	return p.end(err)
}

// progress is what a call that sends has reached so far. Its caller reads it
// when the call ends or is given up, whichever is first.
type progress struct {
	mu    sync.Mutex
	ended bool
	fates []Fate
}

// begin marks requests as sent. It fails when nobody waits any more.
func (p *progress) begin(from, to int) error {
	return p.update(func() {
		for i := from; i < to; i++ {
			p.fates[i] = Fate{State: Unknown}
		}
	})
}

// finish marks requests as answered.
func (p *progress) finish(from, to int, failed map[int]error) error {
	return p.update(func() {
		for i := from; i < to; i++ {
			p.fates[i] = Fate{State: Done}
			if err := failed[i]; err != nil {
				p.fates[i] = Fate{Failed, err}
			}
		}
	})
}

func (p *progress) update(change func()) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return errInterrupted
	}
	change()
	return nil
}

func (p *progress) end(cause error) ([]Fate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	allDone := true
	for i := range p.fates {
		f := &p.fates[i]
		if f.State == NotSent || f.State == Unknown {
			f.Err = cause
		}
		allDone = allDone && f.State == Done
	}
	if allDone {
		return nil, nil
	}
	return p.fates, cause
}

// sendAll sends the requests in datagrams.
func (s *socket) sendAll(name string, b *Batch, p *progress) error {
	limit := s.maxUnanswered()
	for from := 0; from < b.Len(); {
		to := b.chunk(from, limit)
		failed, err := s.sendChunk(b, from, to, p)
		if err != nil {
			return err
		}
		err = s.repeatRefused(name, b, failed, p)
		if perr := p.finish(from, to, failed); err == nil {
			err = perr
		}
		if err != nil {
			return err
		}
		from = to
	}
	return nil
}

// repeatRefused sends those requests again, each by itself, that were refused
// only because the family has another number now. It updates failed.
func (s *socket) repeatRefused(name string, b *Batch, failed map[int]error, p *progress) error {
	var refused []int
	for i := range failed {
		if errno(failed[i]) == enoent {
			refused = append(refused, i)
		}
	}
	if len(refused) == 0 {
		return nil
	}
	moved, err := s.moved(name)
	if !moved && err == nil {
		return nil
	}
	slices.Sort(refused)
	for _, i := range refused {
		if err != nil {
			failed[i] = err
			continue
		}
		var again map[int]error
		again, err = s.sendChunk(b, i, i+1, p)
		failed[i] = cmp.Or(err, again[i])
	}
	return err
}

// sendChunk sends requests in one datagram and waits for the last one's
// acknowledgement. It returns the errors of those that failed, by their place
// in the batch: the kernel answers a request that fails even when no
// acknowledgement was asked for, and names it by its sequence number.
func (s *socket) sendChunk(b *Batch, from, to int, p *progress) (map[int]error, error) {
	first := s.seq + 1
	for i := from; i < to; i++ {
		var flags uint16
		if i == to-1 {
			flags = flagAck
		}
		s.number(b.request(i), s.family, flags)
	}
	if err := p.begin(from, to); err != nil {
		s.broken = true
		return nil, err
	}
	if err := s.send(b.buf[b.start(from):b.ends[to-1]]); err != nil {
		return nil, err
	}
	return s.acknowledged(first, s.seq, from)
}

// acknowledged collects the errors of the requests with the given sequence
// numbers, by their place in the batch, until the last one is answered.
func (s *socket) acknowledged(first, last uint32, from int) (map[int]error, error) {
	var failed map[int]error
	err := s.await(func(m message) (bool, error) {
		offset := m.seq - first // wraps as the numbers do
		if m.kind != typeError || offset > last-first {
			return false, nil
		}
		if err := m.answer(); err != nil {
			if errno(err) == 0 {
				return false, err
			}
			if failed == nil {
				failed = make(map[int]error)
			}
			failed[from+int(offset)] = err
		}
		return m.seq == last, nil
	})
	return failed, err
}

const (
	// maxDatagram bounds one send. More brings nothing, and the kernel must
	// find that much memory in one piece.
	maxDatagram = 32 << 10

	// answerCost is what the kernel books for one waiting error message: the
	// message, and its own bookkeeping around it.
	answerCost = 1280
)

// maxUnanswered is how many requests may be sent at once so that their answers
// would fit the receive buffer if all of them failed.
func (s *socket) maxUnanswered() int { return max(1, s.conn.ReceiveBuffer()/answerCost) }

// chunk returns the end of the requests that go into one datagram with the
// request at from.
func (b *Batch) chunk(from, limit int) int {
	to := from + 1
	for to < b.Len() && to-from < limit && b.ends[to]-b.start(from) <= maxDatagram {
		to++
	}
	return to
}
