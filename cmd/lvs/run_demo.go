package main

import (
	"context"
	"sync"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/cli"
	"github.com/golvs/lvs/cmd/lvs/internal/demo"
	"github.com/golvs/lvs/director"
)

// checkDemo makes the checks of a demo ask simulated real servers.
func checkDemo(env *cli.Env, o *director.Options) error {
	world, err := env.World()
	if err != nil || world == nil {
		return err
	}
	demo.NewBackends().Check(world, o)
	return nil
}

// vandalPause is how often the other program of a demo changes the table.
const vandalPause = 3 * time.Second

// vandalize begins to play another program, if the demo has no file, until stop is called.
func (k *keep) vandalize(ctx context.Context, env *cli.Env, host *lvs.Host, args []string) (stop func()) {
	world, err := env.World()
	if err != nil || world == nil || len(args) > 0 {
		return func() {}
	}
	if k.resync == 0 {
		k.resync = time.Second // what it changes is seen at once
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(vandalPause)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				_ = vandalizeOnce(ctx, host.Client(), n) // the next one may succeed
			}
		}
	})
	return func() { cancel(); wg.Wait() }
}

// vandalizeOnce sets the weight of a real server to 0, or removes one, in turn.
func vandalizeOnce(ctx context.Context, client *lvs.Client, n int) error {
	table, err := client.Snapshot(ctx)
	if err != nil || len(table.Services) == 0 {
		return err
	}
	s := table.Services[n%len(table.Services)]
	if len(s.RealServers) == 0 {
		return nil
	}
	addr := s.RealServers[0].Addr
	if n%2 == 0 {
		return client.SetWeight(ctx, s.ID, addr, 0)
	}
	return client.RemoveRealServer(ctx, s.ID, addr)
}
