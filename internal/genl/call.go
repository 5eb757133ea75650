package genl

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// Get sends a request that is answered with one message, and returns that
// message.
func (c *Conn) Get(ctx context.Context, request Request) ([]byte, error) {
	return call(ctx, c, func(s *socket) ([]byte, error) {
		return again(s, c.name, func() ([]byte, error) {
			body, err := s.get(s.family, request)
			return slices.Clone(body), err
		})
	})
}

// Dump sends a request that is answered with any number of messages and
// collects what decode makes of each. Decode must not keep the message.
func Dump[T any](ctx context.Context, c *Conn, request Request, decode func(msg []byte) (T, error)) ([]T, error) {
	return call(ctx, c, func(s *socket) ([]T, error) {
		return again(s, c.name, func() ([]T, error) { return dump(s, request, decode) })
	})
}

// again repeats a request that was refused only because the family has another
// number now.
func again[T any](s *socket, name string, request func() (T, error)) (T, error) {
	value, err := request()
	if errno(err) != enoent {
		return value, err
	}
	moved, merr := s.moved(name)
	if merr != nil {
		return value, merr
	}
	if moved {
		return request()
	}
	return value, err
}

func dump[T any](s *socket, request Request, decode func([]byte) (T, error)) ([]T, error) {
	seq, err := s.sendOne(s.family, flagDump, request)
	if err != nil {
		return nil, err
	}
	var all []T
	var answer error
	err = s.await(func(m message) (bool, error) {
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
		if all == nil {
			all = make([]T, 0, s.messages)
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

// Send sends n requests, many at a time, in order; appendRequest appends the
// i-th. The kernel goes on after one that failed. The fates stand in the order
// of the requests; when every request was done they are nil. The error is why
// sending ended early, if it did: requests that were not done then have it too.
//
// AppendRequest is not called any more when Send has returned.
func (c *Conn) Send(ctx context.Context, n int, appendRequest func(b []byte, i int) []byte) ([]Fate, error) {
	if n == 0 {
		return nil, nil
	}
	p := &progress{n: n, appendRequest: appendRequest}
	_, err := call(ctx, c, func(s *socket) (struct{}, error) {
		return struct{}{}, s.sendAll(c.name, p)
	})
	return p.end(err)
}

// progress is what a call that sends has reached so far. Its caller reads it
// when the call ends or is given up, whichever is first.
type progress struct {
	n             int
	appendRequest func(b []byte, i int) []byte

	mu       sync.Mutex
	ended    bool
	sent     int // the requests before this one were sent
	answered int // and the answers to those before this one are known
	failed   map[int]error
}

// begin encodes a datagram, at most limit requests from the given one up to
// before to, and marks them as sent. It fails when nobody waits any more. What
// the requests are made of is the caller's, so it is read under the lock.
func (p *progress) begin(s *socket, from, to, limit int) (next int, err error) {
	err = p.update(func() {
		next = s.encode(from, min(to, from+limit), p.appendRequest)
		p.sent = max(p.sent, next)
	})
	return next, err
}

// finish marks requests as answered.
func (p *progress) finish(to int, failed map[int]error) error {
	return p.update(func() {
		p.answered = to
		if p.failed == nil {
			p.failed = failed
			return
		}
		maps.Copy(p.failed, failed)
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
	if p.answered == p.n && len(p.failed) == 0 {
		return nil, nil
	}
	fates := make([]Fate, p.n)
	for i := range fates {
		switch err := p.failed[i]; {
		case err != nil:
			fates[i] = Fate{Failed, err}
		case i < p.answered:
			fates[i] = Fate{State: Done}
		case i < p.sent:
			fates[i] = Fate{Unknown, cause}
		default:
			fates[i] = Fate{NotSent, cause}
		}
	}
	return fates, cause
}

// sendAll sends the requests in datagrams.
func (s *socket) sendAll(name string, p *progress) error {
	limit := s.maxUnanswered()
	for from := 0; from < p.n; {
		to, failed, err := s.sendChunk(from, p.n, limit, p)
		if err != nil {
			return err
		}
		err = s.repeatRefused(name, failed, p)
		if perr := p.finish(to, failed); err == nil {
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
func (s *socket) repeatRefused(name string, failed map[int]error, p *progress) error {
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
		var answers map[int]error
		_, answers, err = s.sendChunk(i, i+1, 1, p)
		if failed[i] = cmp.Or(err, answers[i]); failed[i] == nil {
			delete(failed, i)
		}
	}
	return err
}

// sendChunk sends requests, as many as fit one datagram, and waits for their
// answers. It returns where the next datagram starts, and the errors of the
// requests that failed, by their index.
func (s *socket) sendChunk(from, to, limit int, p *progress) (next int, failed map[int]error, err error) {
	first := s.seq + 1
	if next, err = p.begin(s, from, to, limit); err != nil {
		s.broken = true
		return next, nil, err
	}
	if err := s.send(s.out); err != nil {
		return next, nil, err
	}
	failed, err = s.answers(first, s.seq, from)
	return next, failed, err
}

// encode fills the datagram with the requests from one up to before another,
// as far as they fit, and returns the first that did not.
//
// No request asks for an acknowledgement: the kernel answers one that fails all
// the same, and names it by its sequence number. A message that says nothing
// is the last and asks for one. The last request could not be asked instead,
// since netlink does not acknowledge at all what was answered with EINTR, as
// stopping a daemon that has hardly started is.
func (s *socket) encode(from, to int, request func(b []byte, i int) []byte) (next int) {
	s.out = s.out[:0]
	for next = from; next < to; next++ {
		end := len(s.out)
		s.out = appendRequest(s.out, s.family, 0, s.seq+1, func(b []byte) []byte { return request(b, next) })
		if len(s.out) > maxDatagram && next > from {
			s.out = s.out[:end]
			break
		}
		s.seq++
	}
	s.seq++
	s.out = appendRequest(s.out, typeNoop, flagAck, s.seq, nil)
	return next
}

// answers collects the errors of the requests with the sequence numbers from
// first up to before last, by their index, until last is acknowledged.
func (s *socket) answers(first, last uint32, from int) (map[int]error, error) {
	var failed map[int]error
	err := s.await(func(m message) (bool, error) {
		offset := m.seq - first // wraps as the numbers do
		if m.kind != typeError || offset > last-first {
			return false, nil
		}
		if m.seq == last {
			return true, m.answer()
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
		return false, nil
	})
	return failed, err
}

const (
	// maxDatagram bounds one send. More brings nothing, and the kernel must
	// find that much memory in one piece.
	maxDatagram = 32 << 10

	// longestRequest is more than any takes. A datagram grows by one before it
	// is found to be too long.
	longestRequest = 4 << 10

	// answerCost is what the kernel books for one waiting error message: the
	// message, and its own bookkeeping around it.
	answerCost = 1280
)

// maxUnanswered is how many requests may be sent at once so that their answers
// would fit the receive buffer if all of them failed.
func (s *socket) maxUnanswered() int { return max(1, s.conn.ReceiveBuffer()/answerCost) }
