package lvs_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"

	"github.com/golvs/lvs"
)

// An SCTP association, as the director sees it with NAT.
func ExampleSimulator_Connect_sctp() {
	ctx := context.Background()
	sim, err := lvs.NewSimulator(lvs.SimOptions{})
	if err != nil {
		log.Fatal(err)
	}
	signalling := lvs.SCTP(netip.MustParseAddrPort("10.168.0.93:2905"))
	err = sim.Client().Do(ctx,
		lvs.AddService(lvs.Service{ID: signalling, Scheduler: lvs.RR}),
		lvs.AddRealServer(signalling, lvs.RealServer{Addr: netip.MustParseAddrPort("10.168.0.94:2905"), Mode: lvs.NAT(), Weight: 1}),
	)
	if err != nil {
		log.Fatal(err)
	}
	flow := lvs.Flow{Protocol: lvs.ProtocolSCTP, Client: client(1), VIP: signalling.AddrPort()}
	conn, err := sim.Connect(flow) // INIT, INIT ACK, COOKIE ECHO, COOKIE ACK
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(conn.Server(), conn.State())

	// The client's data, and in the same packet the end of the association.
	v, err := sim.Deliver(lvs.SimPacket{
		Protocol: lvs.ProtocolSCTP, Source: flow.Client, Destination: flow.VIP,
		SCTP: lvs.SimSCTPShutdown + lvs.SimSCTPData,
	})
	fmt.Println(v, v.State, err)
	// Output:
	// 10.168.0.94:2905 ESTABLISHED
	// forwarded to 10.168.0.94:2905 by nat: it belongs to a connection S-RECEIVED <nil>
}
