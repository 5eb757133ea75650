package lvs_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/netip"
	"time"

	"github.com/golvs/lvs"
)

// A table in a file, such as one that people edit. YAML packages read the same fields. An
// error says where the file is wrong.
func ExampleParseTable() {
	table, err := lvs.ParseTable([]byte(`{
  "version": 1,
  "services": [{
    "id": "tcp://10.168.0.91:80", "scheduler": "wrr", "persistence": "5m",
    "realServers": [
      {"addr": "10.168.0.94:80", "weight": 3},
      {"addr": "10.168.0.95:80"}
    ]
  }]
}`))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(table)

	_, err = lvs.ParseTable([]byte(`{
  "version": 1,
  "services": [{"id": "tcp://10.168.0.91:80", "realServers": [
    {"addr": "10.168.0.94:80", "weigth": 3}
  ]}]
}`))
	fmt.Println(err)
	var bad *lvs.Error
	if errors.As(err, &bad) {
		fmt.Println(bad.Field, bad.Line, bad.Column)
	}
	// Output:
	// tcp://10.168.0.91:80 wrr persistent 5m0s
	//   -> 10.168.0.94:80 dr weight 3
	//   -> 10.168.0.95:80 dr weight 1
	// lvs: parse table, line 4, column 32: services[0].realServers[0].weigth: is not a known field; did you mean weight?
	// services[0].realServers[0].weigth 4 32
}

func ExampleTable_Validate() {
	table := lvs.Table{Services: []lvs.TableService{
		{
			Service:     lvs.Service{ID: web, Scheduler: lvs.RR, SchedulerFlags: lvs.HashFallback},
			RealServers: []lvs.RealServer{lvs.NewRealServer(netip.MustParseAddrPort("10.168.0.94:8080"), lvs.DR())},
		},
		{Service: lvs.Service{ID: web}},
	}}
	err := table.Validate()
	fmt.Println(err)

	var bad *lvs.TableError
	if errors.As(err, &bad) {
		for _, problem := range bad.Problems {
			fmt.Println(problem.Field)
		}
	}
	// Output:
	// lvs: the table has 3 problems
	// 	tcp://10.168.0.91:80: services[0].schedulerFlags: fallback is for the schedulers sh and mh, and has no effect on rr
	// 	tcp://10.168.0.91:80 -> 10.168.0.94:8080: services[0].realServers[0].addr: dr does not rewrite ports, so the server must have the service's port, 80, not 8080
	// 	tcp://10.168.0.91:80: services[1].id: is already the ID of services[0]
	// services[0].schedulerFlags
	// services[0].realServers[0].addr
	// services[1].id
}

// A real server comes and another one goes, and nothing is changed yet.
func ExampleDiff() {
	service := lvs.Service{ID: web, Scheduler: lvs.WRR}
	have := lvs.Table{Services: []lvs.TableService{{Service: service, RealServers: []lvs.RealServer{
		lvs.NewRealServer(rs1, lvs.DR()), {Addr: rs2, Weight: 3},
	}}}}
	want := lvs.Table{Services: []lvs.TableService{{Service: service, RealServers: []lvs.RealServer{
		{Addr: rs2, Weight: 5}, lvs.NewRealServer(rs3, lvs.DR()),
	}}}}
	plan, err := lvs.Diff(have, want, lvs.TableOptions{Drain: 5 * time.Minute})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(plan)
	fmt.Println()
	for _, change := range plan.Changes() { // what Apply makes at once
		fmt.Println(change)
	}
	// Output:
	// + tcp://10.168.0.91:80 -> 10.168.0.96:80 dr weight 1
	// ~ tcp://10.168.0.91:80 -> 10.168.0.95:80 weight 3 → 5
	// - tcp://10.168.0.91:80 -> 10.168.0.94:80, drained for at most 5m0s
	//
	// + tcp://10.168.0.91:80 -> 10.168.0.96:80 dr weight 1
	// ~ tcp://10.168.0.91:80 -> 10.168.0.95:80 dr weight 5
	// ~ tcp://10.168.0.91:80 -> 10.168.0.94:80 dr weight 0
}

