package lvs

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// place is where an element is, and what it is ordered by first.
type place struct {
	prefix uint64
	at     int32
}

// sortByID orders what has IDs of services. It moves each element once at most: they
// are large.
func sortByID[T any](all []T, id func(*T) ServiceID) {
	order := make([]place, len(all)) // which element belongs to each place
	for i := range all {
		order[i] = place{id(&all[i]).prefix(), int32(i)}
	}
	slices.SortFunc(order, func(a, b place) int {
		if a.prefix != b.prefix {
			return cmp.Compare(a.prefix, b.prefix)
		}
		return id(&all[a.at]).Compare(id(&all[b.at]))
	})
	for i := range all {
		first, to := all[i], int32(i)
		for from := order[to].at; from != int32(i); from = order[to].at {
			all[to], order[to].at = all[from], to
			to = from
		}
		all[to], order[to].at = first, to
	}
}

// prefix returns a number that orders IDs as Compare does, unless it is the same: the
// mark, or else the protocol, the length of the address, its first 32 bits, and of IPv4
// most of the port.
func (id ServiceID) prefix() uint64 {
	if id.mark != 0 {
		return 1<<63 | uint64(id.mark)
	}
	addr := id.vip.Addr()
	prefix := uint64(id.protocol) << 47
	if addr.Is4() {
		four := addr.As4()
		return prefix | uint64(binary.BigEndian.Uint32(four[:]))<<14 | uint64(id.vip.Port()>>2)
	}
	if addr.Is6() {
		prefix |= 1 << 46
	}
	six := addr.As16()
	return prefix | uint64(binary.BigEndian.Uint32(six[:]))<<14
}
