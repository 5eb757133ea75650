package lvs_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"
	"time"

	"github.com/golvs/lvs"
)

// A backup director takes over the connections of a master, of which one message is lost.
func ExampleSimulator_DeliverSync() {
	ctx := context.Background()
	web := lvs.TCP(netip.MustParseAddrPort("10.168.0.93:80"))
	director := func(role lvs.SyncRole) *lvs.Simulator {
		sim, err := lvs.NewSimulator(lvs.SimOptions{Interfaces: []lvs.SimInterface{{
			Name: "eth0", Addresses: []netip.Prefix{netip.MustParsePrefix("10.168.0.93/24")},
		}}})
		if err != nil {
			log.Fatal(err)
		}
		err = sim.Client().Do(ctx,
			lvs.AddService(lvs.Service{ID: web, Scheduler: lvs.RR}),
			lvs.AddRealServer(web, lvs.NewRealServer(netip.MustParseAddrPort("10.168.0.94:80"), lvs.DR())),
			lvs.StartSyncDaemon(lvs.SyncDaemon{Role: role, Interface: "eth0", SyncID: 7}))
		if err != nil {
			log.Fatal(err)
		}
		return sim
	}
	master, backup := director(lvs.SyncMaster), director(lvs.SyncBackup)

	// By default, a master tells of a connection at its third packet.
	for n := range 3 {
		conn, err := master.Connect(lvs.Flow{Protocol: lvs.ProtocolTCP, Client: client(n), VIP: web.AddrPort()})
		if err != nil {
			log.Fatal(err)
		}
		if err := conn.Send(100); err != nil { // the handshake had two
			log.Fatal(err)
		}
		if err := master.Advance(3 * time.Second); err != nil { // so that each has its message
			log.Fatal(err)
		}
	}
	for n, m := range master.SyncMessages() {
		fmt.Printf("%d bytes to port %d\n", len(m.Payload), m.Port)
		if n == 1 {
			continue // it is lost
		}
		if err := backup.DeliverSync(m); err != nil {
			log.Fatal(err)
		}
	}
	for c, err := range backup.Host().Connections(ctx, lvs.ConnectionFilter{Origin: lvs.OriginSync}) {
		fmt.Println(c.Client, c.Server, c.State, err)
	}
	// Output:
	// 44 bytes to port 8848
	// 44 bytes to port 8848
	// 44 bytes to port 8848
	// 192.0.2.0:40000 10.168.0.94:80 ESTABLISHED <nil>
	// 192.0.2.2:40000 10.168.0.94:80 ESTABLISHED <nil>
}
