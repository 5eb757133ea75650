package simipvs

import (
	"bytes"
	"encoding/binary"
)

var host = binary.NativeEndian

const (
	attrHeaderLen  = 4
	attrNumberMask = 0x3fff // the bits above say "nested" and "network byte order"
)

// attributes are the values of one level of attributes by their numbers, nil
// where there is none.
type attributes [16][]byte

// rule is what the kernel wants of a value.
type rule struct {
	kind   ruleKind
	length int
}

type ruleKind uint8

const (
	atLeast ruleKind = iota // so many bytes; more are not looked at
	atMost                  // so many bytes
	text                    // that ends with NUL, at most so many bytes before it
	nested                  // attributes, or nothing
)

// parse reads attributes by their rules, the way of the kernel's older families:
// numbers without a rule are passed over, as is what is left at the end; of a
// number that repeats, the last counts. It returns the attribute that broke its
// rule, up to the end of what was read, or else whether something is left.
func (a *attributes) parse(b []byte, rules []rule) (c complaint, e errno) {
	*a = attributes{}
	for len(b) >= attrHeaderLen {
		n := int(host.Uint16(b))
		if n < attrHeaderLen || n > len(b) {
			break
		}
		number := int(host.Uint16(b[2:]) & attrNumberMask)
		value := b[attrHeaderLen:n]
		if 0 < number && number < len(rules) {
			if e := rules[number].check(value); e != 0 {
				return complaint{"Attribute failed policy validation", b}, e
			}
			a[number] = value
		}
		b = b[min(align(n), len(b)):]
	}
	if len(b) > 0 {
		return complaint{words: "bytes leftover after parsing attributes"}, 0
	}
	return complaint{}, 0
}

// complaint is what netlink says of attributes. It need not be an error.
type complaint struct {
	words string // "": nothing to complain about
	about []byte // the attribute, up to the end of what was read; nil: none
}

func (r rule) check(value []byte) errno {
	switch r.kind {
	case atLeast:
		return erangeIf(len(value) < r.length)
	case atMost:
		return erangeIf(len(value) > r.length)
	case nested:
		return erangeIf(0 < len(value) && len(value) < attrHeaderLen)
	}
	if bytes.IndexByte(value[:min(len(value), r.length+1)], 0) < 0 {
		return einval
	}
	return erangeIf(len(bytes.TrimSuffix(value, []byte{0})) > r.length)
}

func erangeIf(wrong bool) errno {
	if wrong {
		return erange
	}
	return 0
}

func align(n int) int { return (n + 3) &^ 3 }

// has reports whether all of the numbers are there.
func (a *attributes) has(numbers ...int) bool {
	for _, n := range numbers {
		if a[n] == nil {
			return false
		}
	}
	return true
}

// The numbers of an attribute that is there or, if it may be missing, zero.

func (a *attributes) u8(n int) uint8 {
	if a[n] == nil {
		return 0
	}
	return a[n][0]
}

func (a *attributes) u16(n int) uint16 {
	if a[n] == nil {
		return 0
	}
	return host.Uint16(a[n])
}

func (a *attributes) u32(n int) uint32 {
	if a[n] == nil {
		return 0
	}
	return host.Uint32(a[n])
}

func (a *attributes) port(n int) uint16 {
	if a[n] == nil {
		return 0
	}
	return binary.BigEndian.Uint16(a[n])
}

// addr returns an address as it was given, filled up with zeros.
func (a *attributes) addr(n int) (addr [16]byte) {
	copy(addr[:], a[n])
	return addr
}

// text returns the bytes of a string.
func (a *attributes) text(n int) []byte {
	s, _, _ := bytes.Cut(a[n], []byte{0})
	return s
}

func appendAttr(b []byte, number, length int) []byte {
	b = host.AppendUint16(b, uint16(attrHeaderLen+length))
	return host.AppendUint16(b, uint16(number))
}

func appendU8(b []byte, number int, v uint8) []byte {
	return append(appendAttr(b, number, 1), v, 0, 0, 0)
}

func appendU16(b []byte, number int, v uint16) []byte {
	return append(host.AppendUint16(appendAttr(b, number, 2), v), 0, 0)
}

func appendPort(b []byte, number int, v uint16) []byte {
	return append(binary.BigEndian.AppendUint16(appendAttr(b, number, 2), v), 0, 0)
}

func appendU32(b []byte, number int, v uint32) []byte {
	return host.AppendUint32(appendAttr(b, number, 4), v)
}

func appendU64(b []byte, number int, v uint64) []byte {
	return host.AppendUint64(appendAttr(b, number, 8), v)
}

// appendBytes appends a value whose length is a multiple of 4.
func appendBytes(b []byte, number int, v []byte) []byte {
	return append(appendAttr(b, number, len(v)), v...)
}

func appendText(b []byte, number int, s string) []byte {
	b = append(appendAttr(b, number, len(s)+1), s...)
	return append(b, "\x00\x00\x00\x00"[:align(len(s)+1)-len(s)]...)
}

// beginNest appends the header of an attribute whose length is not known yet;
// endNest sets it.
func beginNest(b []byte, number int) (grown []byte, start int) {
	return appendAttr(b, number, 0), len(b)
}

func endNest(b []byte, start int) []byte {
	host.PutUint16(b[start:], uint16(len(b)-start))
	return b
}

// Attributes of statistics, in both containers.
const (
	statConns = iota + 1
	statInPackets
	statOutPackets
	statInBytes
	statOutBytes
	statCPS
	statInPPS
	statOutPPS
	statInBPS
	statOutBPS
)

// appendStats appends statistics as two attributes: the older one cuts most
// numbers down to 32 bits.
func (k *Kernel) appendStats(b []byte, number, number64 int, s *stats) []byte {
	total, rates := k.published(s)
	b, start := beginNest(b, number)
	b = appendU32(b, statConns, uint32(total.conns))
	b = appendU32(b, statInPackets, uint32(total.inPackets))
	b = appendU32(b, statOutPackets, uint32(total.outPackets))
	b = appendU64(b, statInBytes, total.inBytes)
	b = appendU64(b, statOutBytes, total.outBytes)
	b = appendU32(b, statCPS, uint32(rates.conns))
	b = appendU32(b, statInPPS, uint32(rates.inPackets))
	b = appendU32(b, statOutPPS, uint32(rates.outPackets))
	b = appendU32(b, statInBPS, uint32(rates.inBytes))
	b = appendU32(b, statOutBPS, uint32(rates.outBytes))
	b = endNest(b, start)

	b, start = beginNest(b, number64)
	b = appendU64(b, statConns, total.conns)
	b = appendU64(b, statInPackets, total.inPackets)
	b = appendU64(b, statOutPackets, total.outPackets)
	b = appendU64(b, statInBytes, total.inBytes)
	b = appendU64(b, statOutBytes, total.outBytes)
	b = appendU64(b, statCPS, rates.conns)
	b = appendU64(b, statInPPS, rates.inPackets)
	b = appendU64(b, statOutPPS, rates.outPackets)
	b = appendU64(b, statInBPS, rates.inBytes)
	b = appendU64(b, statOutBPS, rates.outBytes)
	return endNest(b, start)
}
