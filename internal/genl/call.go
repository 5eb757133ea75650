package genl

import (
	"cmp"
	"context"
	"slices"
)

// Get sends a request and returns the one message that answers it.
func (c *Conn) Get(ctx context.Context, request Request) ([]byte, error) {
	return Read(ctx, c, func(r *Reader) ([]byte, error) {
		body, err := r.Get(request)
		return slices.Clone(body), err
	})
}

// Dump sends a request that any number of messages answer, and returns what decode
// makes of each. decode must not keep the message.
func Dump[T any](ctx context.Context, c *Conn, request Request, decode func(msg []byte) (T, error)) ([]T, error) {
	return Read(ctx, c, func(r *Reader) (all []T, err error) {
		err = r.Dump(request, func(msg []byte) error {
			one, err := decode(msg)
			if all == nil {
				all = make([]T, 0, r.socket.messages)
			}
			all = append(all, one)
			return err
		})
		return all, err
	})
}

// maxMoves is how often a request is repeated because its family has a new number,
// which it gets when the module is removed and loaded again.
const maxMoves = 10

// again repeats a request that was refused only because the family has a new number.
func again[T any](s *socket, request func() (T, error)) (value T, err error) {
	for range 1 + maxMoves {
		value, err = request()
		if errno(err) != enoent {
			return value, err
		}
		if moved, merr := s.moved(); merr != nil || !moved {
			return value, cmp.Or(merr, err)
		}
	}
	return value, ErrMoving
}

// Fate is how one request ended.
type Fate struct {
	State State
	Err   error // why, unless it was done
}

// State is what is known of a request.
type State uint8

const (
	NotSent State = iota // the kernel never saw it
	Unknown              // it was sent, and no answer came
	Failed               // the kernel refused it
	Done                 // the kernel did it
)

// Send sends n requests in order, many at a time; appendRequest appends the i-th. The
// kernel continues after one that fails. The fates are in the order of the requests,
// and nil if all were done. The error is why sending ended early, if it did; the
// fates of requests that were not answered have it, too.
//
// appendRequest is not called after Send has returned.
func (c *Conn) Send(ctx context.Context, n int, appendRequest func(b []byte, i int) []byte) ([]Fate, error) {
	if n == 0 {
		if c.isClosed() {
			return nil, ErrClosed
		}
		return nil, nil
	}
	p := &progress{n: n, appendRequest: appendRequest}
	_, err := call(ctx, c, writing, func(s *socket) (struct{}, error) {
		return struct{}{}, s.sendAll(p)
	})
	return p.fates(err)
}

// progress is how far a call that sends has come. It belongs to the caller: the
// worker changes it only in flight.enter and flight.update.
type progress struct {
	n             int
	appendRequest func(b []byte, i int) []byte

	sent     int          // the requests before this one were sent
	answered int          // and the answers to those before this one came
	undone   map[int]Fate // of those that were answered; without Err, the call's error applies
}

// begin records that requests are being sent, for the first time or again.
func (p *progress) begin(from, to int) {
	p.sent = max(p.sent, to)
	for i := from; i < min(to, p.answered); i++ {
		p.mark(i, Fate{State: Unknown})
	}
}

// answer records the answers to requests, some of which failed.
func (p *progress) answer(from, to int, failed map[int]error) {
	for i := from; i < min(to, p.answered); i++ {
		delete(p.undone, i)
	}
	p.answered = max(p.answered, to)
	for i, err := range failed {
		p.mark(i, Fate{Failed, err})
	}
}

func (p *progress) mark(i int, f Fate) {
	if p.undone == nil {
		p.undone = make(map[int]Fate)
	}
	p.undone[i] = f
}

// refused returns the requests, from the given one on, whose answer may mean that the
// family does not exist.
func (p *progress) refused(from int) (all []int) {
	for i, f := range p.undone {
		if i >= from && errno(f.Err) == enoent {
			all = append(all, i)
		}
	}
	slices.Sort(all)
	return all
}

func (p *progress) fates(cause error) ([]Fate, error) {
	if p.answered == p.n && len(p.undone) == 0 {
		return nil, nil
	}
	fates := make([]Fate, p.n)
	for i := range fates {
		f, undone := p.undone[i]
		switch {
		case undone:
			f.Err = cmp.Or(f.Err, cause)
		case i < p.answered:
			f.State = Done
		case i < p.sent:
			f = Fate{Unknown, cause}
		default:
			f = Fate{NotSent, cause}
		}
		fates[i] = f
	}
	return fates, cause
}

// sendAll sends the requests in datagrams.
func (s *socket) sendAll(p *progress) error {
	limit := s.maxUnanswered()
	for from := 0; from < p.n; {
		to, err := s.sendChunk(from, p.n, limit, p)
		if err == nil {
			err = s.repeatRefused(p, from)
		}
		if err != nil {
			return err
		}
		from = to
	}
	return nil
}

// repeatRefused sends again, one by one, the requests that were refused only because
// the family has a new number.
func (s *socket) repeatRefused(p *progress, from int) error {
	for moves := 0; ; moves++ {
		refused := p.refused(from)
		if len(refused) == 0 {
			return nil
		}
		moved, err := s.moved()
		if err == nil && !moved {
			return nil // the family itself refused them
		}
		if moves == maxMoves {
			err = cmp.Or(err, ErrMoving)
		}
		uerr := s.flight.update(func() {
			for _, i := range refused {
				p.mark(i, Fate{State: NotSent})
			}
		})
		if err := cmp.Or(err, uerr); err != nil {
			return err
		}
		for _, i := range refused {
			if _, err := s.sendChunk(i, i+1, 1, p); err != nil {
				return err
			}
		}
	}
}

// sendChunk sends as many requests as fit one datagram and waits for their answers. It
// returns the first request of the next datagram.
func (s *socket) sendChunk(from, to, limit int, p *progress) (next int, err error) {
	first := s.seq + 1
	err = s.send(func() {
		next = s.encode(from, min(to, from+limit), p.appendRequest)
		p.begin(from, next)
	})
	if err != nil {
		return next, err
	}
	failed, err := s.answers(first, s.seq, from)
	if err != nil {
		return next, err
	}
	return next, s.flight.update(func() { p.answer(from, next, failed) })
}

// encode fills the datagram with the requests in [from, to), as far as they fit, and
// returns the first that did not.
//
// No request asks for an acknowledgement: the kernel reports one that fails even so,
// by its sequence number. An empty message at the end asks for one. The last request
// cannot ask instead, because netlink does not acknowledge a request that failed with
// EINTR, as stopping a daemon does that has only just started.
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

// answers collects the errors of the requests with the sequence numbers in
// [first, last), by their index, until last is acknowledged.
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
	// maxDatagram bounds one send. More gains nothing, and the kernel needs
	// that much memory in one piece.
	maxDatagram = 32 << 10

	// longestRequest is more than any request needs. A datagram grows by one before
	// it turns out to be too long.
	longestRequest = 4 << 10

	// answerCost is what the kernel charges for one waiting error message: the
	// message and the kernel's bookkeeping around it.
	answerCost = 1280
)

// maxUnanswered is how many requests can be sent at once so that the answers fit the
// receive buffer even if all of them fail.
func (s *socket) maxUnanswered() int { return max(1, s.conn.ReceiveBuffer()/answerCost) }
