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

// The table of a director that balances one site, as changes. They are values:
// print them, compare them, then give them to [Client.Do].
func ExampleChange() {
	web := lvs.TCP(netip.MustParseAddrPort("192.168.0.11:80"))
	changes := []lvs.Change{
		lvs.AddService(lvs.Service{ID: web, Scheduler: lvs.LC, Persistence: lvs.Persistence{Timeout: 5 * time.Minute}}),
		lvs.AddRealServer(web, lvs.NewRealServer(netip.MustParseAddrPort("10.168.0.94:80"), lvs.NAT)),
		lvs.AddRealServer(web, lvs.NewRealServer(netip.MustParseAddrPort("10.168.0.95:8080"), lvs.NAT)),
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
	// lvs: parse service "icmp://10.168.0.91:80": protocol: "icmp" is none of tcp, udp, sctp, fwmark and fwmark6
}

func ExampleMode() {
	for _, mode := range []lvs.Mode{lvs.DR, lvs.NAT, lvs.IPIP, lvs.GUE(6080, lvs.TunnelChecksum), lvs.GRE()} {
		fmt.Println(mode)
	}
	// Output:
	// dr
	// nat
	// ipip
	// gue:6080+csum
	// gre
}

// Add a service and its servers with one call, and take no offence at what is
// there already.
func ExampleClient_Do() {
	ctx := context.Background()
	client, err := lvs.Open(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	web := lvs.TCP(netip.MustParseAddrPort("10.168.0.91:80"))
	err = client.Do(ctx,
		lvs.AddService(lvs.Service{ID: web, Scheduler: lvs.RR}),
		lvs.AddRealServer(web, lvs.NewRealServer(netip.MustParseAddrPort("10.168.0.94:80"), lvs.DR)),
		lvs.AddRealServer(web, lvs.NewRealServer(netip.MustParseAddrPort("10.168.0.95:80"), lvs.DR)),
	)
	if err != nil && !errors.Is(err, lvs.ErrExists) { // true only when every failure is of that kind
		log.Fatal(err)
	}
}

// Change one thing of a real server and keep the rest.
func ExampleClient_ModifyRealServer() {
	ctx := context.Background()
	client, err := lvs.Open(ctx, lvs.InNamespace("director"))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	web := lvs.TCP(netip.MustParseAddrPort("10.168.0.91:80"))
	was, err := client.ModifyRealServer(ctx, web, netip.MustParseAddrPort("10.168.0.94:80"), func(s *lvs.RealServer) {
		s.UpperThreshold = 1000
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("the threshold was", was.UpperThreshold)
}
