package lvs_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"
	"strings"
	"time"

	"github.com/golvs/lvs"
)

// Linux's engine sip ties calls to real servers by their Call-ID. A custom engine does so
// for the protocol of an application: here, datagrams begin with the name of a user.
func ExampleSimEngine() {
	sim, err := lvs.NewSimulator(lvs.SimOptions{Engines: map[string]lvs.SimEngine{
		"user": func(p lvs.SimPacket) (key string, found bool) {
			key, _, found = strings.Cut(p.Data, ":")
			return key, found
		},
	}})
	if err != nil {
		log.Fatal(err)
	}
	server1, server2 := netip.MustParseAddrPort("10.168.0.94:0"), netip.MustParseAddrPort("10.168.0.95:0")
	games, calls := lvs.UDP(netip.MustParseAddrPort("10.168.0.91:7777")), lvs.UDP(netip.MustParseAddrPort("10.168.0.91:5060"))
	c := sim.Client()
	defer c.Close()
	for id, engine := range map[lvs.ServiceID]string{games: "user", calls: "sip"} {
		persistence := lvs.Persistence{Timeout: 5 * time.Minute, Engine: engine}
		if err := c.Do(context.Background(),
			lvs.AddService(lvs.Service{ID: id, Scheduler: lvs.RR, Persistence: persistence}),
			lvs.AddRealServer(id, lvs.RealServer{Addr: at(server1, id), Weight: 1}),
			lvs.AddRealServer(id, lvs.RealServer{Addr: at(server2, id), Weight: 1}),
		); err != nil {
			log.Fatal(err)
		}
	}
	port := uint16(1023)
	send := func(to lvs.ServiceID, data string) {
		port++
		v, err := sim.Deliver(lvs.SimPacket{
			Protocol: lvs.ProtocolUDP, Source: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), port),
			Destination: to.AddrPort(), Data: data,
		})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(v)
	}
	send(games, "alice:left")
	send(games, "bob:left")
	send(games, "alice:right")
	send(games, "???")
	send(calls, "INVITE sip:bob@example.com SIP/2.0\r\nCall-ID: 7f3a@192.0.2.1\r\n\r\n")
	send(calls, "BYE sip:bob@example.com SIP/2.0\r\ni: 7f3a@192.0.2.1\r\n\r\n")
	// Output:
	// forwarded to 10.168.0.95:7777 by dr: the scheduler picked it
	// forwarded to 10.168.0.94:7777 by dr: the scheduler picked it
	// forwarded to 10.168.0.95:7777 by dr: persistence ties the client to it
	// dropped: the persistence engine of the service finds no key in it
	// forwarded to 10.168.0.95:5060 by dr: the scheduler picked it
	// forwarded to 10.168.0.95:5060 by dr: persistence ties the client to it
}

// at returns a server with the port of a service.
func at(server netip.AddrPort, id lvs.ServiceID) netip.AddrPort {
	return netip.AddrPortFrom(server.Addr(), id.AddrPort().Port())
}
