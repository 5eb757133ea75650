// Package ingress balances the connections of firewall marks to containers, as the
// ingress network of a container platform does: a firewall rule marks the packets to
// a published port, and IPVS sends connections with that mark to the containers.
//
// It is an example of a program that used another library before:
// docs/migrating.md shows both versions.
package ingress

import (
	"context"
	"net/netip"

	"github.com/golvs/lvs"
)

// Balancer balances the connections of firewall marks to containers. Calls for
// different marks may overlap.
type Balancer struct {
	Client *lvs.Client
}

// Add adds a container to the service of a mark, and the service if needed.
func (b *Balancer) Add(ctx context.Context, mark uint32, container netip.Addr) error {
	id := lvs.FWMark(mark)
	return b.Client.Do(ctx,
		lvs.PutService(lvs.Service{ID: id, Scheduler: lvs.RR}),
		lvs.PutRealServer(id, lvs.NewRealServer(anyPort(container), lvs.NAT())),
	)
}

// Remove removes a container, and the service with its last one.
func (b *Balancer) Remove(ctx context.Context, mark uint32, container netip.Addr) error {
	id := lvs.FWMark(mark)
	err := b.Client.RemoveRealServer(ctx, id, anyPort(container))
	if err := lvs.Ignore(err, lvs.ErrNotFound); err != nil {
		return err
	}
	rest, err := b.Client.RealServers(ctx, id)
	if err == nil && len(rest) == 0 {
		err = b.Client.RemoveService(ctx, id)
	}
	return lvs.Ignore(err, lvs.ErrNoService)
}

// Drain lets a container finish its connections without getting new ones.
func (b *Balancer) Drain(ctx context.Context, mark uint32, container netip.Addr) error {
	err := b.Client.SetWeight(ctx, lvs.FWMark(mark), anyPort(container), 0)
	return lvs.Ignore(err, lvs.ErrNotFound)
}

// anyPort returns the address of a real server of a firewall mark: packets keep
// their port.
func anyPort(container netip.Addr) netip.AddrPort { return netip.AddrPortFrom(container, 0) }
