package simipvs

import (
	"errors"
	"os"
	"slices"
	"sync"

	"github.com/golvs/lvs/internal/genl"
)

const (
	// receiveBuffer is what a privileged process gets that asks for 1 MiB.
	receiveBuffer = 2 << 20

	// maxSent is the largest datagram that fits Linux's usual send buffer.
	maxSent = 212992 - 32

	// bookkeeping is what the kernel books for a waiting datagram besides its
	// bytes, of which it books at least minBooked.
	bookkeeping = 576
	minBooked   = 192
)

// Socket is a socket of generic netlink. It is a [genl.Socket].
type Socket struct {
	k          *Kernel
	privileged bool
	port       uint32
	dump       *dump  // that is under way
	filling    []byte // what the last datagram of a dump was made in
	largest    int    // buffer that it received with
	request    request

	mu        sync.Mutex // guards what follows
	changed   sync.Cond
	waiting   [][]byte
	booked    int // bytes of the receive buffer
	overrun   bool
	congested bool  // takes no datagram until all that wait are received
	ended     error // why nothing can be sent or received any more
}

var _ genl.Socket = (*Socket)(nil)

// Dial opens a socket, as one with CAP_NET_ADMIN or as one without.
func (k *Kernel) Dial(privileged bool) *Socket {
	k.lock()
	defer k.mu.Unlock()
	k.sockets++
	s := &Socket{k: k, privileged: privileged, port: k.sockets}
	s.changed.L = &s.mu
	return s
}

var (
	errTooLarge  = errors.New("netlink: message too long")
	errTruncated = errors.New("netlink: a datagram is larger than the buffer")
)

// Send does all that the messages ask for before it returns.
func (s *Socket) Send(datagram []byte) error {
	s.mu.Lock()
	ended, before := s.ended, len(s.waiting)
	s.mu.Unlock()
	if ended != nil {
		return ended
	}
	if len(datagram) > maxSent {
		return errTooLarge
	}
	lost, err := s.serve(datagram)
	if lost {
		s.lose(before)
	}
	return err
}

// lose drops all answers but the first that wait.
func (s *Socket) lose(first int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.waiting[first:] {
		s.booked -= cost(b)
	}
	s.waiting = s.waiting[:first]
	s.dump = nil
}

// Receive waits for a datagram. What is larger than b is lost, and an error.
func (s *Socket) Receive(b []byte) (int, error) {
	datagram, err := s.take()
	if err != nil {
		return 0, err
	}
	s.largest = max(s.largest, len(b))
	s.continueDump(receiveBuffer / 2)
	if len(datagram) > len(b) {
		return 0, errTruncated
	}
	return copy(b, datagram), nil
}

func (s *Socket) take() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.waiting) == 0 && !s.overrun && s.ended == nil {
		s.changed.Wait()
	}
	switch {
	case s.ended != nil:
		return nil, s.ended
	case s.overrun:
		s.overrun = false
		return nil, genl.ErrOverrun
	}
	datagram := s.waiting[0]
	s.waiting = slices.Delete(s.waiting, 0, 1) // which keeps the room
	s.booked -= cost(datagram)
	if len(s.waiting) == 0 {
		s.congested = false
	}
	return datagram, nil
}

// put lets a datagram wait to be received, or drops it when too much waits.
func (s *Socket) put(datagram []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.congested {
		return
	}
	if s.booked > receiveBuffer {
		s.overrun, s.congested = true, true
		return
	}
	s.waiting = append(s.waiting, datagram)
	s.booked += cost(datagram)
	s.changed.Signal()
}

// hasRoom reports whether no more than so many bytes are booked.
func (s *Socket) hasRoom(booked int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.booked <= booked
}

// cost is what a datagram takes of the receive buffer.
func cost(datagram []byte) int { return bookkeeping + max(minBooked, cap(datagram)) }

// ReceiveBuffer returns how many bytes may wait.
func (s *Socket) ReceiveBuffer() int { return receiveBuffer }

// Interrupt ends the socket.
func (s *Socket) Interrupt() { s.end(os.ErrDeadlineExceeded) }

// Close ends the socket.
func (s *Socket) Close() error {
	s.end(os.ErrClosed)
	return nil
}

func (s *Socket) end(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended == nil {
		s.ended = why
	}
	s.changed.Broadcast()
}
