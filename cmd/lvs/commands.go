package main

import "github.com/golvs/lvs/cmd/lvs/internal/cli"

// program returns all subcommands. Each is in a file of its own.
func program() *cli.Program {
	return &cli.Program{
		Name:  "lvs",
		Brief: "show and drive the load balancer of the Linux kernel",
		Doc: `The load balancer of the Linux kernel is Linux Virtual Server, which is also called
IPVS. The program reads and changes the table of this machine, or of one of its network
namespaces with -netns. With -demo it uses a simulated kernel with living traffic, which
needs no root and no Linux, and is gone when the program ends.

Flags may stand anywhere, with one dash or two. A service is written as
tcp://10.168.0.91:80 or fwmark://7; 10.168.0.91:80 is a TCP service. A port such as :80, an
address, or the beginning will do if only one service has it.`,
		Values: values(),
		Groups: []cli.Group{
			{Name: "See", Commands: []*cli.Command{
				showCommand(),
				connsCommand(),
				topCommand(),
				metricsCommand(),
			}},
			{Name: "Change", Commands: []*cli.Command{
				planCommand(),
				applyCommand(),
				runCommand(),
				overrideCommand(),
				weightCommand(),
				drainCommand(),
				undrainCommand(),
				saveCommand(),
				restoreCommand(),
			}},
			{Name: "Set up and diagnose", Commands: []*cli.Command{
				setupCommand(),
				checkCommand(),
				explainCommand(),
				whatifCommand(),
				replayCommand(),
			}},
			{Name: "In place of ipvsadm", Commands: []*cli.Command{
				ipvsadmCommand(),
				ipvsadmSaveCommand(),
				ipvsadmRestoreCommand(),
			}},
		},
	}
}
