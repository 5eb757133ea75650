// Package keeper keeps the weights of real servers: a server that is not healthy
// gets weight 0, and its own weight back when it is healthy again.
//
// It is an example. The package is what many write on top of lvs; its tests are
// the page to copy from. They run on lvs.Simulator, so they need no root, and
// look at what a client of the service would see.
package keeper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/golvs/lvs"
)

// Keeper keeps the weights of one service's real servers.
type Keeper struct {
	Client  *lvs.Client
	Service lvs.ServiceID
	Healthy func(context.Context, netip.AddrPort) bool
	Every   time.Duration // between two rounds
	Timeout time.Duration // of one round
	Log     *slog.Logger

	weights map[netip.AddrPort]int // of servers that are drained
}

// Run makes rounds until the context ends, and returns the context's error. A
// round that fails is logged; the next one mends what it left.
func (k *Keeper) Run(ctx context.Context) error {
	ticker := time.NewTicker(k.Every)
	defer ticker.Stop()
	for {
		if err := k.round(ctx); err != nil {
			k.Log.Warn("health round", "service", k.Service, "error", err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// round asks for the health of each server that the table has now, whoever put
// it there, and sets the weights that are not as they should be.
func (k *Keeper) round(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, k.Timeout)
	defer cancel()
	servers, err := k.Client.Servers(ctx, k.Service)
	if err != nil {
		return err
	}
	var failed []error
	for _, s := range servers {
		if err := k.keep(ctx, s.RealServer); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", s.Addr, err))
		}
	}
	return errors.Join(failed...)
}

// keep sets the weight of one server.
func (k *Keeper) keep(ctx context.Context, s lvs.RealServer) error {
	healthy := k.Healthy(ctx, s.Addr)
	weight, drained := k.weights[s.Addr]
	switch {
	case healthy && drained && s.Weight == 0:
		if err := k.set(ctx, s.Addr, weight); err != nil {
			return err
		}
		delete(k.weights, s.Addr)
	case !healthy && s.Weight > 0:
		// It is noted first: the change may be made although its answer is lost.
		if k.weights == nil {
			k.weights = make(map[netip.AddrPort]int)
		}
		k.weights[s.Addr] = s.Weight
		return k.set(ctx, s.Addr, 0)
	}
	return nil
}

// set tolerates that somebody removed the server meanwhile.
func (k *Keeper) set(ctx context.Context, addr netip.AddrPort, weight int) error {
	was, err := k.Client.SetWeight(ctx, k.Service, addr, weight)
	if errors.Is(err, lvs.ErrNotFound) {
		return nil
	}
	if err == nil {
		k.Log.Info("weight", "service", k.Service, "server", addr, "was", was, "is", weight)
	}
	return err
}
