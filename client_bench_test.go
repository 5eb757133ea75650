package lvs

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/golvs/lvs/internal/genl"
)

// BenchmarkClient is what a client computes while it adds a table of 500 services with
// 10 real servers each, and while it reads it. Its kernel only repeats the answers that
// a simulator has given before.
func BenchmarkClient(b *testing.B) {
	ctx := b.Context()
	sim, err := NewSimulator(SimOptions{})
	if err != nil {
		b.Fatal(err)
	}
	changes := benchChanges(500, 10)
	if err := sim.Client().Do(ctx, changes...); err != nil {
		b.Fatal(err)
	}
	k := &repeatingKernel{to: sim.dial, answers: map[string][][]byte{}}
	c, err := newClient(ctx, k.dial, orDiscard(nil))
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	benchCall(b, "Do", func() error { return c.Do(ctx, changes...) })
	benchCall(b, "Snapshot", func() error { _, err := c.Snapshot(ctx); return err })
}

func benchCall(b *testing.B, name string, call func() error) {
	if err := call(); err != nil { // so that what it asks for is known
		b.Fatal(err)
	}
	b.Run(name, func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := call(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func benchChanges(services, servers int) (all []Change) {
	for s := range services {
		id := TCP(benchAddr(1, s))
		all = append(all, AddService(Service{ID: id, Scheduler: RR}))
		for r := range servers {
			all = append(all, AddRealServer(id, RealServer{Addr: benchAddr(2, s*servers+r), Mode: DR(), Weight: 1}))
		}
	}
	return all
}

func benchAddr(net byte, n int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, net, byte(n >> 8), byte(n)}), 80)
}

// repeatingKernel gives the answers of another kernel to dumps, which it asks once, and
// to the family's name. It acknowledges changes, and makes none.
type repeatingKernel struct {
	to      genl.Dialer
	answers map[string][][]byte // by the request without its header
}

func (k *repeatingKernel) dial() (genl.Socket, error) {
	to, err := k.to()
	return &repeatingSocket{Socket: to, kernel: k}, err
}

type repeatingSocket struct {
	genl.Socket
	kernel  *repeatingKernel
	waiting [][]byte
	seq     []byte // of the request that they answer
}

const netlinkHeader = 16

func (s *repeatingSocket) Send(b []byte) (err error) {
	last := b
	for n := binary.NativeEndian.Uint32(last); int(n) < len(last); n = binary.NativeEndian.Uint32(last) {
		last = last[n:]
	}
	s.seq = bytes.Clone(last[8:12])
	if len(last) < len(b) { // changes
		s.waiting = [][]byte{acknowledgement}
		return nil
	}
	waiting, known := s.kernel.answers[string(b[netlinkHeader:])]
	if !known {
		if waiting, err = s.ask(b); err != nil {
			return err
		}
		s.kernel.answers[string(b[netlinkHeader:])] = waiting
	}
	s.waiting = waiting
	return nil
}

// acknowledgement has room for the header of the request that was made.
var acknowledgement = func() []byte {
	b := make([]byte, 2*netlinkHeader+4)
	binary.NativeEndian.PutUint32(b, uint32(len(b)))
	b[4] = 2 // NLMSG_ERROR, of which 0 says that there was none
	return b
}()

// ask returns the answers to a request, of which a dump has more than one.
func (s *repeatingSocket) ask(request []byte) (all [][]byte, err error) {
	if err := s.Socket.Send(request); err != nil {
		return nil, err
	}
	isDump := binary.NativeEndian.Uint16(request[6:])&0x300 != 0
	for b := make([]byte, 32<<10); ; {
		n, err := s.Socket.Receive(b)
		if err != nil {
			return nil, err
		}
		all = append(all, bytes.Clone(b[:n]))
		if isDone := binary.NativeEndian.Uint16(b[4:]) == 3; isDone || !isDump {
			return all, nil
		}
	}
}

func (s *repeatingSocket) Receive(b []byte) (int, error) {
	n := copy(b, s.waiting[0])
	s.waiting = s.waiting[1:]
	for rest := b[:n]; len(rest) > 0; rest = rest[binary.NativeEndian.Uint32(rest):] {
		copy(rest[8:12], s.seq)
	}
	return n, nil
}
