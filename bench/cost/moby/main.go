//go:build linux

// Command moby adds a service with a real server, and reads the table.
package main

import (
	"fmt"
	"log"
	"net"

	"github.com/moby/ipvs"
	"golang.org/x/sys/unix"
)

func main() {
	client, err := ipvs.New("")
	if err != nil {
		log.Fatal(err)
	}
	web := &ipvs.Service{
		Address: net.IPv4(192, 0, 2, 1), Port: 80, Protocol: unix.IPPROTO_TCP, AddressFamily: unix.AF_INET,
		SchedName: ipvs.RoundRobin, Netmask: 0xffffffff,
	}
	if err := client.NewService(web); err != nil {
		log.Fatal(err)
	}
	server := &ipvs.Destination{Address: net.IPv4(10, 0, 0, 1), Port: 80, AddressFamily: unix.AF_INET, ConnectionFlags: ipvs.ConnFwdMasq, Weight: 1}
	if err := client.NewDestination(web, server); err != nil {
		log.Fatal(err)
	}
	services, err := client.GetServices()
	for _, s := range services {
		servers, err := client.GetDestinations(s)
		fmt.Println(s, servers, err)
	}
	fmt.Println(err)
}
