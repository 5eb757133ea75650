package simipvs

// Numbers of netlink.
const (
	headerLen     = 16
	genericLen    = 4 // of the header of generic netlink, behind netlink's
	minType       = 0x10
	typeError     = 2
	typeDone      = 3
	flagRequest   = 0x1
	flagMulti     = 0x2
	flagAck       = 0x4
	flagEcho      = 0x8
	flagDump      = 0x300
	flagCapped    = 0x100 // of an error: the request is not echoed
	flagAckAttrs  = 0x200 // of an error: attributes follow
	attrAckText   = 1
	attrAckOffset = 2
)

// message is a netlink message that was sent.
type message struct {
	kind, flags uint16
	seq         uint32
	bytes       []byte // all of it; its capacity ends with the datagram's
}

// body returns what stands behind both headers.
func (m message) body() []byte { return m.bytes[headerLen+genericLen:] }

// serve does what the messages of a datagram ask for, one after another. A
// length that cannot be true ends the datagram. It reports whether a fault takes
// the answers away, and what ended the datagram before its time.
func (s *Socket) serve(datagram []byte) (lost bool, err error) {
	for rest := datagram; len(rest) >= headerLen; {
		n := host.Uint32(rest)
		if n < headerLen || uint64(n) > uint64(len(rest)) {
			break
		}
		m := message{host.Uint16(rest[4:]), host.Uint16(rest[6:]), host.Uint32(rest[8:]), rest[:n]}
		s.request = request{message: m}
		e := s.answer(&s.request)
		if s.request.broken != nil {
			return lost, s.request.broken
		}
		if e != eintr && (e != 0 || m.flags&flagAck != 0) {
			s.acknowledge(&s.request, e)
		}
		lost = lost || s.request.lost
		rest = rest[min(align(int(n)), len(rest)):]
	}
	return lost, nil
}

// request is a message while it is answered.
type request struct {
	message
	top       attributes
	complaint complaint
	reply     []byte // the message with what was asked for
	lost      bool   // no answer is to come
	broken    error  // what ended the datagram
}

// answer does what a message asks for. What has no request flag, or is
// netlink's own, asks for nothing.
func (s *Socket) answer(r *request) errno {
	switch {
	case r.flags&flagRequest == 0 || r.kind < minType:
		return 0
	case r.kind != familyID && r.kind != controllerID:
		return enoent
	case len(r.bytes) < headerLen+genericLen:
		return einval
	}
	if r.kind == controllerID {
		return s.control(r)
	}
	return s.command(r)
}

// begin appends the headers of a message to the sender of a request, and end
// sets its length.
func (s *Socket) begin(b []byte, kind, flags uint16, seq uint32) (grown []byte, start int) {
	start = len(b)
	b = host.AppendUint32(b, 0)
	b = host.AppendUint16(b, kind)
	b = host.AppendUint16(b, flags)
	b = host.AppendUint32(b, seq)
	return host.AppendUint32(b, s.port), start
}

func end(b []byte, start int) []byte {
	host.PutUint32(b[start:], uint32(len(b)-start))
	return b
}

// acknowledge answers a request with a number, and with a complaint if there is
// one. The client asks not to have its request echoed.
func (s *Socket) acknowledge(r *request, e errno) {
	words, about := r.complaint.words, r.complaint.about
	flags, size := uint16(flagCapped), 2*headerLen+4
	if words != "" {
		flags |= flagAckAttrs
		size += 2*attrHeaderLen + align(len(words)+1) + 4
	}
	b, start := s.begin(make([]byte, 0, size), typeError, flags, r.seq)
	b = host.AppendUint32(b, uint32(-e))
	b = append(b, r.bytes[:headerLen]...)
	if words != "" {
		b = appendText(b, attrAckText, words)
	}
	if about != nil {
		b = appendU32(b, attrAckOffset, uint32(cap(r.bytes)-cap(about)))
	}
	s.put(end(b, start))
}

// The netlink controller, and what it knows of IPVS.
const (
	controllerID = 0x10
	familyID     = 0x1d

	controllerVersion = 2
	ctrlNewFamily     = 1
	ctrlGetFamily     = 3
	ctrlFamilyID      = 1
	ctrlFamilyName    = 2
	ctrlVersion       = 3
	ctrlHeaderSize    = 4
	ctrlMaxAttr       = 5
)

var controllerRules = []rule{ctrlFamilyID: {atLeast, 2}, ctrlFamilyName: {text, 15}}

// control tells the number of a family by its name, or the name by its number.
func (s *Socket) control(r *request) errno {
	if r.bytes[headerLen] != ctrlGetFamily || r.flags&flagDump == flagDump {
		return eopnotsupp
	}
	var e errno
	if r.complaint, e = r.top.parse(r.body(), controllerRules); e != 0 {
		return e
	}
	id, name := uint16(familyID), "IPVS"
	switch {
	case r.top.has(ctrlFamilyName):
		name = string(r.top.text(ctrlFamilyName))
	case r.top.has(ctrlFamilyID):
		id = r.top.u16(ctrlFamilyID)
	default:
		return einval
	}
	if id != familyID || name != "IPVS" {
		return enoent
	}
	b, start := s.begin(nil, controllerID, 0, r.seq)
	b = append(b, ctrlNewFamily, controllerVersion, 0, 0)
	b = appendText(b, ctrlFamilyName, name)
	b = appendU16(b, ctrlFamilyID, id)
	b = appendU32(b, ctrlVersion, familyVersion)
	b = appendU32(b, ctrlHeaderSize, 0)
	b = appendU32(b, ctrlMaxAttr, topMax)
	s.put(end(b, start))
	return 0
}
