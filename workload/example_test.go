package workload_test

import (
	"context"
	"encoding/json"
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

// simulated returns a simulator with a service of real servers.
func simulated(s lvs.Service, servers ...netip.AddrPort) *lvs.Simulator {
	sim, err := lvs.NewSimulator(lvs.SimOptions{})
	if err != nil {
		log.Fatal(err)
	}
	changes := []lvs.Change{lvs.AddService(s)}
	for _, addr := range servers {
		changes = append(changes, lvs.AddRealServer(s.ID, lvs.NewRealServer(addr, lvs.DR())))
	}
	client := sim.Client()
	defer client.Close()
	if err := client.Do(context.Background(), changes...); err != nil {
		log.Fatal(err)
	}
	return sim
}

func ExampleRun() {
	sim := simulated(lvs.Service{ID: web, Scheduler: lvs.MH, SchedulerFlags: lvs.HashFallback}, first, other, third)
	report, err := workload.Run(context.Background(), sim, workload.Workload{
		Service:  web,
		Duration: 2 * time.Minute,
		Arrivals: workload.Poisson(100),
		Clients:  workload.Clients{Count: 500},
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
	// 11,936 connections of 500 clients: 0 refused, 92 lost, 152 broken
	// imbalance: greatest/mean 1.077, CV 0.058, Jain 0.9967; of active connections 1.134, 0.121, 0.9857
	// time: mean 4.67s, half within 3.22s, 99 % within 22.3s, longest 43.4s
	//
	// server          weight  connections   share     due  active  mean active  peak   time
	// 10.168.0.94:80       1        2,555  21.4 %  23.0 %     152         87.5   173  4.21s
	// 10.168.0.95:80       1        4,900  41.1 %  38.5 %     175        196.9   268  4.81s
	// 10.168.0.96:80       1        4,481  37.5 %  38.5 %     153        177.8   273  4.75s
	//
	// at     returned   moved   least  ordinary  refused  broken  event
	// 40s           0   0.0 %   0.0 %     0.0 %        0     152  fail 10.168.0.94:80 noticed 3s
	// 43s         500  31.4 %  33.3 %     0.0 %        0       0  noticed 10.168.0.94:80
	// 1m20s       500  31.4 %  33.3 %     0.0 %        0       0  back 10.168.0.94:80
}

func ExampleDisagree() {
	// The same three servers, added in another order on the second director.
	one := simulated(lvs.Service{ID: web, Scheduler: lvs.MH}, first, other, third)
	two := simulated(lvs.Service{ID: web, Scheduler: lvs.MH}, third, first, other)
	d, err := workload.Disagree(context.Background(), web, workload.Clients{Count: 10_000}, 1, one, two)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.2f %% of clients would get another server\n", 100*d.Pairs[0].Share)
	// Output:
	// 0.06 % of clients would get another server
}

func ExampleFailover() {
	ctx := context.Background()
	for _, sloppy := range []string{"0", "1"} {
		active := simulated(lvs.Service{ID: web, Scheduler: lvs.MH}, first, other, third)
		backup := simulated(lvs.Service{ID: web, Scheduler: lvs.MH}, first, other, third)
		host := backup.Host()
		if err := host.SetSysctl(ctx, lvs.SysctlSloppyTCP, sloppy); err != nil {
			log.Fatal(err)
		}
		t, err := workload.Failover(ctx, web, workload.Clients{Count: 1000}, 1, active, backup)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("sloppy_tcp=%s: %d of %d connections kept\n", sloppy, t.Kept, t.Connections)
	}
	// Output:
	// sloppy_tcp=0: 0 of 1000 connections kept
	// sloppy_tcp=1: 1000 of 1000 connections kept
}

// With sync daemons, the second director knows most connections. Those of the last seconds
// before the failover are lost, and so are those whose message was lost.
func ExampleSyncLink() {
	ctx := context.Background()
	director := func(role lvs.SyncRole) *lvs.Simulator {
		sim, err := lvs.NewSimulator(lvs.SimOptions{Interfaces: []lvs.SimInterface{{
			Name: "eth0", Addresses: []netip.Prefix{netip.MustParsePrefix("10.168.0.1/16"), netip.MustParsePrefix("10.168.0.91/32")},
		}}})
		if err != nil {
			log.Fatal(err)
		}
		err = sim.Client().Do(ctx, lvs.AddService(lvs.Service{ID: web, Scheduler: lvs.RR}),
			lvs.AddRealServer(web, lvs.NewRealServer(first, lvs.DR())), lvs.AddRealServer(web, lvs.NewRealServer(other, lvs.DR())),
			lvs.StartSyncDaemon(lvs.SyncDaemon{Role: role, Interface: "eth0"}))
		if err == nil {
			err = sim.Host().SetSysctl(ctx, lvs.SysctlSyncThreshold, "2 50")
		}
		if err != nil {
			log.Fatal(err)
		}
		return sim
	}
	clients := workload.Clients{Count: 1000, From: netip.MustParsePrefix("10.168.64.0/18")}
	for _, loss := range []float64{0, 0.1} {
		link := workload.SyncLink{Loss: loss, Delay: 50 * time.Millisecond}
		t, err := link.Failover(ctx, web, clients, 1, director(lvs.SyncMaster), director(lvs.SyncBackup))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%.0f %% of messages lost: of %d connections, %d known and %d kept\n", 100*loss, t.Connections, t.Known, t.Kept)
	}
	// Output:
	// 0 % of messages lost: of 1000 connections, 960 known and 960 kept
	// 10 % of messages lost: of 1000 connections, 880 known and 880 kept
}

func ExampleWorkload() {
	var w workload.Workload
	err := json.Unmarshal([]byte(`{
	  "service":  "tcp://10.168.0.91:80",
	  "duration": "1m",
	  "arrivals": "steady 50/s",
	  "clients":  "1000 zipf 1.1",
	  "lifetime": "fixed 2s",
	  "servers":  {"10.168.0.94:80": {"speed": 0.25}}
	}`), &w)
	if err != nil {
		log.Fatal(err)
	}
	for _, scheduler := range []lvs.Scheduler{lvs.RR, lvs.LC} {
		sim := simulated(lvs.Service{ID: web, Scheduler: scheduler}, first, other, third)
		report, err := workload.Run(context.Background(), sim, w)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: the slow server got %.1f %%, and %d at once\n", report.Name, 100*report.Servers[0].Share, report.Servers[0].Peak)
	}
	// Output:
	// rr: the slow server got 33.3 %, and 134 at once
	// lc: the slow server got 12.1 %, and 50 at once
}
