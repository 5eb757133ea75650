// Command outage compares policies of health checks on one story: the same servers fail
// in the same ways while the same clients connect, and a director with each policy does
// what it makes of that. Monitor, director and probes are the real ones; IPVS, servers
// and time are simulated. It needs no root, no Linux and no network.
//
//	go run ./examples/outage
//	go run ./examples/outage -v -html outage.html
//	go run ./examples/outage -duration 24h -arrivals 'poisson 20/s'
//	go run ./examples/outage -policy a=plain.json -policy b=mine.json -script '10.168.1.1:80 1m refuse; 2m answer'
//
// The real servers are 10.168.1.1:80, 10.168.1.2:80 and so on. In the story that it tells
// without -script, one ends, one loses the VIP, one hangs, one flaps, and at last all say
// that they are not ready although they serve, as when a check asks for more than it
// should.
//
// A policy is the JSON of a health.Policy. The two that it tries without -policy are
// plain.json, which is like what most sites have, and careful.json.
//
// Clients are refused when no server has a weight, lost when they get a server that does
// not serve, and broken when theirs fails or is removed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/golvs/lvs/workload"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "outage:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, messages io.Writer) error {
	o, err := parse(args, messages)
	if err != nil {
		return err
	}
	var reports []*workload.Report
	for _, p := range o.policies {
		t := trial{story: o.story, policy: p}
		r, err := t.inFakeTime(ctx)
		if err != nil {
			return fmt.Errorf("policy %s: %w", p.name, err)
		}
		if reports = append(reports, r); o.verbose {
			if err := t.write(out, r); err != nil {
				return err
			}
		}
	}
	if err := workload.WriteComparison(out, reports...); err != nil {
		return err
	}
	return o.writeFiles(reports)
}
