package main

import (
	"context"
	"flag"
	"fmt"
	"math"
	"strconv"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/cli"
)

func weightCommand() *cli.Command {
	return &cli.Command{
		Name:  "weight",
		Args:  "SERVICE SERVER WEIGHT",
		Brief: "set the weight of a real server",
		Doc: `A real server of weight 0 gets no new connections; those that it has continue. "lvs drain"
also waits until they have ended. Where "lvs run" keeps the table, write the weight into its
file instead: it would soon set the one of the file again.

    lvs weight :443 10.168.0.94 3`,
		Host: true,
		New:  func() cli.Action { return &weight{} },
	}
}

// weight sets the weight of a real server.
type weight struct{}

func (*weight) Flags(*flag.FlagSet) {}

func (*weight) Run(ctx context.Context, env *cli.Env, args []string) error {
	n, err := parseWeight(args[2])
	if err != nil {
		return err
	}
	client, service, server, err := findBoth(ctx, env, args[0], args[1])
	if err != nil {
		return err
	}
	was, err := client.ModifyRealServer(ctx, service.ID, server.Addr, func(r *lvs.RealServer) { r.Weight = n })
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.Out, "%s -> %s: weight %d, was %d\n", service.ID, server.Addr, n, was.Weight)
	return err
}

func parseWeight(text string) (int, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt32 {
		return 0, cli.Usagef("%q is not a weight, a whole number from 0 to %d", text, math.MaxInt32)
	}
	return int(n), nil
}

// findBoth returns the service and the real server that arguments mean.
func findBoth(ctx context.Context, env *cli.Env, service, server string) (c *lvs.Client, s lvs.ServiceEntry, r lvs.RealServerStatus, err error) {
	if c, s, err = findOne(ctx, env, service); err == nil {
		r, err = findServer(s, server)
	}
	return c, s, r, err
}

// findOne returns the service that an argument means.
func findOne(ctx context.Context, env *cli.Env, service string) (c *lvs.Client, s lvs.ServiceEntry, err error) {
	host, err := env.Host(ctx)
	if err != nil {
		return nil, s, err
	}
	table, err := host.Client().Snapshot(ctx)
	if err != nil {
		return nil, s, err
	}
	s, err = findService(table, service)
	return host.Client(), s, err
}
