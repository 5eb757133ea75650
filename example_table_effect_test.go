package lvs_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"
	"time"

	"github.com/golvs/lvs"
)

// One of two real servers is to go. What does that do to the clients of now?
func ExampleTablePlan_Effect() {
	ctx := context.Background()
	sim, err := lvs.NewSimulator(lvs.SimOptions{})
	if err != nil {
		log.Fatal(err)
	}
	client, host := sim.Client(), sim.Host()
	service := lvs.Service{ID: web, Scheduler: lvs.MH}
	err = client.Do(ctx,
		lvs.AddService(service),
		lvs.AddRealServer(web, lvs.NewRealServer(rs1, lvs.DR())),
		lvs.AddRealServer(web, lvs.NewRealServer(rs2, lvs.DR())),
	)
	if err != nil {
		log.Fatal(err)
	}
	for i := range 4 {
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 40000)
		if _, err := sim.Connect(lvs.Flow{Client: from, VIP: web.AddrPort()}); err != nil {
			log.Fatal(err)
		}
	}

	for _, flags := range []lvs.SchedulerFlags{0, lvs.HashFallback} {
		service.SchedulerFlags = flags
		want := lvs.Table{Services: []lvs.TableService{{
			Service: service, RealServers: []lvs.RealServer{lvs.NewRealServer(rs1, lvs.DR())},
		}}}
		plan, err := client.PlanTable(ctx, want, lvs.TableOptions{Drain: time.Hour})
		if err != nil {
			log.Fatal(err)
		}
		effect, err := plan.Effect(ctx, host)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("flags %q: of %d clients, %d are refused at once and %d move; %d of %d connections are cut at the deadline\n", flags,
			effect.Clients, len(effect.AtOnce.Refused), len(effect.AtOnce.Moved), len(effect.AtDeadline.Broken), effect.Connections)
		for _, c := range effect.AtOnce.Refused {
			fmt.Println(c)
		}
	}
	// Output:
	// flags "": of 4 clients, 2 are refused at once and 0 move; 2 of 4 connections are cut at the deadline
	// 192.0.2.0 of tcp://10.168.0.91:80, now on 10.168.0.95:80, is refused: the scheduler finds no server with a weight and below its upper threshold
	// 192.0.2.1 of tcp://10.168.0.91:80, now on 10.168.0.95:80, is refused: the scheduler finds no server with a weight and below its upper threshold
	// flags "fallback": of 4 clients, 0 are refused at once and 2 move; 2 of 4 connections are cut at the deadline
}
