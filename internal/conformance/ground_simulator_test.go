package conformance

import (
	"fmt"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/internal/genl"
	"github.com/golvs/lvs/internal/release"
	"github.com/golvs/lvs/internal/simipvs"
)

// simulatorGround is a simulator, and the kernel in it.
type simulatorGround struct {
	*lvs.Simulator
	kernel  *simipvs.Kernel
	release release.Release
}

// openSimulatorGround returns a function that opens a kernel of a release.
func openSimulatorGround(text string) func(testing.TB) ground {
	return func(t testing.TB) ground {
		t.Helper()
		r, err := release.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		device := lvs.SimInterface{Name: groundDevice}
		for _, a := range groundAddresses {
			device.Addresses = append(device.Addresses, netip.MustParsePrefix(a))
		}
		s, err := lvs.NewSimulator(lvs.SimOptions{Kernel: text, Interfaces: []lvs.SimInterface{device}, FTPPorts: []uint16{21, 2121}})
		must(t, err)
		return &simulatorGround{s, kernelOf(s), r}
	}
}

// kernelOf returns the kernel of a simulator, below its own interface.
func kernelOf(s *lvs.Simulator) *simipvs.Kernel {
	return (*simipvs.Kernel)(reflect.ValueOf(s).Elem().FieldByName("kernel").UnsafePointer())
}

func (g *simulatorGround) Dial() (genl.Socket, error) { return g.kernel.Dial(true), nil }

func (g *simulatorGround) DialUnprivileged() (genl.Socket, error) { return g.kernel.Dial(false), nil }

func (g *simulatorGround) Datagram(from, to netip.AddrPort) error {
	const udp, length = 17, 20 + 8 + 5 // "hello" behind the headers of IPv4 and UDP
	var v simipvs.Verdict
	err := g.kernel.Deliver(&simipvs.Packet{Protocol: udp, Source: &from, Destination: &to, Length: length}, &v)
	if err == nil && v.Action != simipvs.Forwarded {
		err = fmt.Errorf("sending a datagram from %s to %s: %+v", from, to, v)
	}
	return err
}

func (g *simulatorGround) Host(t testing.TB) *lvs.Host {
	h := g.Simulator.Host()
	t.Cleanup(func() { h.Close() })
	return h
}

// Wait advances the kernel's clock.
func (g *simulatorGround) Wait(d time.Duration) { _ = g.kernel.Advance(d) }

func (g *simulatorGround) Release() release.Release { return g.release }

func (g *simulatorGround) Table(t testing.TB) string {
	t.Helper()
	text, err := g.kernel.ReadFile("/proc/net/ip_vs")
	must(t, err)
	return string(text)
}
