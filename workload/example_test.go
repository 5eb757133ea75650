package workload_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/workload"
)

var (
	web   = lvs.TCP(netip.MustParseAddrPort("10.168.0.91:80"))
	first = netip.MustParseAddrPort("10.168.0.94:80")
	other = netip.MustParseAddrPort("10.168.0.95:80")
	third = netip.MustParseAddrPort("10.168.0.96:80")
)

// simulated returns a simulator with a service of three real servers.
func simulated(s lvs.Service) *lvs.Simulator {
	sim, err := lvs.NewSimulator(lvs.SimulatorOptions{})
	if err != nil {
		log.Fatal(err)
	}
	changes := []lvs.Change{lvs.AddService(s)}
	for _, addr := range []netip.AddrPort{first, other, third} {
		changes = append(changes, lvs.AddServer(s.ID, lvs.NewRealServer(addr, lvs.DR)))
	}
	client := sim.Client()
	defer client.Close()
	if err := client.Do(context.Background(), changes...); err != nil {
		log.Fatal(err)
	}
	return sim
}

func ExampleRun() {
	sim := simulated(lvs.Service{ID: web, Scheduler: lvs.MH, Flags: lvs.Fallback})
	report, err := workload.Run(context.Background(), sim, workload.Workload{
		Service:  web,
		Duration: 2 * time.Minute,
		Arrivals: workload.Poisson(500),
		Clients:  workload.Clients{Count: 2000},
		Lifetime: workload.Exponential(5 * time.Second),
		Events: []workload.Event{
			workload.Fail(40*time.Second, first, 3*time.Second),
			workload.Back(80*time.Second, first, 0),
		},
		Seed: 1,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(report)
	// Output:
	// mh fallback: tcp://10.168.0.91:80 for 2m0s, Linux 6.12.117
	// 60,133 connections of 2,000 clients: 0 refused, 502 lost, 858 broken
	// imbalance: greatest/mean 1.027, CV 0.022, Jain 0.9995; of active connections 1.069, 0.065, 0.9958
	// time: mean 4.7s, half within 3.25s, 99 % within 21.7s, longest 49.8s
	//
	// server          weight  connections   share     due  active  mean active   peak   time
	// 10.168.0.94:80       1       13,861  23.1 %  23.1 %     854        486.5    905  4.28s
	// 10.168.0.95:80       1       23,751  39.5 %  38.5 %     864        950.4  1,342  4.79s
	// 10.168.0.96:80       1       22,521  37.5 %  38.5 %     839        905.1  1,249  4.82s
	//
	// at     returned   moved   least  ordinary  refused  broken  event
	// 40s       1,099   0.0 %   0.0 %     0.0 %        0     858  fail 10.168.0.94:80 noticed 3s
	// 43s       2,000  33.6 %  33.3 %     0.0 %        0       0  noticed 10.168.0.94:80
	// 1m20s     2,000  33.7 %  33.3 %     0.0 %        0       0  back 10.168.0.94:80
}
