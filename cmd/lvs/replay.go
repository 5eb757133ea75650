package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/capture"
	"github.com/golvs/lvs/cmd/lvs/internal/cli"
)

func replayCommand() *cli.Command {
	return &cli.Command{
		Name:  "replay",
		Args:  "CAPTURE",
		Brief: "show what IPVS would do with the traffic of a capture",
		Doc: `CAPTURE is a file of tcpdump or Wireshark, or - for the standard input. The table is copied
into a simulated kernel, which gets the packets of the capture in their order, and whose
clock follows their times. The table itself is only read. -table reads one from a file
instead: JSON, YAML, or what "ipvsadm -S -n" writes.

A capture of a director's Ethernet shows what it forwards by direct routing twice. With
-director, only packets that were sent to this hardware address are delivered.

    tcpdump -i eth0 -w monday.pcap net 10.168.0.0/24
    lvs replay monday.pcap -director 52:54:00:12:34:56
    lvs replay monday.pcap -table table.yaml -kernel 6.1.176`,
		Host: true,
		New:  func() cli.Action { return &replay{} },
	}
}

// replay delivers a capture to a copy of a table.
type replay struct {
	table    string // file
	kernel   string
	output   string
	director []net.HardwareAddr
}

func (r *replay) Flags(f *flag.FlagSet) {
	cli.Choice(f, &r.output, "o", "write a `FORMAT`", "text", "json")
	f.StringVar(&r.table, "table", "", "read the table from `FILE`, or - for the standard input, in place of the kernel's")
	f.StringVar(&r.kernel, "kernel", "", "the `RELEASE` of Linux to behave as; without it "+lvs.SimDefaultKernel+", or that of the host")
	f.Func("director", "deliver only packets that were sent to this hardware `MAC`, may be repeated", func(s string) error {
		addr, err := net.ParseMAC(s)
		r.director = append(r.director, addr)
		return err
	})
}

func (r *replay) Run(ctx context.Context, env *cli.Env, args []string) error {
	if args[0] == "-" && r.table == "-" {
		return cli.Usagef("the standard input cannot be both the capture and the table")
	}
	file := env.In
	if args[0] != "-" {
		opened, err := os.Open(args[0])
		if err != nil {
			return err
		}
		defer opened.Close()
		file = opened
	}
	sim, missed, err := copyTable(ctx, env, r.table, lvs.SimOptions{Kernel: r.kernel})
	if err != nil {
		return err
	}
	var report capture.Report
	for step, err := range capture.Replay(ctx, sim, file, capture.Options{Director: r.director}) {
		if err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
		report.Add(step)
	}
	if r.output == "json" {
		return writeJSON(env.Out, &report)
	}
	if _, err := fmt.Fprint(env.Out, &report); err != nil {
		return err
	}
	p := newProse(env)
	p.missed(missed)
	return p.flush(env.Out)
}
