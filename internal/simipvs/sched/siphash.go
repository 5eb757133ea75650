package sched

import "math/bits"

// sipHash is SipHash-1-3 of the four bytes of a number, cut to 32 bits, with a
// key whose halves are equal. It is the kernel's short hash on 64-bit machines.
func sipHash(v uint32, key uint64) uint32 {
	s := sipState{
		key ^ 0x736f6d6570736575,
		key ^ 0x646f72616e646f6d,
		key ^ 0x6c7967656e657261,
		key ^ 0x7465646279746573,
	}
	m := 4<<56 | uint64(v) // the length of the message is in its last byte
	s.v3 ^= m
	s.round()
	s.v0 ^= m
	s.v2 ^= 0xff
	s.round()
	s.round()
	s.round()
	return uint32(s.v0 ^ s.v1 ^ s.v2 ^ s.v3)
}

type sipState struct{ v0, v1, v2, v3 uint64 }

func (s *sipState) round() {
	s.v0 += s.v1
	s.v1 = bits.RotateLeft64(s.v1, 13) ^ s.v0
	s.v0 = bits.RotateLeft64(s.v0, 32)
	s.v2 += s.v3
	s.v3 = bits.RotateLeft64(s.v3, 16) ^ s.v2
	s.v0 += s.v3
	s.v3 = bits.RotateLeft64(s.v3, 21) ^ s.v0
	s.v2 += s.v1
	s.v1 = bits.RotateLeft64(s.v1, 17) ^ s.v2
	s.v2 = bits.RotateLeft64(s.v2, 32)
}
