package genl

import (
	"bytes"
	"encoding/binary"
	"math"
)

var host = binary.NativeEndian

// Numbers of netlink, the same on every Linux.
const (
	headerLen = 16
	ackLen    = 4 // the errno of an error message; the request's header follows

	typeNoop  = 1
	typeError = 2
	typeDone  = 3
	minType   = 0x10 // lower ones are netlink's own

	flagRequest   = 0x1
	flagMulti     = 0x2
	flagAck       = 0x4
	flagDumpIntr  = 0x10
	flagCapped    = 0x100 // in an error message: the request is not echoed
	flagAckTLVs   = 0x200 // in an error message: attributes follow
	flagDump      = 0x300
	attrAckString = 1
)

// Request appends one message to a buffer, starting with the generic netlink header.
type Request func(b []byte) []byte

// appendRequest appends a request with its netlink header.
func appendRequest(b []byte, kind, flags uint16, seq uint32, request Request) []byte {
	start := len(b)
	b = append(b, make([]byte, headerLen)...)
	if request != nil {
		b = request(b)
	}
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	header := b[start:]
	host.PutUint32(header, uint32(len(header)))
	host.PutUint16(header[4:], kind)
	host.PutUint16(header[6:], flagRequest|flags)
	host.PutUint32(header[8:], seq)
	return b
}

// message is one netlink message of a received datagram.
type message struct {
	kind, flags uint16
	seq         uint32
	body        []byte
}

// splitMessage cuts the first message off a datagram.
func splitMessage(b []byte) (m message, rest []byte, err error) {
	if len(b) < headerLen {
		return m, nil, malformed("%d bytes left where a message should start", len(b))
	}
	n := host.Uint32(b)
	if n < headerLen || uint64(n) > uint64(len(b)) {
		return m, nil, malformed("a message says it is %d bytes long, and %d are left", n, len(b))
	}
	m = message{
		kind:  host.Uint16(b[4:]),
		flags: host.Uint16(b[6:]),
		seq:   host.Uint32(b[8:]),
		body:  b[headerLen:n:n],
	}
	return m, b[min((int(n)+3)&^3, len(b)):], nil
}

// countMessages returns how many whole messages a datagram has.
func countMessages(b []byte) (n int) {
	for len(b) > 0 {
		var err error
		if _, b, err = splitMessage(b); err != nil {
			return n
		}
		n++
	}
	return n
}

// answer reads an error or done message: nil, or an [*Error].
func (m message) answer() error {
	if len(m.body) < ackLen {
		if m.kind == typeDone {
			return nil // the done message of an old kernel has no status
		}
		return malformed("an error message of %d bytes", len(m.body))
	}
	code := int32(host.Uint32(m.body))
	if code == 0 {
		return nil
	}
	if code > 0 || code == math.MinInt32 {
		return malformed("an error message with status %d", code)
	}
	return &Error{Errno: int(-code), Message: m.ackString()}
}

// ackString returns the text of an extended acknowledgement.
func (m message) ackString() string {
	if m.kind != typeError || m.flags&flagAckTLVs == 0 {
		return ""
	}
	skip := ackLen + headerLen
	if m.flags&flagCapped == 0 && len(m.body) >= skip {
		// The whole request is echoed between the errno and the attributes.
		skip = ackLen + (int(min(host.Uint32(m.body[ackLen:]), math.MaxUint16))+3)&^3
	}
	if len(m.body) < skip {
		return ""
	}
	text, _ := findAttr(m.body[skip:], attrAckString)
	text, _, _ = bytes.Cut(text, []byte{0})
	return string(text)
}

// findAttr returns the payload of the first attribute with the given number.
func findAttr(b []byte, attr uint16) ([]byte, bool) {
	for len(b) >= 4 {
		n := int(host.Uint16(b))
		if n < 4 || n > len(b) {
			return nil, false
		}
		if host.Uint16(b[2:])&0x3fff == attr {
			return b[4:n], true
		}
		b = b[min((n+3)&^3, len(b)):]
	}
	return nil, false
}
