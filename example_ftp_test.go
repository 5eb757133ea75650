package lvs_test

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/golvs/lvs"
)

// A client of passive FTP reads from the server where it waits for a connection. With
// ip_vs_ftp, the director opens that connection.
func ExampleSimulator_LoadModule() {
	sim, err := lvs.NewSimulator(lvs.SimOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	sim.LoadModule("ip_vs_ftp")
	ctx := context.Background()
	id := lvs.TCP(netip.MustParseAddrPort("192.0.2.1:21"))
	server := lvs.NewRealServer(netip.MustParseAddrPort("10.0.0.1:21"), lvs.NAT())
	if err := sim.Client().Do(ctx, lvs.AddService(lvs.Service{ID: id, Scheduler: lvs.RR}), lvs.AddRealServer(id, server)); err != nil {
		fmt.Println(err)
		return
	}
	client := netip.MustParseAddrPort("198.51.100.7:50000")
	control, err := sim.Connect(lvs.Flow{Protocol: lvs.ProtocolTCP, Client: client, VIP: netip.MustParseAddrPort("192.0.2.1:21")})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range []lvs.SimPacket{
		{Source: client, Destination: netip.MustParseAddrPort("192.0.2.1:21"), Data: "PASV\r\n"},
		{Source: control.Server(), Destination: client, Data: "227 Entering Passive Mode (10,0,0,1,200,10).\r\n"},
	} {
		p.Protocol, p.TCP = lvs.ProtocolTCP, lvs.SimACK
		if _, err := sim.Deliver(p); err != nil {
			fmt.Println(err)
			return
		}
	}
	for c, err := range sim.Host().Connections(ctx, lvs.ConnectionFilter{}) {
		fmt.Println(c.Client, c.VIP, c.Server, c.State, err)
	}
	// Output:
	// 198.51.100.7:50000 192.0.2.1:21 10.0.0.1:21 ESTABLISHED <nil>
	// 198.51.100.7:0 192.0.2.1:51210 10.0.0.1:51210 LISTEN <nil>
}
