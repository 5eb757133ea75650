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

// A flood of SYNs whose senders never answer fills the connection table: each stays for a
// minute. With drop_entry=1, a kernel that is short of memory ends half-open connections,
// at random, and none that is in use.
func ExampleSimulator_SetFreePages() {
	ctx := context.Background()
	sim := simulated(lvs.WLC, lvs.SimOptions{Kernel: "6.12.117"})
	host := sim.Host()
	defer host.Close()

	user, err := sim.Connect(lvs.Flow{Client: client(1), VIP: vip})
	if err != nil {
		log.Fatal(err)
	}
	flood := func(second int) {
		for i := range 100 {
			from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, byte(second), byte(i)}), 1024)
			_, err := sim.Deliver(lvs.SimPacket{Protocol: lvs.ProtocolTCP, Source: from, Destination: vip, TCP: lvs.SimSYN})
			if err != nil {
				log.Fatal(err)
			}
		}
		if err := errors.Join(user.Send(100), sim.Advance(time.Second)); err != nil {
			log.Fatal(err)
		}
	}
	report := func(when string) {
		mode, err := host.SysctlInt(ctx, lvs.SysctlDropEntry)
		if err != nil {
			log.Fatal(err)
		}
		all, err := lvs.CollectConnections(host.Connections(ctx, lvs.ConnectionFilter{}))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: drop_entry=%d, %d connections, the user's is %s\n", when, mode, len(all), user.State())
	}

	if err := host.SetSysctl(ctx, lvs.SysctlDropEntry, "1"); err != nil { // while memory is short
		log.Fatal(err)
	}
	for second := range 120 {
		flood(second)
	}
	report("memory is plenty")
	sim.SetFreePages(500) // amemthresh is 1024
	for second := range 120 {
		flood(120 + second)
	}
	report("memory is short")
	// Output:
	// memory is plenty: drop_entry=1, 5901 connections, the user's is ESTABLISHED
	// memory is short: drop_entry=2, 2601 connections, the user's is ESTABLISHED
}
