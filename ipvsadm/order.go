package ipvsadm

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/golvs/lvs"
)

// compareIDs orders services as ipvsadm does: marks last, then by family, protocol and
// address.
func compareIDs(a, b lvs.ServiceID) int {
	return cmp.Or(
		cmp.Compare(a.FWMark(), b.FWMark()),
		compareFamilies(a.Is6(), b.Is6()),
		cmp.Compare(a.Protocol(), b.Protocol()),
		compareAddrs(a.AddrPort(), b.AddrPort()),
	)
}

// compareServers orders the real servers of a service as ipvsadm does.
func compareServers(a, b netip.AddrPort) int {
	return cmp.Or(compareFamilies(a.Addr().Is6(), b.Addr().Is6()), compareAddrs(a, b))
}

// compareFamilies orders IPv4 before IPv6.
func compareFamilies(a6, b6 bool) int {
	switch {
	case a6 == b6:
		return 0
	case b6:
		return -1
	}
	return 1
}

// compareAddrs subtracts addresses as ipvsadm does, in 32 bits with a sign: that
// is why it lists 192.168.0.11 before 10.168.0.91.
func compareAddrs(a, b netip.AddrPort) int {
	x, y := a.Addr().AsSlice(), b.Addr().AsSlice()
	for i := 0; i+4 <= min(len(x), len(y)); i += 4 {
		if d := int32(binary.BigEndian.Uint32(x[i:]) - binary.BigEndian.Uint32(y[i:])); d != 0 {
			return int(d)
		}
	}
	return cmp.Compare(a.Port(), b.Port())
}

// sorted returns services in the order in which ipvsadm lists them, and with them their
// real servers.
func sorted(services []lvs.TableService) []lvs.TableService {
	all := slices.SortedStableFunc(slices.Values(services), func(a, b lvs.TableService) int { return compareIDs(a.ID, b.ID) })
	for i := range all {
		all[i].RealServers = slices.SortedStableFunc(slices.Values(all[i].RealServers), func(a, b lvs.RealServer) int {
			return compareServers(a.Addr, b.Addr)
		})
	}
	return all
}
