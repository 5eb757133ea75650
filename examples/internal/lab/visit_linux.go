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
	Server string         // who answered
	Saw    netip.AddrPort // whom the server took for the client
	Want   string         // who answers by the scheduler's rule, as a simulator of the same kernel has it
	Err    error          // why nobody answered
}

// Good tells whether the right server answered.
func (a Answer) Good() bool { return a.Err == nil && a.Server == a.Want }

// Visit sends requests, one after the other, each on a connection of its own and
// from the next of the client's addresses, and tells how each fared. A request
// that nobody answers within the patience fails, and the others are sent all the
// same. The error is one of finding out what to expect, or the context's.
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
		if r, a.Err = l.post(one, a.Client); a.Err != nil && context.Cause(one) != nil {
			a.Err = fmt.Errorf("%w: %w", context.Cause(one), a.Err)
		}
		cancel()
		if err := context.Cause(ctx); err != nil {
			return err
		}
		a.Server, a.Saw = r.Server, r.Client
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
