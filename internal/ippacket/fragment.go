package ippacket

import "encoding/binary"

const fragmentHeader = 8 // of IPv6

// Fragments returns the parts of a packet that is longer than the MTU. If it was itself
// put together from fragments that fit, it is taken apart into the same. IPv6 fragments
// get the ID.
func (p *Packet) Fragments(mtu int, id uint32) []Packet {
	kept, room := p.unfragmentable()
	room = mtu - room
	cut := cut{kept: kept, id: id, probes: p.probes && !p.fit(room)}
	var all []Packet
	for at, n := kept, 0; at < len(p.Bytes); n++ {
		size := len(p.Bytes) - at
		if size > room {
			size = room &^ 7
		}
		if n < len(p.pieces) && p.fit(room) {
			size = min(p.pieces[n], len(p.Bytes)-at)
		}
		if size <= 0 {
			return all // no MTU of Linux is so small
		}
		all = append(all, p.fragmentOf(&cut, at, size))
		at += size
	}
	return all
}

// cut is how a packet is taken apart.
type cut struct {
	kept   int // length of the headers that each fragment has
	id     uint32
	probes bool // no router may fragment the fragments of IPv4
}

// unfragmentable returns the length of the headers that each fragment has, and with
// that of the fragment header.
func (p *Packet) unfragmentable() (kept, all int) {
	if p.Is4() {
		return p.Transport, p.Transport
	}
	at, routed := header6, false
	for next := p.Bytes[6]; at+8 <= len(p.Bytes); next = p.Bytes[at] {
		if next != hop && next != routing && (next != options || routed) {
			break
		}
		routed = routed || next == routing
		at += 8 + int(p.Bytes[at+1])*8
	}
	return at, at + fragmentHeader
}

// Join forgets where the fragments ended that the packet came in, as Linux does when it
// makes one piece of it.
func (p *Packet) Join() { p.pieces = nil }

// fit reports whether the fragments that the packet came in fit.
func (p *Packet) fit(room int) bool {
	for i, size := range p.pieces {
		if size > room || size%8 != 0 && i < len(p.pieces)-1 {
			return false
		}
	}
	return len(p.pieces) > 0
}

// fragmentOf returns a part of the packet.
func (p *Packet) fragmentOf(c *cut, at, size int) Packet {
	b := append([]byte(nil), p.Bytes[:c.kept]...)
	offset, more := at-c.kept, at+size < len(p.Bytes)
	if p.Is4() {
		b = append(fragmentOptions(b, offset), p.Bytes[at:at+size]...)
		flags := uint16(offset / 8)
		if more {
			flags |= moreFragments
		}
		if c.probes {
			flags |= dontFragment
		}
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
		binary.BigEndian.PutUint16(b[6:], flags)
		fillHeaderChecksum(b)
	} else {
		next := p.nextOf(c.kept)
		flags := uint16(offset)
		if more {
			flags |= 1
		}
		b = append(b, b[next], 0)
		b = binary.BigEndian.AppendUint16(b, flags)
		b = binary.BigEndian.AppendUint32(b, c.id)
		b[next] = fragment
		b = append(b, p.Bytes[at:at+size]...)
		binary.BigEndian.PutUint16(b[4:], uint16(len(b)-header6))
	}
	f, _ := Parse(b)
	return f
}

// nextOf returns where the headers up to a place say what follows them.
func (p *Packet) nextOf(end int) int {
	next := 6
	for at := header6; at < end; at += 8 + int(p.Bytes[at+1])*8 {
		next = at
	}
	return next
}

// fragmentOptions returns the header of a fragment. Only the first one has all options.
func fragmentOptions(b []byte, offset int) []byte {
	const end, none, copied = 0, 1, 0x80
	if offset == 0 {
		return b
	}
	for at := header4; at < len(b); {
		length := 1
		switch kind := b[at]; {
		case kind == end:
			return b
		case kind == none:
		case at+1 >= len(b) || b[at+1] < 2 || at+int(b[at+1]) > len(b):
			return b
		default:
			length = int(b[at+1])
			if kind&copied == 0 {
				for i := range b[at : at+length] {
					b[at+i] = none
				}
			}
		}
		at += length
	}
	return b
}
