//go:build linux

package main

import (
	"context"

	"github.com/golvs/lvs"
)

func oursAdding() contender {
	return ours("lvs", func(ctx context.Context, c *lvs.Client, changes []lvs.Change) (int, error) {
		return len(changes), c.Do(ctx, changes...)
	})
}

func oursReading() contender {
	return ours("lvs", func(ctx context.Context, c *lvs.Client, _ []lvs.Change) (int, error) {
		services, err := c.Services(ctx)
		objects := len(services)
		for _, s := range services {
			if err != nil {
				return objects, err
			}
			var servers []lvs.RealServerStatus
			servers, err = c.RealServers(ctx, s.ID)
			objects += len(servers)
		}
		return objects, err
	})
}

func oursSnapshot() contender {
	return ours("lvs-snapshot", func(ctx context.Context, c *lvs.Client, _ []lvs.Change) (int, error) {
		table, err := c.Snapshot(ctx)
		objects := len(table.Services)
		for _, entry := range table.Services {
			objects += len(entry.RealServers)
		}
		return objects, err
	})
}

func ours(name string, run func(context.Context, *lvs.Client, []lvs.Change) (int, error)) contender {
	return contender{name, func(ns *namespace, j job) (session, error) {
		// Calls must run under a context that can end, as they do in programs.
		ctx, cancel := context.WithCancel(context.Background())
		c, err := lvs.Open(ctx, lvs.InNamespace(ns.path()))
		if err != nil {
			cancel()
			return session{}, err
		}
		changes := j.changes()
		return session{
			run:   func() (int, error) { return run(ctx, c, changes) },
			close: func() error { cancel(); return c.Close() },
		}, nil
	}}
}
