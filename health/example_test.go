package health_test

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/health"
	"github.com/golvs/lvs/health/healthtest"
)

// watch reports which real servers work, until the context ends.
func watch(ctx context.Context, table lvs.Table, policies map[lvs.ServiceID]health.Policy, report func(health.Event)) error {
	monitor, err := health.New(health.Options{OnEvent: report})
	if err != nil {
		return err
	}
	if err := monitor.Set(table, policies); err != nil {
		return err
	}
	return monitor.Run(ctx)
}

func Example() {
	web := lvs.TCP(netip.MustParseAddrPort("10.168.0.91:80"))
	table := lvs.Table{Services: []lvs.TableService{{
		Service:     lvs.Service{ID: web},
		RealServers: []lvs.RealServer{lvs.NewRealServer(netip.MustParseAddrPort("10.168.0.94:80"), lvs.DR())},
	}}}
	policies := map[lvs.ServiceID]health.Policy{web: {Checks: []health.Check{{Probe: health.HTTP{Path: "/ready"}}}}}
	err := watch(context.Background(), table, policies, func(e health.Event) { fmt.Println(e) })
	fmt.Println(err)
}

// A server that refuses connections fails, and its weight becomes 0.
func ExampleMonitor() {
	web := lvs.TCP(netip.MustParseAddrPort("10.168.0.91:80"))
	good, bad := netip.MustParseAddrPort("10.168.0.94:80"), netip.MustParseAddrPort("10.168.0.95:80")
	table := lvs.Table{Services: []lvs.TableService{{
		Service:     lvs.Service{ID: web},
		RealServers: []lvs.RealServer{lvs.NewRealServer(good, lvs.DR()), lvs.NewRealServer(bad, lvs.DR())},
	}}}
	network := healthtest.New() // in place of the host's
	for server, does := range map[netip.AddrPort]healthtest.Behaviour{good: healthtest.Answer(), bad: healthtest.Refuse()} {
		if err := network.Serve(server, healthtest.Server{Script: healthtest.Script{{Does: does}}}); err != nil {
			fmt.Println(err)
			return
		}
	}

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	decided := 0
	monitor, err := health.New(health.Options{
		Network: network,
		OnEvent: func(health.Event) {
			if decided++; decided == 2 {
				cancel()
			}
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = monitor.Set(table, map[lvs.ServiceID]health.Policy{
		web: {Checks: []health.Check{{Probe: health.TCP{}, Interval: 10 * time.Millisecond}}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = monitor.Run(ctx)
	fmt.Println(monitor.Table(table))
	// Output:
	// tcp://10.168.0.91:80 wlc
	//   -> 10.168.0.94:80 dr weight 1
	//   -> 10.168.0.95:80 dr weight 0
}
