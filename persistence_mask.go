package lvs

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"strconv"
	"strings"
)

// Mask is the part of a client's address that counts for [Persistence]. The
// zero value is the whole address. [PrefixMask] and [DottedMask] return others.
// Masks are comparable.
//
// The text form is "/24", "/255.255.0.255", or "" for the whole address.
type Mask struct {
	kind  maskKind
	value uint32 // a number of bits, or an IPv4 mask
}

type maskKind uint8

const (
	wholeAddress maskKind = iota
	prefixMask
	dottedMask
	invalidMask
)

// PrefixMask returns the mask of the first n bits: 0 to 32 of an IPv4 address,
// where 0 makes all clients one client, and 1 to 128 of an IPv6 address. The
// result for another n is not valid, and is refused with the service.
func PrefixMask(n int) Mask {
	if n < 0 || n > 128 {
		return Mask{invalidMask, uint32(n)}
	}
	return Mask{prefixMask, uint32(n)}
}

// DottedMask returns an IPv4 mask, which need not be contiguous. One that is
// contiguous equals its [PrefixMask].
func DottedMask(mask [4]byte) Mask {
	m := binary.BigEndian.Uint32(mask[:])
	if ones := bits.LeadingZeros32(^m); m == prefixToMask(ones) {
		return PrefixMask(ones)
	}
	return Mask{dottedMask, m}
}

func prefixToMask(n int) uint32 { return ^uint32(0) << (32 - n) }

// fullMask returns the mask that is every bit of an address of the service.
func fullMask(id ServiceID) Mask {
	if id.Is6() {
		return PrefixMask(128)
	}
	return PrefixMask(32)
}

// ParseMask parses the text form, with or without the slash. Errors match
// [ErrInvalid].
func ParseMask(s string) (Mask, error) {
	m, err := parseMask(strings.TrimPrefix(s, "/"))
	if err != nil {
		return Mask{}, err.about(OpParse, strconv.Quote(s))
	}
	return m, nil
}

func parseMask(s string) (Mask, *Error) {
	if n, err := strconv.ParseUint(s, 10, 8); err == nil && n <= 128 {
		return PrefixMask(int(n)), nil
	}
	addr, err := netip.ParseAddr(s)
	if err != nil || !addr.Is4() {
		return Mask{}, invalid("Mask", "%q is neither a number of bits, 0 to 128, nor an IPv4 mask", s)
	}
	return DottedMask(addr.As4()), nil
}

// Equal reports whether both are the same mask, as == does.
func (m Mask) Equal(other Mask) bool { return m == other }

// IsZero reports whether the mask is the whole address.
func (m Mask) IsZero() bool { return m == Mask{} }

// Bits returns the number of leading bits that the mask keeps. It reports false
// for a mask that is not contiguous, for one that is not valid, and for the zero
// value, whose length depends on the address.
func (m Mask) Bits() (n int, ok bool) {
	if m.kind != prefixMask {
		return 0, false
	}
	return int(m.value), true
}

// String returns the text form, or "invalid mask".
func (m Mask) String() string {
	switch m.kind {
	case wholeAddress:
		return ""
	case prefixMask:
		return "/" + strconv.Itoa(int(m.value))
	case dottedMask:
		return "/" + netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, m.value))).String()
	}
	return "invalid mask"
}

// MarshalText returns the text form. The error for a mask that is not valid
// matches [ErrInvalid].
func (m Mask) MarshalText() ([]byte, error) {
	if m.kind == invalidMask {
		return nil, m.outOfRange("Mask", 0, 128).about(OpFormat, "mask")
	}
	return []byte(m.String()), nil
}

// UnmarshalText parses text as [ParseMask] does; an empty text is the zero
// value.
func (m *Mask) UnmarshalText(text []byte) (err error) {
	*m = Mask{}
	if len(text) > 0 {
		*m, err = ParseMask(string(text))
	}
	return err
}

// validate refuses masks that do not fit the addresses of the service.
func (m Mask) validate(id ServiceID) *Error {
	const field = "Persistence.Mask"
	least, most := 0, 32
	if id.Is6() {
		least, most = 1, 128
	}
	switch n := int(m.value); {
	case m.IsZero():
		return nil
	case m.kind == dottedMask && id.Is6():
		return invalid(field, "%s is an IPv4 mask, and %s is an IPv6 service", m, id)
	case m.kind == dottedMask:
		return nil
	case m.kind == invalidMask || n < least || n > most:
		return m.outOfRange(field, least, most)
	}
	return nil
}

func (m Mask) outOfRange(field string, least, most int) *Error {
	return invalid(field, "/%d is out of range [/%d, /%d]", int32(m.value), least, most)
}
