package main

import (
	"fmt"
	"net/netip"

	"github.com/golvs/lvs"
)

// job is the table that every contender adds and reads: TCP services with a
// VIP each, balanced round robin over real servers of their own, in DR mode
// with weight 1. No two real servers share an address.
type job struct {
	services int
	servers  int // of each service
}

const (
	port       = 80
	scheduler  = "rr"
	maxObjects = 1 << 16 // of a kind: what two bytes of an address can tell apart
)

func (j job) check() error {
	if j.services < 1 || j.servers < 1 {
		return fmt.Errorf("%d services of %d servers: both must be at least 1", j.services, j.servers)
	}
	if j.services > maxObjects || j.servers > maxObjects || j.services*j.servers > maxObjects {
		return fmt.Errorf("%d services of %d servers: more than %d of a kind", j.services, j.servers, maxObjects)
	}
	return nil
}

// objects is the number of services and real servers, and so of changes.
func (j job) objects() int { return j.services * (1 + j.servers) }

func (j job) vip(service int) netip.AddrPort { return addrPort(1, service) }

func (j job) rip(service, server int) netip.AddrPort {
	return addrPort(2, service*j.servers+server)
}

func addrPort(network byte, n int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, network, byte(n >> 8), byte(n)}), port)
}

// changes are what makes the table: each service, then its servers.
func (j job) changes() []lvs.Change {
	all := make([]lvs.Change, 0, j.objects())
	for s := range j.services {
		id := lvs.TCP(j.vip(s))
		all = append(all, lvs.AddService(lvs.Service{ID: id, Scheduler: scheduler}))
		for r := range j.servers {
			all = append(all, lvs.AddRealServer(id, lvs.NewRealServer(j.rip(s, r), lvs.DR())))
		}
	}
	return all
}
