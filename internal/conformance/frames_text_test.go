package conformance

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// This file is the text form of IP packets:
//
//	KIND [WORDS OF THE KIND] FROM TO [ttl N] [tos N] [id N] [df] [flow N] [bad header|load]
//		[mark N] [cut OFFSET LENGTH [more]] [data N] [payload "TEXT"] [{ PACKET }]
//
// The TTL is 64 where it is not said, and other numbers are 0.

func (p *ipPacket) String() string {
	k := kindOfLoad(p.load)
	s := k.word
	if words := p.load.words(); words != "" {
		s += " " + words
	}
	for _, end := range []netip.AddrPort{p.from, p.to} {
		if k.ports {
			s += " " + end.String()
		} else {
			s += " " + end.Addr().String()
		}
	}
	if p.ttl != usualTTL {
		s += fmt.Sprintf(" ttl %d", p.ttl)
	}
	if p.tos != 0 {
		s += fmt.Sprintf(" tos %d", p.tos)
	}
	if p.id != 0 {
		s += fmt.Sprintf(" id %d", p.id)
	}
	if p.df {
		s += " df"
	}
	if p.flow != 0 {
		s += fmt.Sprintf(" flow %d", p.flow)
	}
	if p.bad != "" {
		s += " bad " + p.bad
	}
	if p.mark != 0 {
		s += fmt.Sprintf(" mark %d", p.mark)
	}
	if p.cut.length > 0 {
		s += fmt.Sprintf(" cut %d %d", p.cut.offset, p.cut.length)
		if p.cut.more {
			s += " more"
		}
	}
	if p.data > 0 {
		s += fmt.Sprintf(" data %d", p.data)
	}
	if p.payload != "" {
		s += " payload " + strconv.QuoteToASCII(p.payload)
	}
	if p.inner != nil {
		s += " { " + p.inner.String() + " }"
	}
	return s
}

// tokens are the words of a text that is being read.
type tokens struct {
	left []string
	err  error // the first one
}

// tokensOf splits a text. What is between quotes is one word.
func tokensOf(line string) (*tokens, error) {
	w := new(tokens)
	for {
		line = strings.TrimLeft(line, " ")
		if line == "" {
			return w, nil
		}
		n := strings.IndexByte(line, ' ')
		if n < 0 {
			n = len(line)
		}
		if line[0] == '"' {
			quoted, err := strconv.QuotedPrefix(line)
			if err != nil {
				return nil, err
			}
			n = len(quoted)
		}
		w.left, line = append(w.left, line[:n]), line[n:]
	}
}

// next returns the next word; "" at the end.
func (w *tokens) next() (s string) {
	if len(w.left) > 0 {
		s, w.left = w.left[0], w.left[1:]
	}
	return s
}

// take reports whether the next word is this one, and reads it then.
func (w *tokens) take(word string) bool {
	if len(w.left) == 0 || w.left[0] != word {
		return false
	}
	w.left = w.left[1:]
	return true
}

// number reads a number.
func (w *tokens) number(bits int) uint64 {
	n, err := strconv.ParseUint(w.next(), 10, bits)
	if w.err == nil {
		w.err = err
	}
	return n
}

// options reads words that are each followed by a number, in any order.
func (w *tokens) options(set map[string]func(uint64)) {
	for len(w.left) > 0 && set[w.left[0]] != nil {
		set[w.next()](w.number(32))
	}
}

// parseIPPacket reads a packet, up to a brace that ends it.
func parseIPPacket(w *tokens) (*ipPacket, error) {
	p := &ipPacket{ttl: usualTTL}
	k, err := kindOfWord(w.next())
	if err != nil {
		return nil, err
	}
	if p.load, err = k.parse(w); err != nil {
		return nil, err
	}
	if p.from, err = parseEnd(w.next(), k.ports); err != nil {
		return nil, err
	}
	if p.to, err = parseEnd(w.next(), k.ports); err != nil {
		return nil, err
	}
	for len(w.left) > 0 && w.left[0] != "}" {
		if err := p.parseOption(w); err != nil {
			return nil, err
		}
	}
	return p, w.err
}

