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
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/golvs/lvs"
)

// Keeper keeps the weights of one service's real servers. It remembers nothing
// from round to round: whatever went wrong, came late or was changed by others,
// the next round mends it, also that of a keeper that was started anew.
type Keeper struct {
	Client  *lvs.Client
	Service lvs.ServiceID
	Weights map[netip.AddrPort]int // of healthy servers; others than these are left alone

	// Healthy tells whether a server is. It is called for all at once.
	Healthy func(context.Context, netip.AddrPort) bool

	Every   time.Duration // between two rounds
	Timeout time.Duration // of asking one server or the kernel, once
	Log     *slog.Logger
}

// Run makes rounds until the context ends, and returns the context's error. A
// round that fails is logged.
func (k *Keeper) Run(ctx context.Context) error {
	ticker := time.NewTicker(k.Every)
	defer ticker.Stop()
	for {
		if err := k.round(ctx); err != nil && ctx.Err() == nil {
			k.Log.Warn("health round", "service", k.Service, "error", err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// round gives each server the weight that it should have.
func (k *Keeper) round(ctx context.Context) error {
	want := k.wanted(ctx)
	// Servers that did not answer because the context ended are not drained: it
	// ends what follows, too.
	servers, err := k.servers(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for _, s := range servers {
		if weight, ours := want[s.Addr]; ours && s.Weight != weight {
			failed = append(failed, k.set(ctx, s.Addr, weight))
		}
	}
	return errors.Join(failed...)
}

// wanted asks all servers for their health, and returns the weights that follow.
func (k *Keeper) wanted(ctx context.Context) map[netip.AddrPort]int {
	ctx, cancel := context.WithTimeout(ctx, k.Timeout)
	defer cancel()
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		want = make(map[netip.AddrPort]int)
	)
	for addr, weight := range k.Weights {
		wg.Go(func() {
			if !k.Healthy(ctx, addr) {
				weight = 0
			}
			mu.Lock()
			defer mu.Unlock()
			want[addr] = weight
		})
	}
	wg.Wait()
	return want
}

func (k *Keeper) servers(ctx context.Context) ([]lvs.RealServerStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, k.Timeout)
	defer cancel()
	return k.Client.RealServers(ctx, k.Service)
}

// set tolerates that somebody removed the server meanwhile.
func (k *Keeper) set(ctx context.Context, addr netip.AddrPort, weight int) error {
	ctx, cancel := context.WithTimeout(ctx, k.Timeout)
	defer cancel()
	was, err := k.Client.SetWeight(ctx, k.Service, addr, weight)
	if errors.Is(err, lvs.ErrNotFound) {
		return nil
	}
	if err == nil {
		k.Log.Info("weight", "service", k.Service, "server", addr, "was", was, "is", weight)
	}
	return err
}
