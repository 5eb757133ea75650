package lab

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/golvs/lvs"
)

// Answer is how one request fared.
type Answer struct {
	Client netip.AddrPort
	Server string         // that answered
	Saw    netip.AddrPort // the client's address, as the server saw it
	Page   string         // which the server took from the shared server
	Want   string         // the server that the scheduler's rule picks, by a simulator of the same kernel
	Err    error          // why there was no answer
}

// Good reports whether the right server answered, with the page of the shared tier.
func (a Answer) Good() bool { return a.Err == nil && a.Server == a.Want && a.Page == Page }

// Visit sends requests, one after the other, each on a connection of its own and
// from the next of the client's addresses, and reports how each fared. A request
// without an answer within the patience fails, and the next ones are still sent. The
// error is that of finding out what to expect, or the context's.
func (l *Lab) Visit(ctx context.Context, requests int, patience time.Duration, each func(Answer)) error {
	sim, _, err := lvs.SimulatorFrom(ctx, l.Director.Host, lvs.SimOptions{})
	if err != nil {
		return err
	}
	for range requests {
		a := Answer{Client: l.nextClient()}
		conn, err := sim.Connect(lvs.Flow{Client: a.Client, VIP: l.VIP()})
		if err != nil {
			return err
		}
		a.Want = l.nameOf(conn.Server().Addr())
		one, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("no answer within %s", patience))
		var r reply
		if r, a.Err = l.post(one, a.Client, l.VIP()); a.Err != nil && context.Cause(one) != nil {
			a.Err = fmt.Errorf("%w: %w", context.Cause(one), a.Err)
		}
		cancel()
		if err := context.Cause(ctx); err != nil {
			return err
		}
		a.Server, a.Saw, a.Page = r.Server, r.Client, r.Page
		if err := conn.Close(); err != nil {
			return err
		}
		each(a)
	}
	return nil
}

// nextClient returns an address and a port that were not used before: the director
// would take a request from one that was for a part of the earlier connection.
func (l *Lab) nextClient() netip.AddrPort {
	is6 := l.VIP().Addr().Is6()
	port := l.plan.client.ports[0]
	a := port.net.addr(is6, port.hosts[l.visits%len(port.hosts)])
	l.visits++
	return netip.AddrPortFrom(a, uint16(10000+l.visits/len(port.hosts)%50000))
}

// Get sends one request to a virtual address, and returns the address of the real
// server (RIP) that answered. The zero address leaves the choice of the client's
// address to the client. Each request comes from a port that was not used before: the
// system's choice may be one that was, and the director would take the request for a
// part of the earlier connection.
func (l *Lab) Get(ctx context.Context, from netip.Addr, to netip.AddrPort) (netip.Addr, error) {
	l.visits++
	r, err := l.post(ctx, netip.AddrPortFrom(from, uint16(10000+l.visits%50000)), to)
	if err != nil {
		return netip.Addr{}, err
	}
	for i, h := range l.Servers {
		if h.Name == r.Server {
			return l.table[i].Addr.Addr(), nil
		}
	}
	return netip.Addr{}, fmt.Errorf("%s is not a real server of the lab", r.Server)
}
