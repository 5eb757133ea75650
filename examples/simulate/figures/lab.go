package main

import (
	"context"
	"net/netip"
	"time"

	"github.com/golvs/lvs"
)

var service = lvs.TCP(netip.MustParseAddrPort("192.0.2.1:80"))

// serverAddr returns the address of the i-th server.
func serverAddr(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{172, byte(16 + i>>16), byte(i >> 8), byte(i)}), 80)
}

// lab is a simulator with a service of servers of equal weight.
type lab struct {
	*lvs.Simulator
	client *lvs.Client
}

// weight is that of each server. TWOS draws from 0 to the sum of the weights,
// which favours one server by one: with a larger weight that does not matter.
const weight = 100

// newLab returns one with the servers of these numbers, in that order.
func newLab(ctx context.Context, scheduler lvs.Scheduler, o lvs.SimOptions, servers ...int) (*lab, error) {
	sim, err := lvs.NewSimulator(o)
	if err != nil {
		return nil, err
	}
	l := &lab{sim, sim.Client()}
	changes := []lvs.Change{lvs.AddService(lvs.Service{ID: service, Scheduler: scheduler})}
	for _, i := range servers {
		changes = append(changes, lvs.AddRealServer(service, lvs.RealServer{Addr: serverAddr(i), Weight: weight}))
	}
	// Connections that have ended need not be remembered for long.
	changes = append(changes, lvs.SetTimeouts(lvs.Timeouts{TCPFin: time.Second}))
	if err := l.client.Do(ctx, changes...); err != nil {
		return nil, err
	}
	return l, nil
}

// upTo returns 0 to n-1.
func upTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// pick returns the number of the server that a client gets. The connection is
// reset, and forgotten before there are many.
func (l *lab) pick(client netip.Addr, n int) (int, error) {
	syn := lvs.SimPacket{Protocol: lvs.ProtocolTCP, Source: netip.AddrPortFrom(client, 40000), Destination: service.AddrPort(), TCP: lvs.SimSYN}
	v, err := l.Deliver(syn)
	if err != nil {
		return 0, err
	}
	for _, flags := range []lvs.SimTCPFlags{lvs.SimACK, lvs.SimRST} { // a reset before the handshake's end counts for nothing
		syn.TCP = flags
		if _, err := l.Deliver(syn); err != nil {
			return 0, err
		}
	}
	if n%10_000 == 9_999 {
		if err := l.Advance(15 * time.Second); err != nil {
			return 0, err
		}
	}
	a := v.Server.Addr().As4()
	return int(a[1]-16)<<16 | int(a[2])<<8 | int(a[3]), nil
}
