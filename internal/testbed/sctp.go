package testbed

import (
	"encoding/binary"
	"hash/crc32"
)

// sctp returns an SCTP packet. The first chunk has the tag. Without a chunk there is no
// room for it: then the magic is in the place of the verification tag, and the IP header
// has the tag.
func (p Packet) sctp(tag uint32) (b []byte) {
	b = binary.BigEndian.AppendUint16(b, p.From.Port())
	b = binary.BigEndian.AppendUint16(b, p.To.Port())
	const initiation, initiationAck = 1, 2
	verification := []byte{0, 0, 0, 1}
	switch {
	case p.Chunks == "":
		verification = tagMagic
	case p.Chunks[0] == initiation:
		verification = []byte{0, 0, 0, 0} // the other side has not said one yet
	}
	b = append(append(b, verification...), 0, 0, 0, 0) // the checksum
	for i, kind := range []byte(p.Chunks) {
		start := len(b)
		b = append(b, kind, 0, 0, 0)
		if kind == initiation || kind == initiationAck {
			b = append(b, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1) // the tag to verify, window, streams, first TSN
		}
		if i == 0 {
			b = p.tagged(b, tag)
		}
		binary.BigEndian.PutUint16(b[start+2:], uint16(len(b)-start))
		for len(b)%4 != 0 {
			b = append(b, 0)
		}
	}
	sumSCTP(b)
	return b
}

// sumSCTP sets the checksum.
func sumSCTP(b []byte) {
	const at = 8
	binary.LittleEndian.PutUint32(b[at:], crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
}

// A tag in an IP header is in the identification or in the flow label, beside a bit that
// keeps the kernel from choosing an identification.
const (
	inHeader   = 1 << 15
	headerTags = inHeader - 1
)

func (p Packet) inHeader(tag uint32) uint32 {
	if p.Protocol == protocolSCTP && p.Chunks == "" {
		return inHeader | tag&headerTags
	}
	return 0
}

// chunklessTag returns the tag of an SCTP packet without a chunk, whose magic is at an
// offset.
func chunklessTag(b []byte, at int) (tag uint32, ok bool) {
	if len(b) != at+8 {
		return 0, false
	}
	for _, ip := range []struct{ version, length, protocol, tag int }{{4, 20, 9, 4}, {6, 40, 6, 2}} {
		header := at - 4 - ip.length
		if header >= 0 && int(b[header]>>4) == ip.version && b[header+ip.protocol] == protocolSCTP {
			return uint32(binary.BigEndian.Uint16(b[header+ip.tag:])) & headerTags, true
		}
	}
	return 0, false
}
