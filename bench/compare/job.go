package main

import (
	"fmt"
	"net/netip"

	"github.com/golvs/lvs"
)

// job is the table that every contender adds and reads: TCP services with a
// VIP each, balanced round robin over real servers of their own, in DR mode.
// No two real servers share an address.
type job struct {
	services int
	servers  int // of each service
	edited   int // every edited-th real server has weight 2, the others have 1; 0: none
}

func (j job) String() string {
	text := fmt.Sprintf("%d services of %d servers", j.services, j.servers)
	if n := j.edits(); n > 0 {
		text += fmt.Sprintf(", of which %d are edited", n)
	}
	return text
}

const (
	port        = 80
	scheduler   = "rr"
	maxServices = 1 << 16 // what two bytes of an address can tell apart
	maxServers  = 100 << 16
)

func (j job) check() error {
	if j.services < 1 || j.servers < 1 {
		return fmt.Errorf("%d services of %d servers: both must be at least 1", j.services, j.servers)
	}
	if j.services > maxServices || j.services*j.servers > maxServers {
		return fmt.Errorf("%d services of %d servers: more than %d or %d", j.services, j.servers, maxServices, maxServers)
	}
	return nil
}

// objects is the number of services and real servers, and so of changes.
func (j job) objects() int { return j.services * (1 + j.servers) }

func (j job) vip(service int) netip.AddrPort { return addrPort(1<<16 + service) }

func (j job) rip(service, server int) netip.AddrPort {
	return addrPort(2<<16 + service*j.servers + server)
}

func addrPort(n int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}), port)
}

func (j job) weight(service, server int) int {
	if j.edited > 0 && (service*j.servers+server)%j.edited == 0 {
		return 2
	}
	return 1
}

// unedited is the job with the weight 1 everywhere.
func (j job) unedited() job {
	j.edited = 0
	return j
}

// edits is the number of real servers whose weight is not 1.
func (j job) edits() int {
	if j.edited == 0 {
		return 0
	}
	return (j.services*j.servers + j.edited - 1) / j.edited
}

// changes are what makes the table: each service, then its servers.
func (j job) changes() []lvs.Change {
	all := make([]lvs.Change, 0, j.objects())
	for s := range j.services {
		id := lvs.TCP(j.vip(s))
		all = append(all, lvs.AddService(lvs.Service{ID: id, Scheduler: scheduler}))
		for r := range j.servers {
			all = append(all, lvs.AddRealServer(id, j.server(s, r)))
		}
	}
	return all
}

func (j job) server(service, server int) lvs.RealServer {
	return lvs.RealServer{Addr: j.rip(service, server), Mode: lvs.DR(), Weight: j.weight(service, server)}
}

// table is what the changes make.
func (j job) table() lvs.Table {
	t := lvs.Table{Services: make([]lvs.TableService, j.services)}
	for s := range t.Services {
		t.Services[s].Service = lvs.Service{ID: lvs.TCP(j.vip(s)), Scheduler: scheduler}
		for r := range j.servers {
			t.Services[s].RealServers = append(t.Services[s].RealServers, j.server(s, r))
		}
	}
	return t
}
