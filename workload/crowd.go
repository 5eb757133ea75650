package workload

import (
	"net/netip"
	"time"
)

// crowd is all clients: those of the workload, and those that a recorded list names. It gives each connection an address and a port.
type crowd struct {
	clients  Clients
	spread   spread
	recorded []netip.Addr       // behind the addresses of clients
	known    map[netip.Addr]int // their numbers as a client
	ports    []uint32           // by address: how many it has used
	open     []uint32           // by address: how many are in use
	start    uint64
	taken    map[uint64]bool // ports in use, of addresses that have used all of theirs once
}

// Ports that clients connect from.
const (
	firstPort = 1024
	portCount = 1<<16 - firstPort
)

func newCrowd(w *Workload, now time.Time) *crowd {
	c := &crowd{
		clients: w.Clients, spread: w.Clients.spread(w.Service.Is6()),
		known: make(map[netip.Addr]int), taken: make(map[uint64]bool),
		// A second run does not use the ports of the first.
		start: w.Seed ^ uint64(now.UnixNano()),
	}
	for _, a := range w.Recorded {
		if addr := a.Client.Unmap(); addr.IsValid() {
			if _, ok := c.known[addr]; !ok {
				c.known[addr] = w.Clients.Count + len(c.recorded)
				c.recorded = append(c.recorded, addr)
			}
		}
	}
	addresses := w.Clients.addresses() + len(c.recorded)
	c.ports, c.open = make([]uint32, addresses), make([]uint32, addresses)
	return c
}

// len returns how many clients there are.
func (c *crowd) len() int { return c.clients.Count + len(c.recorded) }

// address returns the number of a client's address.
func (c *crowd) address(client int) int {
	if client < c.clients.Count {
		return c.clients.addressOf(client)
	}
	return c.clients.addresses() + client - c.clients.Count
}

// addr returns the address of that number.
func (c *crowd) addr(address int) netip.Addr {
	if n := c.clients.addresses(); address >= n {
		return c.recorded[address-n]
	}
	return c.spread.at(address)
}

// port returns a port of an address that no connection uses, or not ok. It calls
// inUse for the ports in use once the address has used every port.
func (c *crowd) port(address int, inUse func(yield func(port uint16))) (port uint16, ok bool) {
	if c.open[address] == portCount {
		return 0, false
	}
	c.open[address]++
	used := c.ports[address]
	if used == portCount {
		inUse(func(p uint16) { c.taken[key(address, p)] = true })
	}
	offset := (c.start + uint64(address)*0x9e3779b97f4a7c15) >> 32
	for {
		port = firstPort + uint16((offset+uint64(used))%portCount)
		used++
		if used <= portCount || !c.taken[key(address, port)] {
			c.ports[address] = used
			if used > portCount {
				c.taken[key(address, port)] = true
			}
			return port, true
		}
	}
}

// release gives a port back.
func (c *crowd) release(address int, port uint16) {
	c.open[address]--
	if c.ports[address] >= portCount {
		delete(c.taken, key(address, port))
	}
}

func key(address int, port uint16) uint64 { return uint64(address)<<16 | uint64(port) }
