package ipvsadm

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/golvs/lvs"
)

// sortServices returns services in the order in which ipvsadm prints them, if all is the
// order in which the kernel lists them: see compareIDs.
func sortServices[T any](all []T, id func(T) lvs.ServiceID) []T {
	return mergeSort(slices.Clone(all), func(a, b T) int { return compareIDs(id(a), id(b)) })
}

// sortServers returns the real servers of a service in the order in which ipvsadm prints
// them. The kernel lists the one that was added last first.
func sortServers[T any](all []T, addr func(T) netip.AddrPort) []T {
	all = slices.Clone(all)
	slices.Reverse(all)
	return mergeSort(all, func(a, b T) int { return compareAddrs(serverKey(addr(a)), serverKey(addr(b))) })
}

// mergeSort sorts as qsort of the C library does. That decides the result, because what
// ipvsadm compares with is not an order.
func mergeSort[T any](all []T, compare func(a, b T) int) []T {
	if len(all) < 2 {
		return all
	}
	a := mergeSort(slices.Clone(all[:len(all)/2]), compare)
	b := mergeSort(slices.Clone(all[len(all)/2:]), compare)
	merged := all[:0]
	for len(a) > 0 && len(b) > 0 {
		if compare(a[0], b[0]) <= 0 {
			merged, a = append(merged, a[0]), a[1:]
		} else {
			merged, b = append(merged, b[0]), b[1:]
		}
	}
	return append(append(merged, a...), b...)
}

// compareIDs compares services as ipvsadm does, which subtracts numbers in 32 bits with a
// sign. So 192.168.0.11 is before 10.168.0.91, and marks from 2147483649 on are before
// the services of addresses. It also means that 10.0.0.1 is before 100.0.0.1, that
// before 192.0.0.1, and that before 10.0.0.1.
func compareIDs(a, b lvs.ServiceID) int {
	family := 0
	switch {
	case a.Is6() && !b.Is6():
		family = 1
	case b.Is6() && !a.Is6():
		family = -1
	}
	return cmp.Or(
		int(int32(a.FWMark()-b.FWMark())),
		family,
		cmp.Compare(a.Protocol(), b.Protocol()),
		compareAddrs(a.AddrPort(), b.AddrPort()),
	)
}

// compareAddrs compares addresses as ipvsadm does. Of an IPv4 address and an IPv6 one,
// the first decides how much of the other counts.
func compareAddrs(a, b netip.AddrPort) int {
	x, y := addrBytes(a.Addr()), addrBytes(b.Addr())
	most := len(x)
	if !a.Addr().Is6() {
		most = 4
	}
	for i := 0; i < most; i += 4 {
		if d := int32(binary.BigEndian.Uint32(x[i:]) - binary.BigEndian.Uint32(y[i:])); d != 0 {
			return int(d)
		}
	}
	return cmp.Compare(a.Port(), b.Port())
}

// addrBytes returns an address with zeros behind it, if it is an IPv4 one.
func addrBytes(a netip.Addr) (b [16]byte) {
	copy(b[:], a.AsSlice())
	return b
}
