//go:build linux

// Command checkers measures package director with health checks beside keepalived:
// how long a dead real server stays in the table and a recovered one stays out, how many
// connections are lost in the meantime, and what the checks cost. Both read the same
// keepalived.conf.
//
// It runs as root in a kernel with IPVS; the README tells how to get one.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "checkers:", err)
		os.Exit(1)
	}
}

// options are what the command line asks for.
type options struct {
	servers int           // of the service
	check   check         // of each server
	rounds  int           // of breaking and repairing each way
	rest    time.Duration // for which the processor time of checks is measured in each round
	only    []contender
	serve   string // the configuration with which this process is a contender
}

func parseOptions(args []string) (o options, err error) {
	fs := flag.NewFlagSet("checkers", flag.ContinueOnError)
	only := fs.String("only", "", "the contenders to measure, of "+names()+" (default all)")
	fs.IntVar(&o.servers, "servers", 200, "real servers, at most 250")
	by := fs.String("check", "tcp", "how servers are checked, tcp or http")
	fs.IntVar(&o.rounds, "rounds", 5, "how often a server is broken in each way, after one round to warm up")
	fs.DurationVar(&o.rest, "rest", 10*time.Second, "how long processor time is measured in each round while nothing happens")
	fs.StringVar(&o.serve, "serve", "", "check and balance as `FILE` says: how this command starts itself")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if o.only, err = contendersOf(strings.FieldsFunc(*only, func(r rune) bool { return r == ',' })); err != nil {
		return o, err
	}
	if o.check, err = checkOf(*by); err != nil {
		return o, err
	}
	if o.servers < 2 || o.servers > 250 || o.rounds < 1 || o.rest <= 0 || fs.NArg() > 0 {
		return o, errors.New("give 2 to 250 servers, at least one round, and no arguments but flags")
	}
	return o, nil
}

func run(ctx context.Context, args []string, out io.Writer) error {
	o, err := parseOptions(args)
	if err != nil {
		return err
	}
	if o.serve != "" {
		return serve(ctx, o.serve)
	}
	l, err := newLab(ctx, o.servers, o.check)
	if err != nil {
		return err
	}
	defer l.close()
	all, err := l.compare(ctx, o)
	if err != nil {
		return err
	}
	return write(out, o, all)
}
