package conformance

import (
	"encoding/binary"
	"hash/crc32"
)

// sctpLoad is "sctp COOKIE-ECHO+DATA", or "sctp -" without a chunk. What is behind the
// headers is in the last chunk.
type sctpLoad struct{ chunks string }

const (
	sctpHeader = 12
	sctpSum    = 8 // where the checksum is in it
	sctpChunk  = 4 // header of a chunk
)

func (l sctpLoad) words() string { return chunksText(l.chunks) }

func parseSCTPLoad(w *tokens) (load, error) {
	chunks, err := parseChunks(w.next())
	return sctpLoad{chunks}, err
}

func readSCTPLoad(b []byte) (load, []byte, bool) {
	if len(b) < sctpHeader {
		return nil, nil, false
	}
	var l sctpLoad
	for b = b[sctpHeader:]; len(b) >= sctpChunk; b = b[sctpChunk:] {
		l.chunks += string(b[:1])
		if binary.BigEndian.Uint16(b[2:]) > sctpChunk {
			return l, b[sctpChunk:], false
		}
	}
	return l, b, false
}

func (l sctpLoad) encode(p *ipPacket, rest []byte) []byte {
	b := append(ports(p), 0, 0, 0, 1, 0, 0, 0, 0) // a verification tag, and the checksum
	for i, kind := range []byte(l.chunks) {
		length := sctpChunk
		if i == len(l.chunks)-1 {
			length += len(rest)
		}
		b = append(b, kind, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(length))
	}
	b = append(b, rest...)
	binary.LittleEndian.PutUint32(b[sctpSum:], crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// associates is what a packet of SCTP has, in the place of TCP's flags.
func (f *framer) associates(flags uint8) sctpLoad {
	switch {
	case f.IntN(4) == 0:
		return sctpLoad{one(f.Rand, chunkKinds()...)}
	case flags == flagSYN:
		return sctpLoad{chunkInit}
	case flags == flagSYN|flagACK:
		return sctpLoad{chunkInitAck}
	case flags&flagFIN != 0:
		return sctpLoad{one(f.Rand, chunkShutdown, chunkShutdownAck, chunkShutdownComplete)}
	case flags == flagRST:
		return sctpLoad{chunkAbort}
	}
	return sctpLoad{one(f.Rand, chunkData, chunkCookieEcho+chunkData, chunkCookieAck)}
}
