package conformance

import (
	"net/netip"
	"testing"

	"github.com/golvs/lvs/internal/genl"
	"github.com/golvs/lvs/internal/simipvs"
	"github.com/golvs/lvs/internal/testbed"
)

// Where a sync daemon cannot reach its group, the kernel refuses it, and so does
// the simulator.
func TestFidelityDaemons(t *testing.T) {
	testbed.InKernel(t)
	g := openKernelGround(t).(*kernelGround)
	for _, args := range [][]string{
		{"link", "add", "down0", "type", "dummy"}, {"addr", "add", "10.3.0.1/16", "dev", "down0"},
		{"link", "add", "bare0", "type", "dummy"}, {"link", "set", "bare0", "up"},
		{"link", "add", "four0", "type", "dummy"}, {"link", "set", "four0", "up"}, {"addr", "add", "10.4.0.1/16", "dev", "four0"},
	} {
		g.ns.Run("ip", args...)
	}
	at := func(addrs ...string) (all []netip.Prefix) {
		for _, a := range addrs {
			all = append(all, netip.MustParsePrefix(a))
		}
		return all
	}
	k := simipvs.New(simipvs.Options{Release: g.release, Interfaces: []simipvs.Interface{
		{Name: groundDevice, MTU: 1500, Addrs: at(groundAddresses...)}, {Name: "down0", MTU: 1500, Addrs: at("10.3.0.1/16"), Down: true},
		{Name: "bare0", MTU: 1500}, {Name: "four0", MTU: 1500, Addrs: at("10.4.0.1/16")},
	}})
	real, sim := dialRaw(t, g.Dial), dialRaw(t, func() (genl.Socket, error) { return k.Dial(true), nil })
	t.Cleanup(real.stopDaemons)
	for _, device := range []string{groundDevice, "lo", "down0", "bare0", "four0"} {
		for _, state := range []uint32{1, 2} {
			for _, group := range [][]byte{{224, 0, 0, 81}, netip.MustParseAddr("ff02::81").AsSlice(), netip.MustParseAddr("ff05::81").AsSlice()} {
				d := daemonOf(state).set(yDevice, text(device))
				number := uint16(yGroup)
				if len(group) == 16 {
					number = yGroup6
				}
				d = d.plus(number, group)
				_, want := real.ask(newDaemon(d))
				_, got := sim.ask(newDaemon(d))
				if got != want {
					t.Errorf("%s, state %d, group %v: %v, want %v", device, state, group, got, want)
				}
				real.stopDaemons()
				sim.stopDaemons()
			}
		}
	}
}
