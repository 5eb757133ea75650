package lvs_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/netip"
	"time"

	"github.com/golvs/lvs"
)

// Send several changes with one system call. Puts add what is missing and update
// what exists, so the same changes can be sent again.
func ExampleClient_Do() {
	ctx := context.Background()
	client := newClient()
	defer client.Close()

	web := lvs.TCP(netip.MustParseAddrPort("10.168.0.91:80"))
	changes := []lvs.Change{
		lvs.PutService(lvs.Service{ID: web, Scheduler: lvs.RR}),
		lvs.PutRealServer(web, lvs.NewRealServer(netip.MustParseAddrPort("10.168.0.94:80"), lvs.DR())),
		lvs.PutRealServer(web, lvs.NewRealServer(netip.MustParseAddrPort("10.168.0.95:80"), lvs.DR())),
	}
	for range 2 {
		if err := client.Do(ctx, changes...); err != nil {
			log.Fatal(err)
		}
	}
	servers, err := client.RealServers(ctx, web)
	fmt.Println(len(servers), err)
	// Output:
	// 2 <nil>
}

// Change one thing of a real server and keep everything else.
func ExampleClient_ModifyRealServer() {
	ctx := context.Background()
	client := newClient()
	defer client.Close()

	web := lvs.TCP(netip.MustParseAddrPort("10.168.0.91:80"))
	rs1 := lvs.RealServer{Addr: netip.MustParseAddrPort("10.168.0.94:80"), Weight: 3}
	if err := client.Do(ctx, lvs.AddService(lvs.Service{ID: web}), lvs.AddRealServer(web, rs1)); err != nil {
		log.Fatal(err)
	}
	previous, err := client.ModifyRealServer(ctx, web, rs1.Addr, func(s *lvs.RealServer) { s.UpperThreshold = 1000 })
	if err != nil {
		log.Fatal(err)
	}
	now, err := client.RealServer(ctx, web, rs1.Addr)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("threshold", previous.UpperThreshold, "becomes", now.UpperThreshold, "and the weight stays", now.Weight)
	// Output:
	// threshold 0 becomes 1000 and the weight stays 3
}