// twoRealServers returns a simulator with a service of two real servers.
func twoRealServers(ctx context.Context, scheduler lvs.Scheduler) *lvs.Simulator {
	sim, err := lvs.NewSimulator(lvs.SimOptions{})
	if err != nil {
		log.Fatal(err)
	}
	err = sim.Client().Do(ctx,
		lvs.AddService(lvs.Service{ID: web, Scheduler: scheduler}),
		lvs.AddRealServer(web, lvs.NewRealServer(rs1, lvs.DR())),
		lvs.AddRealServer(web, lvs.NewRealServer(rs2, lvs.DR())),
	)
	if err != nil {
		log.Fatal(err)
	}
	return sim
}

// A plan of what the kernel has also says what each step does to connections and
// clients.
func ExampleClient_PlanTable() {
	ctx := context.Background()
	sim := twoRealServers(ctx, lvs.MH)
	client := sim.Client()
	want := lvs.Table{Services: []lvs.TableService{{
		Service: lvs.Service{ID: web, Scheduler: lvs.MH}, RealServers: []lvs.RealServer{lvs.NewRealServer(rs1, lvs.DR())},
	}}}
	plan, err := client.PlanTable(ctx, want, lvs.TableOptions{Drain: time.Minute, Host: sim.Host()})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(plan)
	// Output:
	// - tcp://10.168.0.91:80 -> 10.168.0.95:80, drained for at most 1m0s
	//     It has no connections now.
	//     About 50.0 % of clients are refused, because mh has no fallback.
}

// The last connection of a real server ends, and then the real server is removed.
func ExampleClient_Drain() {
	ctx := context.Background()
	client := twoRealServers(ctx, lvs.RR).Client()
	end, err := client.Drain(ctx, web, rs2, lvs.DrainOptions{Timeout: 5 * time.Minute})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(end.Reason, end.Conns)
	servers, err := client.RealServers(ctx, web)
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range servers {
		fmt.Println(s.RealServer)
	}
	// Output:
	// no-connections 0
	// 10.168.0.94:80 dr weight 1
}

// A real server is replaced: the new one is there before the old one goes, and the old
// one goes when its last connection has ended.
func ExampleClient_ApplyTable() {
	ctx := context.Background()
	sim, err := lvs.NewSimulator(lvs.SimOptions{})
	if err != nil {
		log.Fatal(err)
	}
	client := sim.Client()
	table := func(servers ...netip.AddrPort) lvs.Table {
		s := lvs.TableService{Service: lvs.Service{ID: web, Scheduler: lvs.RR}}
		for _, addr := range servers {
			s.RealServers = append(s.RealServers, lvs.NewRealServer(addr, lvs.DR()))
		}
		return lvs.Table{Services: []lvs.TableService{s}}
	}
	apply := func(want lvs.Table) lvs.ApplyResult {
		plan, err := client.PlanTable(ctx, want, lvs.TableOptions{Drain: 5 * time.Minute})
		if err != nil {
			log.Fatal(err)
		}
		result, err := client.ApplyTable(ctx, plan, lvs.ApplyOptions{})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(result)
		return result
	}

	apply(table(rs1, rs2))
	result := apply(table(rs1, rs3))
	left, err := client.Snapshot(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(left.Table())

	_, ended, err := client.AwaitDrains(ctx, result.Drains)
	if err != nil {
		log.Fatal(err)
	}
	for _, end := range ended {
		fmt.Println(end.Drain.RealServer, end.Reason)
	}
	apply(table(rs1, rs3))
	// Output:
	// 3 steps made
	// 2 steps made; 1 drain began
	// tcp://10.168.0.91:80 rr
	//   -> 10.168.0.94:80 dr weight 1
	//   -> 10.168.0.95:80 dr weight 0
	//   -> 10.168.0.96:80 dr weight 1
	// 10.168.0.95:80 no-connections
	// nothing to do
}
