package main

import "github.com/golvs/lvs/cmd/lvs/internal/cli"

// program returns all subcommands. Each is in a file of its own.
func program() *cli.Program {
	return &cli.Program{
		Name:  "lvs",
		Brief: "show and drive the load balancer of the Linux kernel",
		Commands: []*cli.Command{
			showCommand(),
		},
	}
}
