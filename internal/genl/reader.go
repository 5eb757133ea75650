package genl

import "context"

// Read calls work, which makes any number of requests that change nothing, one after
// another on one socket. They cost no hand-over between goroutines. work may still run
// when Read has returned, so what it writes must be its own until it returns it.
func Read[T any](ctx context.Context, c *Conn, work func(*Reader) (T, error)) (T, error) {
	return call(ctx, c, reading, func(s *socket) (T, error) { return work(&Reader{s}) })
}

// Reader makes the requests of a [Read]. After an error it is not used again, unless
// the error is the kernel's answer.
type Reader struct{ socket *socket }

// Get sends a request and returns the one message that answers it, which is valid
// until the next request.
func (r *Reader) Get(request Request) ([]byte, error) {
	return again(r.socket, func() ([]byte, error) { return r.socket.get(r.socket.family, request) })
}

// Dump sends a request that any number of messages answer, and hands visit each.
// visit must not keep the message.
func (r *Reader) Dump(request Request, visit func(msg []byte) error) error {
	visited := false
	_, err := again(r.socket, func() (none struct{}, err error) {
		if visited {
			return none, ErrInterrupted
		}
		return none, r.socket.dump(request, func(msg []byte) error {
			visited = true
			return visit(msg)
		})
	})
	return err
}

func (s *socket) dump(request Request, visit func(msg []byte) error) error {
	seq, err := s.sendOne(s.family, flagDump, request)
	if err != nil {
		return err
	}
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
			return false, malformed("a message of type %d, want %d", m.kind, s.family)
		case s.flight.isGivenUp():
			return false, errGivenUp // without decoding the datagrams that wait
		}
		if err := visit(m.body); err != nil {
			return false, malformed("%w", err)
		}
		return false, nil
	})
	if err == nil {
		err = answer
	}
	return err
}
