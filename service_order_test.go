package lvs

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
)

// sortByID orders as Compare does, also where prefixes are the same.
func TestSortByID(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	few := func() byte { return []byte{0, 1, 127, 255}[random.IntN(4)] }
	for range 200 {
		var all []ServiceID
		for range random.IntN(300) {
			port := uint16(few())<<8 | uint16(few())
			four := netip.AddrFrom4([4]byte{few(), 0, 0, few()})
			six := netip.AddrFrom16([16]byte{0: few(), 3: few(), 4: few(), 15: few()})
			protocol := []Protocol{ProtocolTCP, ProtocolUDP, ProtocolSCTP, 0, 255, 65535}[random.IntN(6)]
			all = append(all, []ServiceID{
				NewServiceID(protocol, netip.AddrPortFrom(four, port)), NewServiceID(protocol, netip.AddrPortFrom(six, port)),
				FWMark(uint32(few()) + 1), FWMark6(1<<31 + uint32(few())), {},
			}[random.IntN(5)])
		}
		want := slices.SortedFunc(slices.Values(all), ServiceID.Compare)
		sortByID(all, func(id *ServiceID) ServiceID { return *id })
		if !slices.Equal(all, want) {
			t.Fatalf("got %v\nwant %v", all, want)
		}
	}
}
