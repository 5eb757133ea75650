// Command cloudflare adds a service with a real server, and reads the table.
package main

import (
	"fmt"
	"log"
	"net/netip"

	"github.com/cloudflare/ipvs"
	"github.com/cloudflare/ipvs/netmask"
)

func main() {
	client, err := ipvs.New()
	if err != nil {
		log.Fatal(err)
	}
	web := ipvs.Service{
		Address: netip.MustParseAddr("192.0.2.1"), Port: 80, Protocol: ipvs.TCP, Family: ipvs.INET,
		Scheduler: "rr", Netmask: netmask.MaskFrom(32, 32),
	}
	if err := client.CreateService(web); err != nil {
		log.Fatal(err)
	}
	server := ipvs.Destination{Address: netip.MustParseAddr("10.0.0.1"), Port: 80, Family: ipvs.INET, FwdMethod: ipvs.Masquerade, Weight: 1}
	if err := client.CreateDestination(web, server); err != nil {
		log.Fatal(err)
	}
	services, err := client.Services()
	for _, s := range services {
		servers, err := client.Destinations(s.Service)
		fmt.Println(s, servers, err)
	}
	fmt.Println(err)
}