func kindOfWord(word string) (loadKind, error) {
	for _, k := range loads {
		if k.word == word {
			return k, nil
		}
	}
	return loadKind{}, fmt.Errorf("%q is not a kind of packet", word)
}

func parseEnd(word string, ports bool) (netip.AddrPort, error) {
	if ports {
		return netip.ParseAddrPort(word)
	}
	a, err := netip.ParseAddr(word)
	return netip.AddrPortFrom(a, 0), err
}

func (p *ipPacket) parseOption(w *tokens) (err error) {
	switch word := w.next(); word {
	case "ttl":
		p.ttl = uint8(w.number(8))
	case "tos":
		p.tos = uint8(w.number(8))
	case "id":
		p.id = uint16(w.number(16))
	case "df":
		p.df = true
	case "flow":
		p.flow = uint32(w.number(20))
	case "bad":
		if p.bad = w.next(); p.bad != badHeader && p.bad != badLoad {
			return fmt.Errorf("%q has no checksum", p.bad)
		}
	case "mark":
		p.mark = uint32(w.number(32))
	case "cut":
		p.cut = part{offset: int(w.number(16)), length: int(w.number(16))}
		p.cut.more = w.take("more")
	case "data":
		p.data = int(w.number(16))
	case "payload":
		p.payload, err = strconv.Unquote(w.next())
	case "{":
		if p.inner, err = parseIPPacket(w); err == nil && !w.take("}") {
			err = errors.New("a packet inside another one has no end")
		}
	default:
		err = fmt.Errorf("%q is not part of a packet", word)
	}
	return err
}

// readIPPacket reads the bytes of a packet, as far as they can be understood.
func readIPPacket(b []byte) (p *ipPacket, ok bool) {
	p = new(ipPacket)
	var protocol uint8
	var body []byte
	switch {
	case len(b) >= ipv4 && b[0]>>4 == 4 && len(b) >= int(b[0]&15)*4:
		flags := binary.BigEndian.Uint16(b[6:])
		p.tos, p.id, p.df, p.ttl = b[1], binary.BigEndian.Uint16(b[4:]), flags&0x4000 != 0, b[8]
		p.from = netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[12:])), 0)
		p.to = netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[16:])), 0)
		protocol, body = b[9], b[b[0]&15*4:]
		p.cut = part{offset: int(flags&0x1fff) * 8, more: flags&0x2000 != 0}
	case len(b) >= ipv6 && b[0]>>4 == 6:
		first := binary.BigEndian.Uint32(b)
		p.tos, p.flow, p.ttl = uint8(first>>20), first&0xfffff, b[7]
		p.from = netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[8:])), 0)
		p.to = netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[24:])), 0)
		protocol, body = b[6], b[ipv6:]
		if protocol == fragmentProtocol && len(body) >= 8 {
			bits := binary.BigEndian.Uint16(body[2:])
			p.cut = part{offset: int(bits &^ 7), more: bits&1 != 0}
			p.id = binary.BigEndian.Uint16(body[6:])
			protocol, body = body[0], body[8:]
		}
	default:
		return nil, false
	}
	if p.cut.more || p.cut.offset > 0 {
		p.cut.length = len(body)
	}
	p.readLoad(protocol, body)
	return p, true
}

// readLoad reads what a packet carries. A part that cannot begin with the header of its
// load, or is too short for it, is shown by its length.
func (p *ipPacket) readLoad(protocol uint8, body []byte) {
	for _, k := range loads {
		if mine := k.protocol4; p.cut.offset > 0 || mine != protocol && (k.protocol6 != protocol || !p.six()) {
			continue
		}
		l, rest, inner := k.read(body)
		if l == nil {
			continue
		}
		p.load = l
		if k.ports {
			p.from = netip.AddrPortFrom(p.from.Addr(), binary.BigEndian.Uint16(body))
			p.to = netip.AddrPortFrom(p.to.Addr(), binary.BigEndian.Uint16(body[2:]))
		}
		if inner {
			if p.inner, inner = readIPPacket(rest); inner {
				return
			}
		}
		p.data = len(rest)
		return
	}
	p.load, p.data = otherLoad{protocol}, len(body)
}
