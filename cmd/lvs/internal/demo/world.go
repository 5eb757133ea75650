// Package demo is a simulated director with living traffic, to try the program on.
package demo

import (
	"context"
	"sync"
	"time"

	"github.com/golvs/lvs"
)

// World is a simulated director with clients. Its time goes on as real time does.
type World struct {
	Sim *lvs.Simulator

	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// New returns a world in which clients have come and gone for some time already.
func New(o Options) (*World, error) {
	sim, err := lvs.NewSimulator(lvs.SimOptions{Clock: time.Now})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	w := &World{Sim: sim, cancel: cancel}
	w.wg.Go(func() { w.live(ctx) })
	return w, nil
}

// Host returns the director. The caller closes it.
func (w *World) Host() *lvs.Host { return w.Sim.Host() }

// Close ends the traffic.
func (w *World) Close() {
	w.cancel()
	w.wg.Wait()
}

// live lets clients come and go until the context ends.
func (w *World) live(ctx context.Context) { <-ctx.Done() }

// Options configures a World.
type Options struct {
	// Clock is the time that the world follows; nil is [time.Now].
	Clock func() time.Time
}
