package conformance

import (
	"context"
	"net/netip"
	"testing"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/internal/release"
)

// The network of a director with two wires:
//
//	clients 10.9.0.0/16 and fd00:9::/64 ─ router ─ director ─ real servers
//
// The VIPs are addresses of the director, and so are all of the networks vipRoutes.
var (
	wireAddresses = map[string][]string{
		toClients: {"10.1.0.1/16", "fd00:1::1/64", "10.1.254.1/32", "10.1.254.2/32", "fd00:1::fe:1/128", "fd00:1::fe:2/128"},
		toServers: {"10.2.0.1/16", "fd00:2::1/64"},
	}
	wireMTUs = map[string]int{toClients: 1500, toServers: 1400}

	clientRouters = map[string]string{"10.9.0.0/16": "10.1.0.254", "fd00:9::/64": "fd00:1::254"}
	serverRouters = map[string]string{"10.3.0.0/16": "10.2.0.254", "fd00:3::/64": "fd00:2::254"}
	vipRoutes     = []string{"10.1.253.0/24", "fd00:1:0:1::/64", "fe80:0:0:9::/64"}
)

// openWiredSimulator opens a simulator of that director.
func openWiredSimulator(t testing.TB, r release.Release) *simulatorSide {
	t.Helper()
	var interfaces []lvs.SimInterface
	for _, by := range []string{toClients, toServers} {
		i := lvs.SimInterface{Name: wireNames[by], MTU: wireMTUs[by]}
		for _, a := range wireAddresses[by] {
			i.Addresses = append(i.Addresses, netip.MustParsePrefix(a))
		}
		interfaces = append(interfaces, i)
	}
	sim, err := lvs.NewSimulator(lvs.SimOptions{Kernel: r.String(), Interfaces: interfaces, FTPPorts: []uint16{21, 2121}})
	must(t, err)
	setup := lvs.Setup{{Want: lvs.Sysctl{Key: lvs.SysctlIPForward, Value: "1"}}, {Want: lvs.Sysctl{Key: lvs.SysctlIPv6Forwarding, Value: "1"}}}
	for _, routers := range []map[string]string{clientRouters, serverRouters} {
		for to, via := range routers {
			setup = append(setup, lvs.Requirement{Want: lvs.Route{To: netip.MustParsePrefix(to), Via: netip.MustParseAddr(via)}})
		}
	}
	for _, to := range vipRoutes {
		setup = append(setup, lvs.Requirement{Want: lvs.Route{To: netip.MustParsePrefix(to), Interface: "lo", Local: true}})
	}
	h := sim.Host()
	defer h.Close()
	plan, err := h.Plan(context.Background(), setup)
	must(t, err)
	must(t, h.Apply(context.Background(), plan))
	return newSimulatorSide(&simulatorGround{sim, kernelOf(sim), r})
}

// Inject delivers frames.
func (s *simulatorSide) Inject(frames []frame) (all [][]exit) {
	for _, f := range frames {
		d, err := s.inject(f)
		all = append(all, exitsOf(d, err))
	}
	return all
}

func (s *simulatorSide) inject(f frame) (lvs.SimDelivery, error) {
	return s.ground.(*simulatorGround).DeliverIP(f.packet.encode(), f.packet.mark)
}

func exitsOf(d lvs.SimDelivery, err error) (all []exit) {
	if err != nil {
		return []exit{{err: err}}
	}
	for _, sent := range d.Sent {
		x := exit{by: toClients, hop: sent.NextHop, packet: sent.Packet, matches: sent.Matches}
		switch sent.Interface {
		case wireNames[toServers]:
			x.by = toServers
		case "lo":
			x.by, x.hop = toStack, netip.Addr{}
		}
		all = append(all, x)
	}
	if d.Local != nil && !isHidden(d.Local) {
		all = append(all, exit{by: toStack, packet: d.Local})
	}
	return all
}
