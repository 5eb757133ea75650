package genl

import (
	"context"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// fakeKernel answers the sockets that it dials as a kernel would: it knows one
// family, whose number can change, and does what handle says.
type fakeKernel struct {
	mu       sync.Mutex
	family   uint16 // 0: there is none
	handle   func(cmd byte, args []byte) (errno int, reply [][]byte)
	executed [][]byte // the args of every request that reached handle
	dialled  int
	open     int
	buffer   int
	moves    int           // how often the family moves on as soon as its number was given
	blocking chan struct{} // when not nil, Send waits until it is closed
	pause    func()        // when not nil, it is called wherever the kernel may take its time
}

const eintr = 4

func newFakeKernel(handle func(cmd byte, args []byte) (int, [][]byte)) *fakeKernel {
	return &fakeKernel{family: 0x20, handle: handle, buffer: 1 << 20}
}

func (k *fakeKernel) dial() (Socket, error) {
	k.takeTime()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.dialled++
	k.open++
	return &fakeSocket{kernel: k, queue: make(chan []byte, 1<<16), interrupted: make(chan struct{})}, nil
}

func (k *fakeKernel) takeTime() {
	if k.pause != nil {
		k.pause()
	}
}

type fakeSocket struct {
	kernel      *fakeKernel
	queue       chan []byte
	interrupted chan struct{}
	once        sync.Once
	closed      atomic.Bool
}

func (s *fakeSocket) Send(b []byte) error {
	k := s.kernel
	k.takeTime()
	defer k.takeTime()
	k.mu.Lock()
	blocking := k.blocking
	k.mu.Unlock()
	if blocking != nil {
		<-blocking
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for len(b) > 0 {
		n := host.Uint32(b)
		s.answer(host.Uint16(b[4:]), host.Uint16(b[6:]), host.Uint32(b[8:]), b[headerLen:n])
		b = b[n:]
	}
	return nil
}

func (s *fakeSocket) answer(kind, flags uint16, seq uint32, body []byte) {
	k := s.kernel
	switch {
	case kind < minType: // netlink's own, which never gets to the family
		if flags&flagAck != 0 {
			s.push(fakeAck(seq, 0))
		}
		return
	case kind == controller && k.family != 0:
		id := attribute(attrFamilyID, host.AppendUint16(nil, k.family))
		s.push(encode(controller, 0, seq, append([]byte{1, 2, 0, 0}, id...)))
		if k.moves > 0 {
			k.moves--
			k.family++
		}
		return
	case kind == controller || kind != k.family:
		s.push(fakeAck(seq, enoent))
		return
	}
	k.executed = append(k.executed, slices.Clone(body[4:]))
	errno, replies := k.handle(body[0], body[4:])
	switch {
	case flags&flagDump == flagDump:
		for _, r := range replies {
			s.push(encode(k.family, flagMulti, seq, r))
		}
		s.push(encode(typeDone, flagMulti, seq, []byte{0, 0, 0, 0}))
	case len(replies) > 0:
		s.push(encode(k.family, 0, seq, replies[0]))
	case errno == eintr: // netlink's receive loop skips the answer
	case errno != 0 || flags&flagAck != 0:
		s.push(fakeAck(seq, errno))
	}
}

func (s *fakeSocket) push(b []byte) {
	select {
	case s.queue <- b:
	default:
		panic("the answers do not fit")
	}
}

func encode(kind, flags uint16, seq uint32, body []byte) []byte {
	b := host.AppendUint32(nil, uint32(headerLen+len(body)))
	b = host.AppendUint16(b, kind)
	b = host.AppendUint16(b, flags)
	b = host.AppendUint32(b, seq)
	b = host.AppendUint32(b, 0)
	return append(b, body...)
}

// attribute is one, filled up to the boundary that the next starts at.
func attribute(number uint16, value []byte) []byte {
	b := host.AppendUint16(nil, uint16(4+len(value)))
	b = append(host.AppendUint16(b, number), value...)
	return append(b, make([]byte, -len(b)&3)...)
}

func fakeAck(seq uint32, errno int) []byte {
	return encode(typeError, flagCapped, seq, append(host.AppendUint32(nil, uint32(-errno)), make([]byte, headerLen)...))
}

func (s *fakeSocket) Receive(b []byte) (int, error) {
	s.kernel.takeTime()
	select {
	case d := <-s.queue:
		return copy(b, d), nil
	case <-s.interrupted:
		return 0, os.ErrDeadlineExceeded
	}
}

func (s *fakeSocket) ReceiveBuffer() int { return s.kernel.buffer }
func (s *fakeSocket) Interrupt()         { s.once.Do(func() { close(s.interrupted) }) }
func (s *fakeSocket) Close() error {
	if s.closed.Swap(true) {
		panic("closed twice")
	}
	s.kernel.mu.Lock()
	defer s.kernel.mu.Unlock()
	s.kernel.open--
	return nil
}

func (k *fakeKernel) count() (dialled, open int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.dialled, k.open
}

func (k *fakeKernel) set(change func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	change()
}

func open(t *testing.T, k *fakeKernel) *Conn {
	t.Helper()
	c, err := Open(t.Context(), k.dial, "TEST")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// send sends n requests whose argument is their number.
func send(ctx context.Context, c *Conn, n int) ([]Fate, error) {
	return c.Send(ctx, n, func(b []byte, i int) []byte { return numbered(uint32(i))(b) })
}

// numbered is a request with a number as its argument.
func numbered(i uint32) Request {
	return func(b []byte) []byte { return host.AppendUint32(append(b, 1, 1, 0, 0), i) }
}

func accept(byte, []byte) (int, [][]byte) { return 0, nil }

// echo answers a request with its own argument.
func echo(cmd byte, args []byte) (int, [][]byte) { return 0, [][]byte{slices.Clone(args)} }
