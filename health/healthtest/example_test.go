package healthtest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/health"
	"github.com/golvs/lvs/health/healthtest"
)

// A probe of a server at its own address, and through the IPVS of a simulator.
func Example() {
	ctx := context.Background()
	vip, server := netip.MustParseAddrPort("10.168.0.91:80"), netip.MustParseAddrPort("10.168.0.94:80")
	network := healthtest.New()
	defer network.Close()
	if err := network.Serve(server, healthtest.Server{HTTP: http.NotFoundHandler()}); err != nil {
		fmt.Println(err)
		return
	}
	sim, err := lvs.NewSimulator(lvs.SimOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	client := sim.Client()
	defer client.Close()
	web := lvs.TCP(vip)
	err = client.Do(ctx, lvs.AddService(lvs.Service{ID: web, Scheduler: lvs.RR}), lvs.AddRealServer(web, lvs.NewRealServer(server, lvs.NAT())))
	if err != nil {
		fmt.Println(err)
		return
	}
	probe := health.HTTP{Status: "404"}
	through := network.Through(sim, netip.MustParseAddr("203.0.113.7"), 0)
	for _, does := range []healthtest.Behaviour{healthtest.Answer(), healthtest.Status(500), healthtest.Refuse()} {
		if err := network.Set(server, does); err != nil {
			fmt.Println(err)
			return
		}
		_, direct := probe.Probe(ctx, health.Target{Addr: server, Network: network})
		_, ipvs := probe.Probe(ctx, health.Target{Addr: vip, Network: through})
		fmt.Printf("%s: %t at its address, %t through IPVS\n", does, direct == nil, ipvs == nil)
	}
	// Output:
	// answer: true at its address, true through IPVS
	// status 500: false at its address, false through IPVS
	// refuse: false at its address, false through IPVS
}

func ExampleParseScript() {
	script, err := healthtest.ParseScript("40s hang; 1m refuse; 1m30s flap 2s")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(script)
	_, err = healthtest.ParseScript("40s hang; 1m dance")
	fmt.Println(err)
	// Output:
	// 40s hang; 1m0s refuse; 1m30s flap 2s
	// healthtest: Script[1]: "1m dance" at character 11: "dance" is not one of answer, hang, blackhole, refuse, reset, slow, status, endless, flap, novip, tunneldown
}
