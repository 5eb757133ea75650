// Command lvs adds a service with a real server, and reads the table.
package main

import (
	"context"
	"fmt"
	"log"
	"net/netip"

	"github.com/golvs/lvs"
)

func main() {
	ctx := context.Background()
	client, err := lvs.Open(ctx)
	if err != nil {
		log.Fatal(err)
	}
	web := lvs.TCP(netip.MustParseAddrPort("192.0.2.1:80"))
	if err := client.AddService(ctx, lvs.Service{ID: web, Scheduler: lvs.RR}); err != nil {
		log.Fatal(err)
	}
	if err := client.AddRealServer(ctx, web, lvs.NewRealServer(netip.MustParseAddrPort("10.0.0.1:80"), lvs.NAT())); err != nil {
		log.Fatal(err)
	}
	table, err := client.Snapshot(ctx)
	fmt.Println(table, err)
}
