package conformance

// defend changes what the director defends itself with. A mode that changes makes the
// kernel look at its memory at once, so that no frame depends on when it looks next. Which
// connections drop_entry ends is random, so it does nothing here: see
// [TestFidelityDropEntry].
func (f *framer) defend() {
	f.do(requirement{"am_droprate", 1 + f.IntN(5)})
	f.do(requirement{"amemthresh", one(f.Rand, neverShort, neverShort, shortage)})
	for _, mode := range []requirement{{"secure_tcp", f.IntN(4)}, {"drop_packet", one(f.Rand, 0, 0, 0, 1, 2, 3)}} {
		f.do(requirement{mode.name, 0})
		f.do(mode)
	}
}
