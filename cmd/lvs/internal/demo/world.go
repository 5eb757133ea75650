// Package demo is a simulated director with living traffic, to try the program on.
package demo

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golvs/lvs"
)

// Options configures a World. The zero value is a world that lives from now on.
type Options struct {
	// Start is when the world begins to be looked at; the zero time is now. Clients
	// have come and gone before.
	Start time.Time

	// Frozen worlds stay as they are at Start, but for [World.Advance].
	Frozen bool

	// Seed determines what clients do; 0 is the usual seed.
	Seed uint64
}

// Frozen returns the options of a world that is always the same.
func Frozen() Options {
	return Options{Start: time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC), Frozen: true}
}

// World is a simulated director with clients. Unless it is frozen, its time goes on as
// real time does.
type World struct {
	Sim    *lvs.Simulator
	Frozen bool // it stays as it is, but for Advance

	at      atomic.Int64 // the time, in Unix nanoseconds
	traffic traffic

	mu     sync.Mutex // one advances at a time
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// past is how long clients have come and gone when a world begins, and drained how long
// ago a server was drained.
const (
	past    = 3 * time.Minute
	drained = 45 * time.Second
)

// tick is how often clients of a living world act. Nothing happens between two ticks.
const tick = 50 * time.Millisecond

// New returns a world in which clients have come and gone for some time already.
func New(o Options) (*World, error) {
	if o.Start.IsZero() {
		o.Start = time.Now()
	}
	w := &World{Frozen: o.Frozen, cancel: func() {}}
	w.at.Store(o.Start.Add(-past).UnixNano())
	sim, err := lvs.NewSimulator(lvs.SimOptions{
		Clock: w.Now, Seed: o.Seed, Interfaces: interfaces(),
	})
	if err != nil {
		return nil, err
	}
	w.Sim = sim
	w.traffic = traffic{sim: sim, random: rand.New(rand.NewPCG(o.Seed, 7)), clients: newClients()}
	if err := w.begin(o.Start); err != nil {
		return nil, err
	}
	if !o.Frozen {
		var ctx context.Context
		ctx, w.cancel = context.WithCancel(context.Background())
		w.wg.Go(func() { w.live(ctx) })
	}
	return w, nil
}

// begin sets the director up, and lets the past happen.
func (w *World) begin(start time.Time) error {
	ctx := context.Background()
	host := w.Host()
	defer host.Close()
	if err := setUp(ctx, w.Sim, host); err != nil {
		return err
	}
	w.traffic.begin(w.Now())
	w.advance(start.Add(-drained))
	if err := host.Client().SetWeight(ctx, web, leaving, 0); err != nil {
		return err
	}
	w.advance(start)
	return nil
}

// Now returns the time of the world.
func (w *World) Now() time.Time { return time.Unix(0, w.at.Load()) }

// Host returns the director. The caller closes it.
func (w *World) Host() *lvs.Host { return w.Sim.Host() }

// Advance lets time pass, with all that clients do in it.
func (w *World) Advance(d time.Duration) { w.advance(w.Now().Add(d)) }

// Close ends the traffic.
func (w *World) Close() {
	w.cancel()
	w.wg.Wait()
}

// live lets time pass as real time does, until the context ends.
func (w *World) live(ctx context.Context) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			w.advance(time.Now())
		}
	}
}

// catchUp is the longest time that is made up for, after the machine slept.
const catchUp = 10 * time.Minute

// advance does what clients do until a time.
func (w *World) advance(to time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !to.After(w.Now()) {
		return
	}
	if to.Sub(w.Now()) > catchUp {
		w.traffic.postpone(to.Sub(w.Now()))
	}
	for {
		e, ok := w.traffic.next(to)
		if !ok {
			break
		}
		w.at.Store(max(w.at.Load(), e.at.UnixNano()))
		e.do(e.at)
	}
	w.at.Store(to.UnixNano())
}
