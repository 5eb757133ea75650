package lvs_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/netip"

	"github.com/golvs/lvs"
)

// newHost returns a simulated host with the interface eth0; on a director or a real
// server it is that of [lvs.OpenHost].
func newHost(address string) *lvs.Host {
	sim, err := lvs.NewSimulator(lvs.SimOptions{Interfaces: []lvs.SimInterface{
		{Name: "eth0", Addresses: []netip.Prefix{netip.MustParsePrefix(address)}},
	}})
	if err != nil {
		log.Fatal(err)
	}
	return sim.Host()
}

// A plan shows what would change, and changes nothing.
func ExampleHost_Plan() {
	ctx := context.Background()
	host := newHost("10.168.0.90/24")
	defer host.Close()

	setup, err := lvs.DRDirector{VIP: netip.MustParseAddr("10.168.0.91"), Interface: "eth0"}.Setup()
	if err != nil {
		log.Fatal(err)
	}
	plan, err := host.Plan(ctx, setup)
	if err != nil {
		log.Fatal(err)
	}
	for _, step := range plan.Steps {
		if step.HasChanges() {
			fmt.Println(step.Requirement.Want)
		}
	}
	// Output:
	// ip addr add 10.168.0.91/32 broadcast 10.168.0.91 dev eth0 label eth0:0
	// ip route replace 10.168.0.91/32 dev eth0
}

// Set a host up, and restore it in a later process: the plan is saved in between.
func ExampleHost_Undo() {
	ctx := context.Background()
	host := newHost("10.168.0.94/24")
	defer host.Close()

	setup, err := lvs.DRRealServer{VIP: netip.MustParseAddr("10.168.0.91")}.Setup()
	if err != nil {
		log.Fatal(err)
	}
	plan, err := host.Plan(ctx, setup)
	if err != nil {
		log.Fatal(err)
	}
	saved, err := json.Marshal(plan) // before Apply, so that Undo is always possible
	if err != nil {
		log.Fatal(err)
	}
	if err := host.Apply(ctx, plan); err != nil {
		log.Fatal(err)
	}
	arp := lvs.InterfaceSysctl("all", "arp_ignore", false)
	value, err := host.Sysctl(ctx, arp)
	fmt.Println("set up: arp_ignore is", value, err)

	var loaded lvs.SetupPlan
	if err := json.Unmarshal(saved, &loaded); err != nil {
		log.Fatal(err)
	}
	left, err := host.Undo(ctx, loaded)
	if err != nil {
		log.Fatal(err)
	}
	value, err = host.Sysctl(ctx, arp)
	fmt.Println("undone: arp_ignore is", value, err)
	fmt.Println("left behind:", len(left))
	// Output:
	// set up: arp_ignore is 1 <nil>
	// undone: arp_ignore is 0 <nil>
	// left behind: 0
}

// Find out what keeps a host from balancing. Each finding says why it matters and
// how to fix it.
func ExampleHost_Check() {
	ctx := context.Background()
	host := newHost("10.168.0.90/24")
	defer host.Close()

	// The table of a director whose VIP was forgotten.
	web := lvs.TCP(netip.MustParseAddrPort("10.168.0.91:80"))
	err := host.Client().Do(ctx,
		lvs.AddService(lvs.Service{ID: web, Scheduler: lvs.RR}),
		lvs.AddRealServer(web, lvs.NewRealServer(netip.MustParseAddrPort("10.168.0.94:80"), lvs.DR())),
	)
	if err != nil {
		log.Fatal(err)
	}
	setup, err := lvs.DRDirector{VIP: web.AddrPort().Addr(), Interface: "eth0"}.Setup()
	if err != nil {
		log.Fatal(err)
	}
	report, err := host.Check(ctx, lvs.CheckOptions{Setup: setup})
	if err != nil {
		log.Fatal(err)
	}
	for _, finding := range report.Findings {
		fmt.Println(finding.Severity, finding.Code)
		for _, requirement := range finding.Fix {
			fmt.Println("   ", requirement.Want)
		}
	}
	// Output:
	// broken vip-missing
	//     ip addr add 10.168.0.91/32 broadcast 10.168.0.91 dev eth0 label eth0:0
}
