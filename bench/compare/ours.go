//go:build linux

package main

import (
	"context"

	"github.com/golvs/lvs"
)

func oursAdding() contender {
	return ours("lvs", job.changes, func(ctx context.Context, c *lvs.Client, changes []lvs.Change) (int, error) {
		return len(changes), c.Do(ctx, changes...)
	})
}

func oursReading() contender {
	return ours("lvs", nothing, func(ctx context.Context, c *lvs.Client, _ struct{}) (int, error) {
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
	return ours("lvs-snapshot", nothing, func(ctx context.Context, c *lvs.Client, _ struct{}) (int, error) {
		table, err := c.Snapshot(ctx)
		objects := len(table.Services)
		for _, entry := range table.Services {
			objects += len(entry.RealServers)
		}
		return objects, err
	})
}

func nothing(job) struct{} { return struct{}{} }

// ours is a contender that uses a client and a value that it makes beforehand.
func ours[T any](name string, value func(job) T, run func(context.Context, *lvs.Client, T) (int, error)) contender {
	return contender{name, func(ns *namespace, j job) (session, error) {
		// Calls must run under a context that can end, as they do in programs.
		ctx, cancel := context.WithCancel(context.Background())
		c, err := lvs.Open(ctx, lvs.InNamespace(ns.path()))
		if err != nil {
			cancel()
			return session{}, err
		}
		v := value(j)
		return session{
			run:   func() (int, error) { return run(ctx, c, v) },
			close: func() error { cancel(); return c.Close() },
		}, nil
	}}
}
