package simipvs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
)

// syncEntry is a connection, or a template, in a message between sync daemons.
type syncEntry struct {
	ends              // of the client; protocol 0: the template of a mark
	server            [16]byte
	serverPort        uint16
	state             uint16
	flags             uint32 // as the kernel keeps them
	mark, timeout     uint32 // in seconds; version 0 has neither
	sequences         []byte // by which a helper shifts those of TCP; nil: none
	engine, engineKey string // of a template; "": none
}

// Flags of an entry, besides the forwarding method in the lowest bits.
const (
	syncSynced    = 0x20 // its sender had it from another director
	syncNoOutput  = 0x80
	syncInactive  = 0x100
	syncSequences = 0x600 // it has shifts of sequence numbers
	syncNoPort    = 0x800 // the client's port is not known yet
	syncTemplate  = 0x1000
	syncOnePacket = 0x2000
	syncTracked   = 0x10000

	// syncTaken are the flags that a backup takes over from messages of version 1.
	syncTaken = methodMask | syncNoOutput | syncInactive | syncSequences | syncNoPort | syncTemplate
)

// Both versions of messages have a header and then entries: version 1 pads them to
// four bytes and lets options follow, version 0 has IPv4 alone.
const (
	headerV0, headerV1   = 4, 8
	entryV0              = 24
	entryIPv4, entryIPv6 = 36, 72
	sequencesLength      = 24
	optionHeader         = 2
)

// Options of an entry of version 1. One that is unknown is skipped if it may be.
const (
	optionSequences = 1
	optionKey       = 2
	optionEngine    = 3
	optionMaySkip   = 0x40

	longestEngine = 16
)

func (e *syncEntry) is(flag uint32) bool { return e.flags&flag != 0 }

// length returns how many bytes an entry of version 1 has.
func (e *syncEntry) length() int {
	n := entryIPv4
	if e.family == inet6 {
		n = entryIPv6
	}
	if e.is(syncSequences) {
		n += optionHeader + sequencesLength
	}
	if e.engineKey != "" {
		n += optionHeader + len(e.engineKey) + optionHeader + len(e.engine)
	}
	return n
}

// appendTo appends an entry of version 1.
func (e *syncEntry) appendTo(b []byte) []byte {
	kind := byte(0)
	if e.family == inet6 {
		kind = 1
	}
	b = append(b, kind, e.protocol)
	b = binary.BigEndian.AppendUint16(b, uint16(e.length()))
	b = binary.BigEndian.AppendUint32(b, e.flags)
	for _, n := range []uint16{e.state, e.sport, e.dport, e.serverPort} {
		b = binary.BigEndian.AppendUint16(b, n)
	}
	b = binary.BigEndian.AppendUint32(b, e.mark)
	b = binary.BigEndian.AppendUint32(b, e.timeout)
	for _, a := range []*[16]byte{&e.src, &e.dst, &e.server} {
		b = appendSyncAddr(b, e.family, a)
	}
	if e.is(syncSequences) {
		b = append(append(b, optionSequences, sequencesLength), e.sequences...)
	}
	if e.engineKey != "" {
		b = append(append(b, optionKey, byte(len(e.engineKey))), e.engineKey...)
		b = append(append(b, optionEngine, byte(len(e.engine))), e.engine...)
	}
	return b
}

// appendV0To appends an entry of version 0, whose sequence numbers are as the sender's
// machine has them.
func (e *syncEntry) appendV0To(b []byte) []byte {
	b = append(b, 0, e.protocol)
	for _, port := range []uint16{e.sport, e.dport, e.serverPort} {
		b = binary.BigEndian.AppendUint16(b, port)
	}
	for _, a := range []*[16]byte{&e.src, &e.dst, &e.server} {
		b = appendSyncAddr(b, inet4, a)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(e.flags))
	b = binary.BigEndian.AppendUint16(b, e.state)
	if e.is(syncSequences) {
		b = append(b, exchanged(e.sequences)...)
	}
	return b
}

// exchanged turns numbers of 32 bits from the network's order to the machine's, or back.
func exchanged(b []byte) (out []byte) {
	for ; len(b) >= 4; b = b[4:] {
		out = binary.NativeEndian.AppendUint32(out, binary.BigEndian.Uint32(b))
	}
	return out
}

func appendSyncAddr(b []byte, family uint32, a *[16]byte) []byte {
	if family == inet6 {
		return append(b, a[:]...)
	}
	return append(b, a[12:]...)
}

func syncAddr(b []byte) [16]byte {
	if len(b) == 4 {
		return netip.AddrFrom4([4]byte(b)).As16()
	}
	return [16]byte(b)
}

// malformedEntry is why the kernel ignores an entry of version 1 and the rest of the
// message.
type malformedEntry string

func (e malformedEntry) Error() string { return string(e) }

const (
	errSyncShort   = malformedEntry("it ends within an entry")
	errSyncVersion = malformedEntry("an entry has an unknown version")
	errSyncKind    = malformedEntry("an entry is neither of IPv4 nor of IPv6")
	errSyncOption  = malformedEntry("an option of an entry is malformed")
)

