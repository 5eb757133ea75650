package workload

import (
	"net/netip"
	"testing"

	"github.com/golvs/lvs"
)

var web = lvs.TCP(netip.MustParseAddrPort("10.168.0.91:80"))

// addrOf is the address of the i-th real server, from 0 on.
func addrOf(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 168, 1 + byte(i/250), byte(1 + i%250)}), 80)
}

// newSim returns a simulator with a service of so many weights.
func newSim(t testing.TB, s lvs.Service, mode lvs.Mode, weights ...int) *lvs.Simulator {
	t.Helper()
	sim, err := lvs.NewSimulator(lvs.SimOptions{})
	if err != nil {
		t.Fatal(err)
	}
	changes := []lvs.Change{lvs.AddService(s)}
	for i, w := range weights {
		changes = append(changes, lvs.AddRealServer(s.ID, lvs.RealServer{Addr: addrOf(i), Mode: mode, Weight: w}))
	}
	client := sim.Client()
	defer client.Close()
	if err := client.Do(t.Context(), changes...); err != nil {
		t.Fatal(err)
	}
	return sim
}

func ones(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = 1
	}
	return out
}
