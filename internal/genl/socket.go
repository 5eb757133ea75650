package genl

import (
	"cmp"
	"fmt"
	"runtime"
)

// datagramLen is the largest datagram of a dump. The kernel sizes each by the buffers
// that it has seen in receives on that socket.
const datagramLen = 32 << 10

// socket is a Socket with the family's number as last read from the kernel. It belongs
// to one call at a time, or to none while it is idle.
type socket struct {
	flight *flight
	conn   Socket // nil until it is dialled

	family   uint16 // 0 until it is resolved
	seq      uint32
	in, out  []byte
	messages int    // how many the datagram in has
	received uint32 // datagrams

	unanswered bool // from before a request is sent until its last answer
}

// ready dials and resolves the family, as far as neither has been done. The round trip
// has a second purpose: the kernel makes the first datagram of a dump before anything
// is received for it, as large as the buffer of an earlier receive.
func (s *socket) ready() (err error) {
	if s.conn == nil {
		if err := s.open(); err != nil {
			return err
		}
	}
	if s.family == 0 {
		s.family, err = s.resolve()
	}
	return err
}

func (s *socket) open() error {
	if err := s.flight.enter(nil, nil); err != nil {
		return err
	}
	conn, err := s.flight.conn.dial()
	if err == nil {
		s.conn = conn
		s.in, s.out = make([]byte, datagramLen), make([]byte, 0, maxDatagram+longestRequest)
	}
	return cmp.Or(s.flight.leave(), err)
}

// send sends the datagram s.out, which prepare may still fill.
func (s *socket) send(prepare func()) error {
	if err := s.flight.enter(s.conn, prepare); err != nil {
		return err
	}
	s.unanswered = true
	err := s.conn.Send(s.out)
	return cmp.Or(s.flight.leave(), err)
}

// receive hands visit the messages of one datagram, until visit is done or
// fails.
func (s *socket) receive(visit func(message) (done bool, err error)) (done bool, err error) {
	if err := s.flight.enter(s.conn, nil); err != nil {
		return false, err
	}
	n, err := s.conn.Receive(s.in)
	if err := cmp.Or(s.flight.leave(), err); err != nil {
		return false, err
	}
	s.messages = countMessages(s.in[:n])
	for rest := s.in[:n]; len(rest) > 0 && !done; {
		var m message
		if m, rest, err = splitMessage(rest); err == nil {
			done, err = visit(m)
		}
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// await receives until visit is done.
func (s *socket) await(visit func(message) (bool, error)) error {
	for {
		done, err := s.receive(visit)
		if done && err == nil {
			s.unanswered = false
		}
		if done || err != nil {
			return err
		}
		s.yield()
	}
}

// yield lets others run once in a while. Answers that are waiting arrive without a
// pause: with one processor, the caller would not notice that its context has ended.
func (s *socket) yield() {
	if s.received++; s.received%16 == 0 {
		runtime.Gosched()
	}
}

// sendOne sends one request and returns its sequence number.
func (s *socket) sendOne(kind, flags uint16, request Request) (uint32, error) {
	s.seq++
	s.out = appendRequest(s.out[:0], kind, flags, s.seq, request)
	return s.seq, s.send(nil)
}

// get sends a request that one message or an error answers. The message is valid until
// the next receive.
func (s *socket) get(kind uint16, request Request) (body []byte, err error) {
	seq, err := s.sendOne(kind, 0, request)
	if err != nil {
		return nil, err
	}
	var answer error
	err = s.await(func(m message) (bool, error) {
		switch {
		case m.seq != seq:
			return false, nil
		case m.kind == typeError:
			if answer = m.answer(); answer == nil {
				return true, malformed("an acknowledgement where data was expected")
			}
			return true, nil
		case m.kind == kind:
			body = m.body
			return true, nil
		}
		return false, malformed("a message of type %d, want %d", m.kind, kind)
	})
	if err == nil {
		err = answer
	}
	return body, err
}

// The netlink controller, which knows the families.
const (
	controller        = minType
	controllerVersion = 1
	cmdGetFamily      = 3
	attrFamilyID      = 1
	attrFamilyName    = 2
)

// resolve asks for the number of the family. The kernel loads the module.
func (s *socket) resolve() (uint16, error) {
	name := s.flight.conn.name
	body, err := s.get(controller, func(b []byte) []byte {
		b = append(b, cmdGetFamily, controllerVersion, 0, 0)
		b = host.AppendUint16(b, uint16(4+len(name)+1))
		b = host.AppendUint16(b, attrFamilyName)
		return append(append(b, name...), 0)
	})
	if errno(err) == enoent {
		return 0, ErrNoFamily
	}
	if err != nil {
		return 0, fmt.Errorf("resolving the family %s: %w", name, err)
	}
	if len(body) < 4 {
		return 0, malformed("resolving the family %s: an answer of %d bytes", name, len(body))
	}
	id, ok := findAttr(body[4:], attrFamilyID)
	if !ok || len(id) != 2 {
		return 0, malformed("resolving the family %s: an answer without its number", name)
	}
	if host.Uint16(id) <= minType {
		return 0, malformed("resolving the family %s: %d cannot be its number", name, host.Uint16(id))
	}
	return host.Uint16(id), nil
}

// moved reports whether the family has a new number: its module was removed and loaded
// again, and requests with the old number were refused unread.
func (s *socket) moved() (bool, error) {
	family, err := s.resolve()
	if err != nil {
		return false, err
	}
	moved := family != s.family
	s.family = family
	return moved, nil
}
