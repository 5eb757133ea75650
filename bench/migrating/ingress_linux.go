// Package migrating has the balancer of examples/ingress as programs write it with
// github.com/moby/ipvs, for docs/migrating.md to show both.
package migrating

import (
	"net/netip"
	"sync"

	"github.com/moby/ipvs"
	"golang.org/x/sys/unix"
)

// Balancer balances the connections of firewall marks to containers.
type Balancer struct {
	mu     sync.Mutex // a handle is for one goroutine at a time
	Handle *ipvs.Handle
}

// Add adds a container to the service of a mark, and the service if needed.
func (b *Balancer) Add(mark uint32, container netip.Addr) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	service := &ipvs.Service{FWMark: mark, AddressFamily: unix.AF_INET, Netmask: 0xffffffff, SchedName: ipvs.RoundRobin}
	if !b.Handle.IsServicePresent(service) {
		if err := b.Handle.NewService(service); err != nil && err != unix.EEXIST {
			return err
		}
	}
	err := b.Handle.NewDestination(service, destination(container, 1))
	if err == unix.EEXIST { // it may be draining
		err = b.Handle.UpdateDestination(service, destination(container, 1))
	}
	return err
}

// Remove removes a container, and the service with its last one.
func (b *Balancer) Remove(mark uint32, container netip.Addr) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	service := &ipvs.Service{FWMark: mark, AddressFamily: unix.AF_INET, Netmask: 0xffffffff, SchedName: ipvs.RoundRobin}
	err := b.Handle.DelDestination(service, destination(container, 0))
	if err != nil && err != unix.ESRCH && err != unix.ENOENT {
		return err
	}
	rest, err := b.Handle.GetDestinations(service)
	if err != nil || len(rest) > 0 {
		return err
	}
	if err := b.Handle.DelService(service); err != nil && err != unix.ESRCH {
		return err
	}
	return nil
}

// Drain lets a container finish its connections without getting new ones.
func (b *Balancer) Drain(mark uint32, container netip.Addr) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	service := &ipvs.Service{FWMark: mark, AddressFamily: unix.AF_INET, Netmask: 0xffffffff, SchedName: ipvs.RoundRobin}
	err := b.Handle.UpdateDestination(service, destination(container, 0))
	if err == unix.ESRCH || err == unix.ENOENT {
		return nil
	}
	return err
}

func destination(container netip.Addr, weight int) *ipvs.Destination {
	return &ipvs.Destination{
		Address: container.AsSlice(), AddressFamily: unix.AF_INET,
		ConnectionFlags: ipvs.ConnectionFlagMasq, Weight: weight,
	}
}