// Why the kernel ignores an entry and nothing else.
var (
	errSyncUnknown = errors.New("an entry has an unknown option that must not be skipped")
	errSyncEngine  = errors.New("an entry has the data of an unknown persistence engine")
	errSyncState   = errors.New("an entry has a protocol or a state that does not exist")

	errSyncOnePacket = errors.New("an entry has the flag of one-packet scheduling")
)

// readSync reads the entries of a message and hands each on. It returns why the last one was
// ignored that was.
func readSync(b []byte, take func(*syncEntry) error) error {
	if len(b) < headerV0 || int(binary.BigEndian.Uint16(b[2:])) != len(b) {
		return fmt.Errorf("its header does not say that it has %d bytes", len(b))
	}
	const version = 1
	if len(b) >= headerV1 && b[0] == 0 && b[5] == version && b[6] == 0 && b[7] == 0 {
		return readSyncV1(b, int(b[4]), take)
	}
	return readSyncV0(b, int(b[0]), take)
}

func readSyncV1(b []byte, entries int, take func(*syncEntry) error) (skipped error) {
	at := headerV1
	for range entries {
		if at+entryIPv4 > len(b) {
			return errSyncShort
		}
		const sizeMask, versionShift = 0xfff, 12
		sizes := binary.BigEndian.Uint16(b[at+2:])
		size := int(sizes & sizeMask)
		switch {
		case at+size > len(b):
			return errSyncShort
		case sizes>>versionShift != 0:
			return errSyncVersion
		}
		var e syncEntry
		err := e.read(b[at : at+size])
		if err == nil {
			err = take(&e)
		}
		var malformed malformedEntry
		switch {
		case errors.As(err, &malformed):
			return err
		case err != nil:
			skipped = err
		}
		at += (size + 3) &^ 3
	}
	return skipped
}

// read reads an entry of version 1.
func (e *syncEntry) read(b []byte) error {
	length, wide := entryIPv4, 4
	switch {
	case len(b) > 0 && b[0]&1 != 0:
		e.family, length, wide = inet6, entryIPv6, 16
	case len(b) > 0 && b[0] == 0:
		e.family = inet4
	default:
		return errSyncKind
	}
	if len(b) < length {
		return errSyncShort
	}
	e.protocol, e.flags, e.state = b[1], binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint16(b[8:])
	e.sport, e.dport, e.serverPort = binary.BigEndian.Uint16(b[10:]), binary.BigEndian.Uint16(b[12:]), binary.BigEndian.Uint16(b[14:])
	e.mark, e.timeout = binary.BigEndian.Uint32(b[16:]), binary.BigEndian.Uint32(b[20:])
	addrs := b[24:]
	e.src, e.dst, e.server = syncAddr(addrs[:wide]), syncAddr(addrs[wide:2*wide]), syncAddr(addrs[2*wide:3*wide])
	return e.readOptions(b[length:])
}

func (e *syncEntry) readOptions(b []byte) error {
	for len(b) > 0 {
		if len(b) < optionHeader || b[1] == 0 || int(b[1]) > len(b)-optionHeader {
			return errSyncOption
		}
		kind, value := b[0], b[optionHeader:optionHeader+int(b[1])]
		b = b[optionHeader+len(value):]
		switch kind &^ optionMaySkip {
		case optionSequences:
			if e.sequences != nil || len(value) != sequencesLength {
				return errSyncOption
			}
			e.sequences = value
		case optionKey:
			if e.engineKey != "" {
				return errSyncOption
			}
			e.engineKey = string(value)
		case optionEngine:
			if e.engine != "" || len(value) > longestEngine {
				return errSyncOption
			}
			e.engine = string(value)
		default:
			if kind&optionMaySkip == 0 {
				return errSyncUnknown
			}
		}
	}
	return nil
}

func readSyncV0(b []byte, entries int, take func(*syncEntry) error) (skipped error) {
	b = b[headerV0:]
	for range entries {
		if len(b) < entryV0 {
			return errSyncShort
		}
		e := syncEntry{
			ends: ends{
				family: inet4, protocol: b[1], src: syncAddr(b[8:12]), dst: syncAddr(b[12:16]),
				sport: binary.BigEndian.Uint16(b[2:]), dport: binary.BigEndian.Uint16(b[4:]),
			},
			server: syncAddr(b[16:20]), serverPort: binary.BigEndian.Uint16(b[6:]),
			flags: uint32(binary.BigEndian.Uint16(b[20:])), state: binary.BigEndian.Uint16(b[22:]),
		}
		b = b[entryV0:]
		if e.is(syncSequences) {
			if len(b) < sequencesLength {
				return errSyncShort
			}
			e.sequences, b = exchanged(b[:sequencesLength]), b[sequencesLength:]
		}
		if err := take(&e); err != nil {
			skipped = err
		}
	}
	return skipped
}
