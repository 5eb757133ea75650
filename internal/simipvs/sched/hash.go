package sched

import (
	"encoding/binary"
	"net/netip"
)

// Flags of a service that mean something to sh and mh.
const (
	flagFallback   = 0x8  // search other buckets when the server is not usable
	flagSourcePort = 0x10 // clients are distinguished by port too
)

// Protocols whose packets begin with ports.
const (
	tcp  = 6
	udp  = 17
	sctp = 132
)

// fold returns the exclusive or of an address's words.
func fold(a netip.Addr) uint32 {
	if a.Is4() {
		b := a.As4()
		return binary.BigEndian.Uint32(b[:])
	}
	b := a.As16()
	v := binary.BigEndian.Uint64(b[:]) ^ binary.BigEndian.Uint64(b[8:])
	return uint32(v>>32) ^ uint32(v)
}

// hash32 returns the hash of a number, of so many bits.
func hash32(v uint32, bits int) uint32 {
	return v * 0x61C88647 >> (32 - bits)
}

// clientKey returns what sh and mh hash of a client.
func clientKey(f *Flow) uint32 {
	v := fold(f.Client.Addr())
	if f.Flags&flagSourcePort == 0 {
		return v
	}
	switch f.Protocol {
	case tcp, udp, sctp:
		v += uint32(f.Client.Port())
	}
	return v
}
