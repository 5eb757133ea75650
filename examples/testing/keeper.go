// Package keeper keeps the weights of real servers in step with their health: a
// server that is not healthy gets weight 0, and its configured weight again when it
// recovers.
//
// It is an example of what many programs build on top of lvs, with tests to copy
// from. They run on lvs.Simulator, so they do not need root, and they look at what
// a client of the service would see.
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

// Keeper keeps the weights of the real servers of one service. It has no state
// between rounds, so the next round corrects whatever failed, came late or was
// changed by other programs, even if the keeper was restarted.
type Keeper struct {
	Client  *lvs.Client
	Service lvs.ServiceID
	Weights map[netip.AddrPort]int // of healthy servers; other servers are left alone

	// Healthy reports whether a server is healthy. It is called for all servers
	// concurrently.
	Healthy func(context.Context, netip.AddrPort) bool

	Every   time.Duration // between two rounds
	Timeout time.Duration // of one health check, and of one call to the kernel
	Log     *slog.Logger
}

// Run runs rounds until the context is done, and returns the context's error. It
// logs rounds that fail.
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

// round sets each server's weight to what it should be.
func (k *Keeper) round(ctx context.Context) error {
	want := k.wanted(ctx)
	// Servers that did not answer because the context is done are not drained: the
	// calls below fail as well.
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

// wanted checks the health of all servers, and returns the weights they should have.
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

// set ignores servers that have been removed in the meantime.
func (k *Keeper) set(ctx context.Context, addr netip.AddrPort, weight int) error {
	ctx, cancel := context.WithTimeout(ctx, k.Timeout)
	defer cancel()
	err := k.Client.SetWeight(ctx, k.Service, addr, weight)
	if errors.Is(err, lvs.ErrNotFound) {
		return nil
	}
	if err == nil {
		k.Log.Info("weight", "service", k.Service, "server", addr, "weight", weight)
	}
	return err
}
