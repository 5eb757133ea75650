package main

import (
	"context"
	"flag"
	"fmt"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/cli"
	"go.yaml.in/yaml/v4"
)

func showCommand() *cli.Command {
	return &cli.Command{
		Name:  "show",
		Args:  "[SERVICE]",
		Brief: "print the services and real servers",
		Doc: `SHARE is a real server's part of the connections of its service since the counters were
zeroed, and NEW/s the new connections a second, averaged over about eight seconds. The
counters are up to two seconds old. The wide format has all counters and the thresholds;
JSON and YAML have everything, in full precision.

    lvs show :443
    lvs show -o json | jq '.services[].stats.conns'`,
		Host: true,
		New:  func() cli.Action { return &show{} },
	}
}

// show prints the table.
type show struct {
	output string
	probes bool
}

func (s *show) Flags(f *flag.FlagSet) {
	cli.Choice(f, &s.output, "o", "write a `FORMAT`", "table", "wide", "json", "yaml")
	probesFlag(f, &s.probes)
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
	if len(args) > 0 {
		found, err := findService(table, args[0])
		if err != nil {
			return err
		}
		table.Services = []lvs.ServiceEntry{found}
	} else if !s.probes {
		table = withoutProbes(table)
	}
	return s.write(env, table)
}

func (s *show) write(env *cli.Env, table lvs.Snapshot) error {
	switch s.output {
	case "json":
		return writeJSON(env.Out, table)
	case "yaml":
		text, err := yaml.Dump(table)
		if err == nil {
			_, err = env.Out.Write(text)
		}
		return err
	}
	if len(table.Services) == 0 {
		_, err := fmt.Fprintln(env.Out, "The table is empty.")
		return err
	}
	return writeTable(env, table, s.output == "wide")
}
