package lvs_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/workload"
)

// leastResponseTime picks the server that would answer first: the one with the
// shortest response time, which monitoring knows, times the connections that it
// would have.
type leastResponseTime struct {
	servers *lvs.SimServers
	times   map[netip.AddrPort]time.Duration
}

func (p *leastResponseTime) Pick(lvs.Flow) (best lvs.SimServer) {
	var shortest time.Duration
	for s := range p.servers.All {
		wait := p.times[s.Addr()] * time.Duration(s.ActiveConns()+1)
		if s.IsUsable() && (shortest == 0 || wait < shortest) {
			best, shortest = s, wait
		}
	}
	return best
}

func (p *leastResponseTime) Changed() {}

// An algorithm of one's own beside those of the kernel: what would clients gain if
// the director knew that one of three servers has become slow?
func ExampleSimAlgorithm_leastResponseTime() {
	third := netip.MustParseAddrPort("10.168.0.96:80")
	times := map[netip.AddrPort]time.Duration{first: 400 * time.Millisecond, other: 100 * time.Millisecond, third: 100 * time.Millisecond}
	own := map[lvs.Scheduler]lvs.SimAlgorithm{
		"lrt": func(servers *lvs.SimServers) lvs.SimPicker { return &leastResponseTime{servers, times} },
	}
	for _, scheduler := range []lvs.Scheduler{lvs.RR, lvs.LC, lvs.SED, "lrt"} {
		sim, err := lvs.NewSimulator(lvs.SimOptions{Algorithms: own})
		if err != nil {
			log.Fatal(err)
		}
		changes := []lvs.Change{lvs.AddService(lvs.Service{ID: site, Scheduler: scheduler})}
		for _, addr := range []netip.AddrPort{first, other, third} {
			changes = append(changes, lvs.AddRealServer(site, lvs.NewRealServer(addr, lvs.DR())))
		}
		if err := sim.Client().Do(context.Background(), changes...); err != nil {
			log.Fatal(err)
		}
		report, err := workload.Run(context.Background(), sim, workload.Workload{
			Service:  site,
			Duration: 10 * time.Minute,
			Arrivals: workload.Poisson(15),
			Clients:  workload.Clients{Count: 1000},
			Lifetime: workload.Exponential(100 * time.Millisecond),
			Server:   workload.Server{Slots: 1},
			Servers:  map[netip.AddrPort]workload.Server{first: {Speed: 0.25, Slots: 1}},
		})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%-3s  mean %5.2f s, 99 %% within %5.2f s, the slow server got %4.1f %%\n",
			scheduler, report.Times.Mean, report.Times.P99, 100*report.Servers[0].Share)
	}
	// Round robin gives the slow server more than it can do.

	// Output:
	// rr   mean 30.68 s, 99 % within 300.65 s, the slow server got 33.3 %
	// lc   mean  0.34 s, 99 % within  2.79 s, the slow server got 16.3 %
	// sed  mean  0.23 s, 99 % within  1.76 s, the slow server got 12.1 %
	// lrt  mean  0.22 s, 99 % within  0.96 s, the slow server got  1.9 %
}
