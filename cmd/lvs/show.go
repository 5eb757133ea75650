package main

import (
	"context"
	"flag"
	"fmt"

	"github.com/golvs/lvs/cmd/lvs/internal/cli"
)

func showCommand() *cli.Command {
	return &cli.Command{
		Name:  "show",
		Args:  "[SERVICE]",
		Brief: "print the services and real servers",
		Host:  true,
		New:   func() cli.Action { return &show{} },
	}
}

// show prints the table.
type show struct {
	output string
}

func (s *show) Flags(f *flag.FlagSet) {
	cli.Choice(f, &s.output, "o", "write a `FORMAT`", "table", "wide", "json", "yaml")
}

func (s *show) Run(ctx context.Context, env *cli.Env, args []string) error {
	host, err := env.Host(ctx)
	if err != nil {
		return err
	}
	table, err := host.Client().Snapshot(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintln(env.Out, table)
	return nil
}
