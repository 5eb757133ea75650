package main

import (
	"context"
	"net/netip"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/workload"
)

// demo returns a simulated host with two services that are in use.
func demo(ctx context.Context) (*lvs.Simulator, error) {
	sim, err := lvs.NewSimulator(lvs.SimOptions{})
	if err != nil {
		return nil, err
	}
	client := sim.Client()
	defer client.Close()
	for _, s := range []struct {
		service lvs.Service
		weights []int
	}{
		{lvs.Service{ID: lvs.TCP(netip.MustParseAddrPort("10.168.0.91:80")), Scheduler: lvs.MH}, []int{1, 1, 1, 1}},
		{lvs.Service{ID: lvs.TCP(netip.MustParseAddrPort("10.168.0.92:443")), Scheduler: lvs.WLC}, []int{2, 1, 1}},
	} {
		changes := []lvs.Change{lvs.AddService(s.service)}
		for i, weight := range s.weights {
			addr := netip.AddrFrom4([4]byte{10, 168, 0, byte(94 + i)})
			changes = append(changes, lvs.AddRealServer(s.service.ID, lvs.RealServer{
				Addr: netip.AddrPortFrom(addr, s.service.ID.AddrPort().Port()), Weight: weight,
			}))
		}
		if err := client.Do(ctx, changes...); err != nil {
			return nil, err
		}
		_, err := workload.Run(ctx, sim, workload.Workload{
			Service: s.service.ID, Duration: 20 * time.Second, Arrivals: workload.Poisson(30),
			Clients: workload.Clients{Count: 2000}, Lifetime: workload.Exponential(10 * time.Second), Seed: 1,
		})
		if err != nil {
			return nil, err
		}
	}
	return sim, nil
}
