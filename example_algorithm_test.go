package lvs_test

import (
	"context"
	"fmt"
	"hash/fnv"
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
	service *lvs.SimService
	times   map[netip.AddrPort]time.Duration
}

func (p *leastResponseTime) Pick(lvs.Flow) (best lvs.SimServer) {
	var shortest time.Duration
	for s := range p.service.Servers() {
		wait := p.times[s.Addr()] * time.Duration(s.ActiveConns()+1)
		if s.IsUsable() && (shortest == 0 || wait < shortest) {
			best, shortest = s, wait
		}
	}
	return best
}

// A custom algorithm beside those of the kernel: what would clients gain if
// the director knew that one of three servers has become slow?
func ExampleSimAlgorithm_leastResponseTime() {
	third := netip.MustParseAddrPort("10.168.0.96:80")
	times := map[netip.AddrPort]time.Duration{first: 400 * time.Millisecond, other: 100 * time.Millisecond, third: 100 * time.Millisecond}
	own := map[lvs.Scheduler]lvs.SimAlgorithm{
		"lrt": func(s *lvs.SimService) lvs.SimPicker { return &leastResponseTime{s, times} },
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

// rendezvous picks the server whose hash with the client is the greatest, so that a
// client keeps its server while others come and go. As with mh, a client whose server
// is not usable gets another one only if the service has the flag fallback.
type rendezvous struct{ service *lvs.SimService }

func (p rendezvous) Pick(f lvs.Flow) (best lvs.SimServer) {
	var greatest uint64
	falls := p.service.SchedulerFlags()&lvs.HashFallback != 0
	for s := range p.service.Servers() {
		h := fnv.New64a()
		fmt.Fprint(h, p.service.Seed(), f.Client.Addr(), s.Addr())
		if hash := h.Sum64(); hash >= greatest && (s.IsUsable() || !falls) {
			best, greatest = s, hash
		}
	}
	if !best.IsUsable() {
		return lvs.SimServer{}
	}
	return best
}

// A custom algorithm like mh, with the flags that a service can give mh.
func ExampleSimAlgorithm_hash() {
	ctx := context.Background()
	sim := simulated("rendezvous", lvs.SimOptions{Seed: 1, Algorithms: map[lvs.Scheduler]lvs.SimAlgorithm{
		"rendezvous": func(s *lvs.SimService) lvs.SimPicker { return rendezvous{s} },
	}})
	reached := func() (n int) {
		for i := range 100 {
			if _, err := sim.Connect(lvs.Flow{Client: client(i), VIP: vip}); err == nil {
				n++
			}
		}
		return n
	}
	if err := sim.Client().SetWeight(ctx, site, first, 0); err != nil {
		log.Fatal(err)
	}
	fmt.Println("reached:", reached())
	_, err := sim.Client().ModifyService(ctx, site, func(s *lvs.Service) { s.SchedulerFlags = lvs.HashFallback })
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("with fallback:", reached())
	// Output:
	// reached: 46
	// with fallback: 100
}
