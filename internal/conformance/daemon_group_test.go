package conformance

import (
	"net/netip"
	"testing"

	"github.com/golvs/lvs/internal/genl"
	"github.com/golvs/lvs/internal/simipvs"
)

// A master daemon that cannot reach its group is refused.
func TestSimulatorDaemonWithoutGroup(t *testing.T) {
	k := simipvs.New(simipvs.Options{Interfaces: []simipvs.Interface{{Name: groundDevice, MTU: 1500}}})
	conn := dialRaw(t, func() (genl.Socket, error) { return k.Dial(true), nil })
	group6 := attribute{yGroup6, netip.MustParseAddr("ff02::81").AsSlice()}
	onLo := daemonOf(1).set(yDevice, text("lo"))
	for _, d := range []attributes{onLo, append(daemonOf(1), group6)} {
		if errno := conn.do(newDaemon(d)); errno != 0 {
			t.Error(errno)
		}
		conn.stopDaemons()
	}
	if errno := conn.do(newDaemon(append(onLo, group6))); errno != 101 {
		t.Errorf("IPv6 on lo: %v", errno)
	}
	interfaces := k.Interfaces()
	for i := range interfaces {
		interfaces[i].Down = interfaces[i].Name == groundDevice
	}
	k.SetInterfaces(interfaces)
	if errno := conn.do(newDaemon(daemonOf(1))); errno != 101 {
		t.Errorf("on an interface that is down: %v", errno)
	}
	if errno := conn.do(newDaemon(daemonOf(2))); errno != 0 {
		t.Errorf("one that only listens: %v", errno)
	}
}
