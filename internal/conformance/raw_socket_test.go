package conformance

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/golvs/lvs"

	"github.com/golvs/lvs/internal/genl"
)

// reply is a message from the kernel.
type reply struct {
	kind, flags uint16
	seq         uint32
	body        []byte // from the generic netlink header on; of an error, from its number
}

func (r reply) errno() lvs.Errno { return lvs.Errno(-int32(binary.NativeEndian.Uint32(r.body))) }

// rawConn is a socket to IPVS.
type rawConn struct {
	t      testing.TB
	socket genl.Socket
	giveUp *time.Timer // ends waiting for an answer that does not come
	family uint16
	seq    uint32
	buf    []byte
}

func dialRaw(t testing.TB, dial genl.Dialer) *rawConn {
	t.Helper()
	s, err := dial()
	if err != nil {
		t.Fatalf("dialling: %v", err)
	}
	c := &rawConn{t: t, socket: s, giveUp: time.AfterFunc(patience, s.Interrupt), buf: make([]byte, 1<<16)}
	t.Cleanup(func() { c.giveUp.Stop(); s.Close() })
	c.family = c.resolve()
	return c
}

// resolve asks the controller, family 16, for the number of IPVS.
func (c *rawConn) resolve() uint16 {
	c.t.Helper()
	const controller, getFamily, familyID, familyName = 16, 3, 1, 2
	answers, errno := c.ask(request{
		command: getFamily, family: controller, body: attributes{{familyName, text("IPVS")}}.encode(),
	})
	if errno != 0 || len(answers) != 1 {
		c.t.Fatalf("resolving the family: %d answers, %v", len(answers), errno)
	}
	return binary.NativeEndian.Uint16(parseAttributes(c.t, answers[0].body[4:]).get(familyID))
}

// encode gives the request the next sequence number.
func (c *rawConn) encode(r request) []byte {
	c.seq++
	family := c.family
	if r.family != 0 {
		family = r.family
	}
	if !r.notAsk {
		r.flags |= nlRequest
	}
	b := u32(uint32(16 + 4 + len(r.body)))
	b = append(b, u16(family)...)
	b = append(b, u16(r.flags)...)
	b = append(b, u32(c.seq)...)
	b = append(b, u32(0)...)
	b = append(b, r.command, 1, 0, 0)
	return append(b, r.body...)
}

// post sends requests in one datagram and returns the first one's sequence
// number.
func (c *rawConn) post(requests ...request) uint32 {
	c.t.Helper()
	first := c.seq + 1
	var datagram []byte
	for _, r := range requests {
		datagram = append(datagram, c.encode(r)...)
		datagram = append(datagram, make([]byte, -len(datagram)&3)...)
	}
	c.postBytes(datagram)
	return first
}

func (c *rawConn) postBytes(datagram []byte) {
	c.t.Helper()
	c.giveUp.Reset(patience)
	if err := c.socket.Send(datagram); err != nil {
		c.t.Fatalf("sending: %v", err)
	}
}

// receive returns the messages of the next datagram.
func (c *rawConn) receive() (all []reply) {
	c.t.Helper()
	n, err := c.socket.Receive(c.buf)
	if err != nil {
		c.t.Fatalf("receiving: %v", err)
	}
	for b := slices.Clone(c.buf[:n]); len(b) > 0; {
		n := int(binary.NativeEndian.Uint32(b))
		all = append(all, reply{
			kind:  binary.NativeEndian.Uint16(b[4:]),
			flags: binary.NativeEndian.Uint16(b[6:]),
			seq:   binary.NativeEndian.Uint32(b[8:]),
			body:  b[16:n],
		})
		b = b[min((n+3)&^3, len(b)):]
	}
	return all
}

// ask sends a request that asks for an acknowledgement, and returns what came
// before the end of the answer, and the errno in it. A second message behind it,
// which netlink itself acknowledges, shows that nothing else comes.
func (c *rawConn) ask(r request) (answers []reply, errno lvs.Errno) {
	c.t.Helper()
	seq := c.post(r.with(nlAck), barrier())
	for answered, passed := mayStaySilent(r), false; !answered || !passed; {
		for _, m := range c.receive() {
			end := m.kind == nlError || m.kind == nlDone
			switch {
			case m.seq == seq+1 && m.kind == nlError && m.errno() == 0:
				passed = true
			case m.seq != seq, answered && !mayStaySilent(r):
				c.t.Fatalf("an answer too many to command %d: %+v", r.command, m)
			case end:
				answered, errno = true, m.errno()
			default:
				answers = append(answers, m)
			}
		}
	}
	return answers, errno
}

// barrier is a message that does nothing and is acknowledged.
func barrier() request { return request{family: nlNoop, flags: nlAck} }

// mayStaySilent reports whether the kernel may leave a request without an answer:
// one that stops a daemon whose thread has not run yet. The kernel answers that
// with EINTR, for which netlink sends no reply.
func mayStaySilent(r request) bool { return r.family == 0 && r.command == cDelDaemon }

// do sends a request of which only the success matters.
func (c *rawConn) do(r request) lvs.Errno {
	c.t.Helper()
	_, errno := c.ask(r)
	return errno
}

// must sends requests that cannot fail.
func (c *rawConn) must(requests ...request) {
	c.t.Helper()
	for i, r := range requests {
		if errno := c.do(r); errno != 0 {
			c.t.Fatalf("request %d (command %d): %v", i, r.command, errno)
		}
	}
}

// mustAll sends many requests that cannot fail, many in a datagram.
func (c *rawConn) mustAll(requests []request) {
	c.t.Helper()
	for chunk := range slices.Chunk(requests, 64) {
		first := c.post(append(slices.Clip(chunk), barrier())...)
		for _, m := range c.until(first + uint32(len(chunk))) {
			if m.kind == nlError && m.errno() != 0 {
				c.t.Fatalf("request %d of %d: %v", m.seq-first, len(chunk), m.errno())
			}
		}
	}
}

// until returns all messages up to the acknowledgement of a request.
func (c *rawConn) until(seq uint32) (all []reply) {
	c.t.Helper()
	for {
		for _, m := range c.receive() {
			all = append(all, m)
			if m.seq == seq && m.kind == nlError {
				return all
			}
		}
	}
}

// read returns the objects in the reply to a request, in the kernel's order:
// services, destinations or daemons, or the attributes at the top.
func (c *rawConn) read(r request) (objects []attributes) {
	c.t.Helper()
	answers, errno := c.ask(r)
	if errno != 0 {
		c.t.Fatalf("reading by command %d: %v", r.command, errno)
	}
	for _, m := range answers {
		top := parseAttributes(c.t, m.body[4:])
		nest := map[uint8]uint16{cGetService: aService, cGetDest: aDest, cGetDaemon: aDaemon}[r.command]
		if nest == 0 {
			objects = append(objects, top)
			continue
		}
		if len(top) != 1 || top[0].number != nest {
			c.t.Fatalf("command %d was answered with %v, want one attribute %d", r.command, top, nest)
		}
		objects = append(objects, parseAttributes(c.t, top[0].value))
	}
	return objects
}

// one returns the only object.
func (c *rawConn) one(r request) attributes {
	c.t.Helper()
	all := c.read(r)
	if len(all) != 1 {
		c.t.Fatalf("command %d was answered with %d objects, want 1", r.command, len(all))
	}
	return all[0]
}
