package lvs_test

import (
	"context"
	"fmt"
	"log"

	"github.com/golvs/lvs"
)

// Find out which real server a client would reach, and why. This works on a live host,
// which [lvs.OpenHost] opens, as it does on a simulated one.
func ExampleHost_Explain() {
	sim := simulated(lvs.WLC, lvs.SimOptions{})
	if _, err := sim.Connect(lvs.Flow{Client: client(1), VIP: vip}); err != nil {
		log.Fatal(err)
	}
	host := sim.Host()
	defer host.Close()
	for i := range 2 {
		x, err := host.Explain(context.Background(), lvs.Flow{Client: client(1 + i), VIP: vip})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(x)
	}
	// Output:
	// tcp 192.0.2.1:40000 -> 10.168.0.91:80
	//   forwarded to 10.168.0.95:80 by dr: it belongs to a connection
	//   it has a connection to 10.168.0.95:80 in state ESTABLISHED
	// tcp 192.0.2.2:40000 -> 10.168.0.91:80
	//   forwarded to 10.168.0.94:80 by dr: the scheduler picked it
	//   wlc: 10.168.0.94:80 has load 0 for weight 3 (0 active and 0 inactive); the next, 10.168.0.95:80, has load 257 for weight 1 (1 active and 0 inactive)
}

// Find out where an ICMP error goes: one by which the client says that an answer was too
// long, and one that a router on the way to the server sends.
func ExampleHost_ExplainError() {
	sim := simulated(lvs.WLC, lvs.SimOptions{})
	flow := lvs.Flow{Client: client(1), VIP: vip}
	if _, err := sim.Connect(flow); err != nil {
		log.Fatal(err)
	}
	host := sim.Host()
	defer host.Close()
	for _, e := range []lvs.FlowError{{Type: 3, Code: 4}, {Type: 11, FromServer: true}} {
		x, err := host.ExplainError(context.Background(), flow, e)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(x)
	}
	// Output:
	// ICMP error 3/4 from the client's side, about tcp 192.0.2.1:40000 -> 10.168.0.91:80
	//   forwarded to 10.168.0.95:80 by dr: it is an ICMP error about a packet of a connection
	//   it has a connection to 10.168.0.95:80 in state ESTABLISHED
	// ICMP error 11/0 from the server's side, about tcp 192.0.2.1:40000 -> 10.168.0.91:80
	//   replied: it is an ICMP error about a packet of a connection
	//   it has a connection to 10.168.0.95:80 in state ESTABLISHED
}
