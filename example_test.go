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

// A service with two real servers, on a simulator: no root, no network. On a
// director, [Open] returns the client instead.
func Example() {
	ctx := context.Background()
	sim, err := lvs.NewSimulator(lvs.SimOptions{})
	if err != nil {
		log.Fatal(err)
	}
	client := sim.Client()
	defer client.Close()

	web := lvs.TCP(netip.MustParseAddrPort("10.168.0.91:80"))
	err = client.Do(ctx,
		lvs.AddService(lvs.Service{ID: web, Scheduler: lvs.RR}),
		lvs.AddRealServer(web, lvs.NewRealServer(netip.MustParseAddrPort("10.168.0.94:80"), lvs.DR())),
		lvs.AddRealServer(web, lvs.NewRealServer(netip.MustParseAddrPort("10.168.0.95:80"), lvs.DR())),
	)
	if err != nil {
		log.Fatal(err)
	}
	for _, from := range []string{"192.0.2.1:40000", "192.0.2.2:40000", "192.0.2.3:40000"} {
		flow := lvs.Flow{Client: netip.MustParseAddrPort(from), VIP: web.AddrPort()}
		conn, err := sim.Connect(flow)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(from, "->", conn.Server())
	}
	servers, err := client.RealServers(ctx, web)
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range servers {
		fmt.Println(s.Addr, "has", s.ActiveConns, "connections")
	}
	// Output:
	// 192.0.2.1:40000 -> 10.168.0.95:80
	// 192.0.2.2:40000 -> 10.168.0.94:80
	// 192.0.2.3:40000 -> 10.168.0.95:80
	// 10.168.0.94:80 has 1 connections
	// 10.168.0.95:80 has 2 connections
}

func ExampleOpen() {
	ctx := context.Background()

	client, err := lvs.Open(ctx) // lvs.InNamespace opens another network namespace
	if errors.Is(err, lvs.ErrUnavailable) {
		log.Fatal("this kernel has no IPVS")
	}
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	version, err := client.Info(ctx)
	if errors.Is(err, lvs.ErrPermission) {
		log.Fatal("this needs CAP_NET_ADMIN in the initial user namespace, even for reading")
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("IPVS", version.Version)
}

// The table of a director for one site. Changes are values: print them, compare
// them, then give them to [Client.Do].
func ExampleChange() {
	web := lvs.TCP(netip.MustParseAddrPort("192.168.0.11:80"))
	changes := []lvs.Change{
		lvs.AddService(lvs.Service{ID: web, Scheduler: lvs.LC, Persistence: lvs.Persistence{Timeout: 5 * time.Minute}}),
		lvs.AddRealServer(web, lvs.NewRealServer(netip.MustParseAddrPort("10.168.0.94:80"), lvs.NAT())),
		lvs.AddRealServer(web, lvs.NewRealServer(netip.MustParseAddrPort("10.168.0.95:8080"), lvs.NAT())),
	}
	for _, change := range changes {
		fmt.Println(change)
	}
	// Output:
	// + tcp://192.168.0.11:80 lc persistent 5m0s
	// + tcp://192.168.0.11:80 -> 10.168.0.94:80 nat weight 1
	// + tcp://192.168.0.11:80 -> 10.168.0.95:8080 nat weight 1
}

func ExampleParseServiceID() {
	for _, text := range []string{"tcp://10.168.0.91:80", "fwmark6://7", "icmp://10.168.0.91:80"} {
		id, err := lvs.ParseServiceID(text)
		if errors.Is(err, lvs.ErrInvalid) {
			fmt.Println(err)
			continue
		}
		fmt.Println(id, id.Is6())
	}
	// Output:
	// tcp://10.168.0.91:80 false
	// fwmark6://7 true
	// lvs: parse "icmp://10.168.0.91:80": Protocol: "icmp" is not tcp, udp, sctp, fwmark or fwmark6
}

func ExampleMode() {
	for _, mode := range []lvs.Mode{lvs.DR(), lvs.NAT(), lvs.IPIP(), lvs.GUE(6080, lvs.TunnelChecksum), lvs.GRE()} {
		fmt.Println(mode)
	}
	// Output:
	// dr
	// nat
	// ipip
	// gue:6080+csum
	// gre
}
