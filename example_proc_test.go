package lvs_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"
	"time"

	"github.com/golvs/lvs"
)

// busy returns a simulated director with four connections of four clients. On a director,
// its host is that of [lvs.OpenHost].
func busy() *lvs.Simulator {
	sim := simulated(lvs.RR, lvs.SimOptions{})
	for i := range 4 {
		if _, err := sim.Connect(lvs.Flow{Client: client(i), VIP: vip}); err != nil {
			log.Fatal(err)
		}
	}
	return sim
}

func ExampleHost_QuickTable() {
	host := busy().Host()
	defer host.Close()
	table, err := host.QuickTable(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	for _, service := range table.Services {
		fmt.Println(service.ID, service.Scheduler)
		for _, server := range service.RealServers {
			fmt.Println(" ", server.Addr, server.Method, server.Weight, server.Active, server.Inactive)
		}
	}
	// Output:
	// tcp://10.168.0.91:80 rr
	//   10.168.0.94:80 dr 3 2 0
	//   10.168.0.95:80 dr 1 2 0
}

func ExampleHost_Totals() {
	ctx := context.Background()
	sim := busy()
	host := sim.Host()
	defer host.Close()
	// The kernel publishes counters about every two seconds.
	if err := sim.Advance(4 * time.Second); err != nil {
		log.Fatal(err)
	}
	total, err := host.Totals(ctx)
	if err != nil {
		log.Fatal(err)
	}
	if err := host.Client().ZeroAllCounters(ctx); err != nil {
		log.Fatal(err)
	}
	zeroed, err := host.Totals(ctx)
	if err != nil {
		log.Fatal(err)
	}
	cpus, err := host.CPUTotals(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(total.Conns, total.InPackets)
	fmt.Println(zeroed.Conns, zeroed.InPackets)
	fmt.Println(cpus[0].Conns, cpus[0].InPackets)
	// Output:
	// 4 8
	// 0 0
	// 4 8
}

func ExampleHost_Watch() {
	ctx := context.Background()
	host := simulated(lvs.WRR, lvs.SimOptions{}).Host()
	defer host.Close()
	isFirst := true
	for reading, err := range host.Watch(ctx, 10*time.Millisecond, lvs.WatchOptions{}) {
		if err != nil {
			log.Fatal(err)
		}
		if isFirst {
			fmt.Println(len(reading.Table.Services), "service")
			if err := host.Client().SetWeight(ctx, site, other, 5); err != nil {
				log.Fatal(err)
			}
			isFirst = false
			continue
		}
		for _, event := range reading.Events {
			fmt.Println(event)
		}
		break
	}
	// Output:
	// 1 service
	// real server 10.168.0.95:80 of tcp://10.168.0.91:80: Weight 1 -> 5
}

func ExampleHost_Connections_filter() {
	host := busy().Host()
	defer host.Close()
	filter := lvs.ConnectionFilter{Service: site, Client: netip.MustParsePrefix("192.0.2.0/31"), Origin: lvs.AnyOrigin}
	for c, err := range host.Connections(context.Background(), filter) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(c.Client, c.Server, c.State, c.Origin)
	}
	// Unordered output:
	// 192.0.2.0:40000 10.168.0.95:80 ESTABLISHED LOCAL
	// 192.0.2.1:40000 10.168.0.94:80 ESTABLISHED LOCAL
}
