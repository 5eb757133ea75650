package metrics_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/director"
	"github.com/golvs/lvs/metrics"
)

var web = lvs.MustParseServiceID("tcp://10.168.0.91:80")

// site returns a simulated host with a service that has four connections.
func site() *lvs.Host {
	sim, err := lvs.NewSimulator(lvs.SimOptions{ImmediateStats: true})
	if err != nil {
		log.Fatal(err)
	}
	host := sim.Host()
	changes := []lvs.Change{lvs.AddService(lvs.Service{ID: web, Scheduler: lvs.WRR})}
	for i, addr := range []string{"10.168.0.94:80", "10.168.0.95:80"} {
		server := lvs.NewRealServer(netip.MustParseAddrPort(addr), lvs.DR())
		server.Weight = 3 - 2*i
		changes = append(changes, lvs.AddRealServer(web, server))
	}
	if err := host.Client().Do(context.Background(), changes...); err != nil {
		log.Fatal(err)
	}
	for port := range uint16(4) {
		client := netip.AddrPortFrom(netip.MustParseAddr("192.168.0.7"), 40000+port)
		if _, err := sim.Connect(lvs.Flow{Client: client, VIP: web.AddrPort()}); err != nil {
			log.Fatal(err)
		}
	}
	return host
}

// show prints those lines of the metrics that begin so.
func show(c *metrics.Collector, prefixes ...string) {
	var text strings.Builder
	if err := c.WriteText(&text); err != nil {
		log.Fatal(err)
	}
	for line := range strings.Lines(text.String()) {
		if slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(line, p) }) {
			fmt.Print(line)
		}
	}
}

// serve serves the metrics of this machine's kernel.
func serve(ctx context.Context, address string) error {
	host, err := lvs.OpenHost(ctx)
	if err != nil {
		return err
	}
	defer host.Close()
	collector, err := metrics.New(host, metrics.Options{
		OnError: func(reading string, err error) { log.Printf("read %s: %v", reading, err) },
	})
	if err != nil {
		return err
	}
	http.Handle("GET /metrics", collector)
	return http.ListenAndServe(address, nil)
}

func Example() {
	if len(os.Args) > 2 && os.Args[1] == "serve" {
		log.Fatal(serve(context.Background(), os.Args[2]))
	}
	collector, err := metrics.New(site(), metrics.Options{})
	if err != nil {
		log.Fatal(err)
	}
	show(collector, "lvs_up", "lvs_service_connections", "lvs_real_server_active", "lvs_real_server_weight")
	// Output:
	// lvs_real_server_active_connections{real_server="10.168.0.94:80",service="tcp://10.168.0.91:80"} 3
	// lvs_real_server_active_connections{real_server="10.168.0.95:80",service="tcp://10.168.0.91:80"} 1
	// lvs_real_server_weight{real_server="10.168.0.94:80",service="tcp://10.168.0.91:80"} 3
	// lvs_real_server_weight{real_server="10.168.0.95:80",service="tcp://10.168.0.91:80"} 1
	// lvs_service_connections_total{service="tcp://10.168.0.91:80"} 4
	// lvs_up 1
}

// Services and real servers can have names, and only some real servers metrics.
func ExampleOptions() {
	services := map[lvs.ServiceID]string{web: "web"}
	servers := map[netip.Addr]string{netip.MustParseAddr("10.168.0.94"): "rs1"}
	collector, err := metrics.New(site(), metrics.Options{
		Servers:        metrics.BusiestServers(1),
		ServerCounters: true,
		ServiceName:    func(id lvs.ServiceID) string { return services[id] },
		ServerName:     func(_ lvs.ServiceID, server netip.AddrPort) string { return servers[server.Addr()] },
	})
	if err != nil {
		log.Fatal(err)
	}
	show(collector, "lvs_service_active", "lvs_real_server_active", "lvs_real_server_connections")
	// Output:
	// lvs_real_server_active_connections{real_server="rs1",service="web"} 3
	// lvs_real_server_connections_total{real_server="rs1",service="web"} 3
	// lvs_service_active_connections{service="web"} 4
}

func ExampleOptions_nodeExporter() {
	collector, err := metrics.New(site(), metrics.Options{NodeExporter: true})
	if err != nil {
		log.Fatal(err)
	}
	show(collector, "node_ipvs_connections", "node_ipvs_backend_weight")
	// Output:
	// node_ipvs_backend_weight{local_address="10.168.0.91",local_mark="",local_port="80",proto="TCP",remote_address="10.168.0.94",remote_port="80"} 3
	// node_ipvs_backend_weight{local_address="10.168.0.91",local_mark="",local_port="80",proto="TCP",remote_address="10.168.0.95",remote_port="80"} 1
	// node_ipvs_connections_total 4
}

// A program that runs a director shows its state beside the table.
func ExampleOptions_director() {
	host := site()
	table, err := host.Client().Snapshot(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	d, err := director.New(host.Client(), director.Options{
		Source: director.Fixed(table.Table()),
		OnEvent: func(e director.Event) {
			if _, ok := e.(director.Applied); ok {
				cancel()
			}
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	collector, err := metrics.New(host, metrics.Options{Director: d})
	if err != nil {
		log.Fatal(err)
	}
	// Another program removes a real server.
	if err := host.Client().RemoveRealServer(ctx, web, netip.MustParseAddrPort("10.168.0.95:80")); err != nil {
		log.Fatal(err)
	}
	_ = d.Run(ctx)
	show(collector, "lvs_director_in_sync ", "lvs_director_changes", "lvs_director_wanted")
	// Output:
	// lvs_director_changes_total 1
	// lvs_director_in_sync 1
	// lvs_director_wanted_real_servers 2
	// lvs_director_wanted_services 1
}
