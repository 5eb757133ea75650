package lvs

import (
	"fmt"
	"net/netip"
	"testing"
)

// BenchmarkJudge judges tables of several sizes. The time for a service should not grow.
func BenchmarkJudge(b *testing.B) {
	for _, services := range []int{1_000, 10_000} {
		b.Run(fmt.Sprint(services), func(b *testing.B) {
			own := crowdedHost(services)
			for b.Loop() {
				judgeHosts(own, nil, nil, nil)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*services), "ns/service")
		})
	}
}

// crowdedHost returns a director with a VIP for each of many services, each with three
// real servers.
func crowdedHost(services int) HostState {
	f := HostState{Name: "director", Interfaces: []InterfaceState{{Name: "eth0", Kind: "device", Up: true, Carrier: true, MAC: "02:00:00:00:00:01"}}}
	local := netip.MustParsePrefix("10.0.0.1/8")
	f.Resources = append(f.Resources, Address{Interface: "eth0", Prefix: local}, Link{Name: "eth0", Up: true})
	f.Routes = append(f.Routes, RouteEntry{To: local.Masked(), Table: 254, Interface: "eth0", ByKernel: true})
	f.Rules = []RuleEntry{{Table: localRouteTable}, {Priority: 32766, Table: 254}}
	for i := range services {
		vip := netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})
		if i%2 == 0 { // the others are missing
			f.Resources = append(f.Resources, Address{Interface: "eth0", Prefix: hostPrefix(vip)})
			f.Routes = append(f.Routes, RouteEntry{To: hostPrefix(vip), Table: localRouteTable, Type: "local", Interface: "eth0", ByKernel: true})
		}
		e := ServiceEntry{}
		e.ID, e.Scheduler = TCP(netip.AddrPortFrom(vip, 80)), RR
		for server := range 3 {
			at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(2 + server), byte(i >> 8), byte(i)}), 80)
			e.RealServers = append(e.RealServers, RealServerStatus{RealServer: NewRealServer(at, DR())})
		}
		f.Services = append(f.Services, e)
	}
	return f
}