// Read the whole table.
func ExampleClient_Snapshot() {
	ctx := context.Background()
	client := newClient()
	defer client.Close()

	web := lvs.TCP(netip.MustParseAddrPort("10.168.0.91:80"))
	dns := lvs.UDP(netip.MustParseAddrPort("10.168.0.91:53"))
	err := client.Do(ctx,
		lvs.AddService(lvs.Service{ID: web, Scheduler: lvs.WRR}),
		lvs.AddRealServer(web, lvs.RealServer{Addr: netip.MustParseAddrPort("10.168.0.94:80"), Weight: 3}),
		lvs.AddRealServer(web, lvs.RealServer{Addr: netip.MustParseAddrPort("10.168.0.95:80"), Weight: 1}),
		lvs.AddService(lvs.Service{ID: dns, OnePacket: true}),
	)
	if err != nil {
		log.Fatal(err)
	}
	table, err := client.Snapshot(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, entry := range table.Services {
		fmt.Println(entry.ID, entry.Scheduler)
		for _, s := range entry.RealServers {
			fmt.Println(" ", s.Addr, s.Mode, s.Weight, s.ActiveConns)
		}
	}
	// Output:
	// tcp://10.168.0.91:80 wrr
	//   10.168.0.94:80 dr 3 0
	//   10.168.0.95:80 dr 1 0
	// udp://10.168.0.91:53 wlc
}

// Sync daemons tell a second director about connections, so that they survive
// when it takes over the VIP. A director usually runs both roles.
func ExampleClient_StartSyncDaemon() {
	ctx := context.Background()
	sim, err := lvs.NewSimulator(lvs.SimOptions{Interfaces: []lvs.SimInterface{
		{Name: "eth0", Addresses: []netip.Prefix{netip.MustParsePrefix("10.168.0.90/24")}},
	}})
	if err != nil {
		log.Fatal(err)
	}
	client := sim.Client()
	defer client.Close()

	for _, role := range []lvs.SyncRole{lvs.SyncMaster, lvs.SyncBackup} {
		err := client.StartSyncDaemon(ctx, lvs.SyncDaemon{Role: role, Interface: "eth0", SyncID: 7})
		if err != nil {
			log.Fatal(err)
		}
	}
	daemons, err := client.SyncDaemons(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, d := range daemons {
		fmt.Println(d.Role, "on", d.Interface, "sync id", d.SyncID, "group", d.Group, "port", d.Port)
	}
	if err := client.StopSyncDaemon(ctx, lvs.SyncBackup); err != nil {
		log.Fatal(err)
	}
	// Output:
	// master on eth0 sync id 7 group 224.0.0.81 port 8848
	// backup on eth0 sync id 7 group 224.0.0.81 port 8848
}

// Persistence sends all connections of a client to the same real server. With a
// mask of 24 bits, all clients of one network count as one.
func ExamplePersistence() {
	ctx := context.Background()
	sim, err := lvs.NewSimulator(lvs.SimOptions{})
	if err != nil {
		log.Fatal(err)
	}
	client := sim.Client()
	defer client.Close()

	shop := lvs.Service{
		ID:          lvs.TCP(netip.MustParseAddrPort("10.168.0.91:443")),
		Scheduler:   lvs.RR,
		Persistence: lvs.Persistence{Timeout: 5 * time.Minute, Mask: lvs.PrefixMask(24)},
	}
	err = client.Do(ctx,
		lvs.AddService(shop),
		lvs.AddRealServer(shop.ID, lvs.NewRealServer(netip.MustParseAddrPort("10.168.0.94:443"), lvs.DR())),
		lvs.AddRealServer(shop.ID, lvs.NewRealServer(netip.MustParseAddrPort("10.168.0.95:443"), lvs.DR())),
	)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(shop.Persistence)
	for _, from := range []string{"192.0.2.1:40000", "192.0.2.99:40000", "198.51.100.1:40000"} {
		conn, err := sim.Connect(lvs.Flow{Client: netip.MustParseAddrPort(from), VIP: shop.ID.AddrPort()})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(from, "->", conn.Server())
	}
	// Output:
	// 5m0s/24
	// 192.0.2.1:40000 -> 10.168.0.95:443
	// 192.0.2.99:40000 -> 10.168.0.95:443
	// 198.51.100.1:40000 -> 10.168.0.94:443
}

// A firewall mark makes one service of several ports: the director marks packets to
// ports 80 and 443 (see [PacketMark]), and with persistence a client reaches the same
// real server on both.
func ExampleFWMark() {
	ctx := context.Background()
	sim, err := lvs.NewSimulator(lvs.SimOptions{})
	if err != nil {
		log.Fatal(err)
	}
	client := sim.Client()
	defer client.Close()

	site := lvs.FWMark(7)
	err = client.Do(ctx,
		lvs.AddService(lvs.Service{ID: site, Scheduler: lvs.RR, Persistence: lvs.Persistence{Timeout: 5 * time.Minute}}),
		// Port 0 means the port that the client connects to.
		lvs.AddRealServer(site, lvs.NewRealServer(netip.MustParseAddrPort("10.168.0.94:0"), lvs.DR())),
		lvs.AddRealServer(site, lvs.NewRealServer(netip.MustParseAddrPort("10.168.0.95:0"), lvs.DR())),
	)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(site)
	for _, from := range []string{"192.0.2.1:40000", "192.0.2.2:40000"} {
		for _, vip := range []string{"10.168.0.91:80", "10.168.0.91:443"} {
			conn, err := sim.Connect(lvs.Flow{
				Client: netip.MustParseAddrPort(from),
				VIP:    netip.MustParseAddrPort(vip),
				FWMark: 7, // as PacketMark sets it on a real host
			})
			if err != nil {
				log.Fatal(err)
			}
			fmt.Println(from, "to", vip, "->", conn.Verdict().Target())
		}
	}
	// Output:
	// fwmark://7
	// 192.0.2.1:40000 to 10.168.0.91:80 -> 10.168.0.95:80
	// 192.0.2.1:40000 to 10.168.0.91:443 -> 10.168.0.95:443
	// 192.0.2.2:40000 to 10.168.0.91:80 -> 10.168.0.94:80
	// 192.0.2.2:40000 to 10.168.0.91:443 -> 10.168.0.94:443
}

// newClient returns the client of a new simulator; on a director it is that of
// [lvs.Open].
func newClient() *lvs.Client {
	sim, err := lvs.NewSimulator(lvs.SimOptions{})
	if err != nil {
		log.Fatal(err)
	}
	return sim.Client()
}

// A service with its real servers, as a program reads it from its configuration.
func ExampleRealServer() {
	const config = `{
		"service": {"id": "tcp://10.168.0.91:80", "scheduler": "wrr", "persistence": "5m0s/24"},
		"servers": [
			{"addr": "10.168.0.94:80", "weight": 3},
			{"addr": "10.168.1.95:80", "mode": "gue:6080"}
		]
	}`
	var site struct {
		Service lvs.Service
		Servers []lvs.RealServer
	}
	if err := json.Unmarshal([]byte(config), &site); err != nil {
		log.Fatal(err)
	}
	fmt.Println(site.Service)
	for _, s := range site.Servers {
		fmt.Println(s) // an absent mode is dr, and an absent weight is 1
	}
	// Output:
	// tcp://10.168.0.91:80 wrr persistent 5m0s/24
	// 10.168.0.94:80 dr weight 3
	// 10.168.1.95:80 gue:6080 weight 1
}
