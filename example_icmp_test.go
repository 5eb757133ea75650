package lvs_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"

	"github.com/golvs/lvs"
)

// A real server of NAT complains about a client's packet, and the client about the
// server's.
func ExampleSimPacket_icmp() {
	ctx := context.Background()
	sim, err := lvs.NewSimulator(lvs.SimOptions{})
	if err != nil {
		log.Fatal(err)
	}
	web := lvs.TCP(netip.MustParseAddrPort("10.168.0.91:80"))
	server := netip.MustParseAddrPort("10.168.0.94:8080")
	err = sim.Client().Do(ctx,
		lvs.AddService(lvs.Service{ID: web, Scheduler: lvs.RR}),
		lvs.AddRealServer(web, lvs.RealServer{Addr: server, Mode: lvs.NAT(), Weight: 1}),
	)
	if err != nil {
		log.Fatal(err)
	}
	conn, err := sim.Connect(lvs.Flow{Client: client(1), VIP: web.AddrPort()})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(conn.Server(), conn.State())

	host := func(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr(), 0) }
	const unreachable, tooLong = 3, 4
	fromServer := lvs.SimPacket{
		Protocol: lvs.ProtocolICMP, ICMPType: unreachable, ICMPCode: tooLong,
		Source: host(server), Destination: host(client(1)),
		About: &lvs.SimPacket{Protocol: lvs.ProtocolTCP, Source: client(1), Destination: server, TCP: lvs.SimACK},
	}
	fmt.Println(sim.Deliver(fromServer))
	fromClient := lvs.SimPacket{
		Protocol: lvs.ProtocolICMP, ICMPType: unreachable, ICMPCode: tooLong,
		Source: host(client(1)), Destination: host(web.AddrPort()),
		About: &lvs.SimPacket{Protocol: lvs.ProtocolTCP, Source: web.AddrPort(), Destination: client(1), TCP: lvs.SimACK},
	}
	fmt.Println(sim.Deliver(fromClient))
	// Output:
	// 10.168.0.94:8080 ESTABLISHED
	// replied: it is an ICMP error about a packet of a connection <nil>
	// forwarded to 10.168.0.94:8080 by nat: it is an ICMP error about a packet of a connection <nil>
}
