package lvs

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/golvs/lvs/internal/wire"
)

// MaxPersistence is the longest persistence timeout that every kernel keeps as
// it was given. The kernel counts in ticks, 32 bits wide; past this, one with
// 1000 ticks a second would store some shorter time without a word.
const MaxPersistence = 4_294_967 * time.Second

// Persistence sends all connections of a client to the real server of its
// first. The zero value is no persistence.
//
// As text it reads "5m0s", "5m0s/24", "5m0s/255.255.0.255" or, with an engine,
// "5m0s/24 pe=sip"; none is "none".
type Persistence struct {
	// Timeout is how long the server is remembered after the client's last
	// connection: whole seconds, at most [MaxPersistence]. Zero is no
	// persistence. Usual is 5 minutes.
	Timeout time.Duration

	// Mask makes all clients of a network one client. Zero means each address
	// is a client of its own.
	Mask Mask

	// Engine names a persistence engine, "sip" in Linux; empty is none.
	Engine string
}

// String returns the text form.
func (p Persistence) String() string {
	s := "none"
	if p.Timeout != 0 {
		s = p.Timeout.String()
	}
	s += p.Mask.String()
	if p.Engine != "" {
		s += " pe=" + p.Engine
	}
	return s
}

// MarshalText returns the text form.
func (p Persistence) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads the text form; an empty text is none. The error is of the
// kind [ErrInvalid].
func (p *Persistence) UnmarshalText(text []byte) error {
	*p = Persistence{}
	for i, word := range strings.Fields(string(text)) {
		engine, isEngine := strings.CutPrefix(word, "pe=")
		switch {
		case isEngine && i > 0:
			p.Engine = engine
		case i > 0:
			return invalid("persistence", "%q is not pe=NAME", word).about(OpParse, strconv.Quote(string(text)))
		default:
			if err := p.parseTime(word); err != nil {
				return err.about(OpParse, strconv.Quote(string(text)))
			}
		}
	}
	return nil
}

func (p *Persistence) parseTime(word string) *Error {
	timeout, mask, masked := strings.Cut(word, "/")
	if timeout != "none" {
		d, err := time.ParseDuration(timeout)
		if err != nil {
			return invalid("persistence", "%q is not a time such as 5m or 300s", timeout)
		}
		p.Timeout = d
	}
	if masked {
		return p.Mask.parse(mask)
	}
	return nil
}

func (p Persistence) validate(id ServiceID) *Error {
	switch {
	case p.Timeout < 0 || p.Timeout > MaxPersistence:
		return invalid("Persistence.Timeout", "%s is not within 0 and %s", p.Timeout, MaxPersistence)
	case p.Timeout%time.Second != 0:
		return invalid("Persistence.Timeout", "%s is not in whole seconds, and the kernel counts no finer", p.Timeout)
	case p.Timeout == 0 && p.Engine != "":
		return invalid("Persistence.Engine", "%q needs a Timeout: without persistence it does nothing", p.Engine)
	}
	if bad := validateName("Persistence.Engine", p.Engine, wire.MaxEngineName); bad != nil {
		return bad
	}
	return p.Mask.validate(id)
}

// Mask says which part of a client's address counts for [Persistence]. Zero is
// the whole address. Make others with [PrefixMask] and [DottedMask]. As text it
// reads "/24", "/255.255.0.255", or "" for the whole address.
type Mask uint64

// PrefixMask returns the mask of the first n bits: of an IPv4 address 0 (all
// clients are one) to 32, of an IPv6 address 1 to 128.
func PrefixMask(n int) Mask {
	if n < 0 || n > 128 {
		n = -1 // refused when it is used
	}
	return prefixMask | Mask(uint32(n))
}

// DottedMask returns an IPv4 mask, which need not be contiguous.
func DottedMask(mask [4]byte) Mask {
	m := binary.BigEndian.Uint32(mask[:])
	if ones := bits.LeadingZeros32(^m); m == prefixToMask(ones) {
		return PrefixMask(ones)
	}
	return dottedMask | Mask(m)
}

func prefixToMask(n int) uint32 { return ^uint32(0) << (32 - n) }

func fullMask(id ServiceID) Mask {
	if id.Is6() {
		return PrefixMask(128)
	}
	return PrefixMask(32)
}

// String returns the text form.
func (m Mask) String() string {
	switch m & maskKind {
	case prefixMask:
		return "/" + strconv.Itoa(int(int32(uint32(m))))
	case dottedMask:
		return "/" + netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, uint32(m)))).String()
	}
	return ""
}

// MarshalText returns the text form.
func (m Mask) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads the text form, with or without the slash. The error is of
// the kind [ErrInvalid].
func (m *Mask) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*m = 0
		return nil
	}
	if err := m.parse(strings.TrimPrefix(string(text), "/")); err != nil {
		return err.about(OpParse, strconv.Quote(string(text)))
	}
	return nil
}

func (m *Mask) parse(s string) *Error {
	if n, err := strconv.ParseUint(s, 10, 8); err == nil && n <= 128 {
		*m = PrefixMask(int(n))
		return nil
	}
	addr, err := netip.ParseAddr(s)
	if err != nil || !addr.Is4() {
		return invalid("mask", "%q is neither a number of bits, 0 to 128, nor an IPv4 mask", s)
	}
	*m = DottedMask(addr.As4())
	return nil
}

func (m Mask) validate(id ServiceID) *Error {
	n := int(int32(uint32(m)))
	switch {
	case m == 0:
		return nil
	case m&maskKind == dottedMask && id.Is6():
		return invalid("Persistence.Mask", "%s is an IPv4 mask, and %s is an IPv6 service", m, id)
	case m&maskKind == dottedMask:
		return nil
	case m&maskKind != prefixMask || m&^(maskKind|Mask(^uint32(0))) != 0:
		return invalid("Persistence.Mask", "%#x was made neither by PrefixMask nor by DottedMask", uint64(m))
	case id.Is6() && (n < 1 || n > 128):
		return invalid("Persistence.Mask", "%s is not within /1 and /128", m)
	case !id.Is6() && (n < 0 || n > 32):
		return invalid("Persistence.Mask", "%s is not within /0 and /32", m)
	}
	return nil
}
