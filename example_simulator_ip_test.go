package lvs_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"log"
	"net/netip"

	"github.com/golvs/lvs"
)

// A UDP packet from a client, as it was captured.
const captured = "4500002000010000401166c10a0900010a010001" + // from 10.9.0.1 to 10.1.0.1
	"03e80035000c0000" + "70696e67" // from port 1000 to port 53: ping

func ExampleSimulator_DeliverIP() {
	sim, err := lvs.NewSimulator(lvs.SimOptions{Interfaces: []lvs.SimInterface{
		{Name: "eth0", Addresses: []netip.Prefix{netip.MustParsePrefix("10.1.0.1/24")}},
		{Name: "eth1", Addresses: []netip.Prefix{netip.MustParsePrefix("10.2.0.254/24")}},
	}})
	if err != nil {
		log.Fatal(err)
	}
	dns := lvs.UDP(netip.MustParseAddrPort("10.1.0.1:53"))
	server := lvs.NewRealServer(netip.MustParseAddrPort("10.2.0.1:5353"), lvs.NAT())
	if err := sim.Client().Do(context.Background(), lvs.AddService(lvs.Service{ID: dns, Scheduler: lvs.RR}), lvs.AddRealServer(dns, server)); err != nil {
		log.Fatal(err)
	}
	packet, err := hex.DecodeString(captured)
	if err != nil {
		log.Fatal(err)
	}
	d, err := sim.DeliverIP(packet, 0)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(d.Verdict)
	for _, sent := range d.Sent {
		fmt.Printf("%s to %s: %x\n", sent.Interface, sent.NextHop, sent.Packet)
	}
	// Output:
	// forwarded to 10.2.0.1:5353 by nat: the scheduler picked it
	// eth1 to 10.2.0.1: 45000020000100003f1167c00a0900010a02000103e814e9000cf42770696e67
}
