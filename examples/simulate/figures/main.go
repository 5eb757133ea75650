// Command figures reproduces published figures about schedulers on the simulator,
// and prints both beside each other, with a word where they differ.
//
//	go run ./examples/simulate/figures              # all of them, some three minutes
//	go run ./examples/simulate/figures maglev       # over-provisioning: Maglev, Karger, rendezvous (NSDI 2016, 5.3)
//	go run ./examples/simulate/figures mh           # Linux's mh: imbalance, disruption, disagreement of directors
//	go run ./examples/simulate/figures bins         # balls into bins, one choice and two (Azar et al. 1999)
//	go run ./examples/simulate/figures supermarket  # mean time at load 0.90 and 0.99, 1 to 3 choices (Mitzenmacher)
//	go run ./examples/simulate/figures failover     # a director takes over 10,000 connections (PacketBalance)
//
// -quick needs a tenth of the time, and is less exact. -seed gives other runs.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
)

// figures makes one set of figures.
type figures struct {
	name, title string
	make        func(context.Context, *bench) error
}

var all = []figures{
	{"maglev", "1,000 servers of equal weight: how much larger than the mean the greatest share of the table is", maglevPaper},
	{"mh", "Linux's mh, 4,093 buckets, servers of equal weight", linuxMH},
	{"bins", "n connections to n servers, one after the other: the most that one server has", bins},
	{"supermarket", "A queue at each server, Poisson arrivals, exponential service of 1 s: mean time in the system, in seconds", supermarket},
	{"failover", "10,000 TCP connections over four servers; another director takes over: share that breaks", failover},
}

// bench makes the figures.
type bench struct {
	out   io.Writer
	quick bool
	seed  uint64
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "figures:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	b := &bench{out: out}
	f := flag.NewFlagSet("figures", flag.ContinueOnError)
	f.BoolVar(&b.quick, "quick", false, "use a tenth of the time")
	f.Uint64Var(&b.seed, "seed", 1, "`number` that seeds everything random")
	if err := f.Parse(args); err != nil {
		return err
	}
	for _, name := range f.Args() {
		if !slices.ContainsFunc(all, func(s figures) bool { return s.name == name }) {
			return fmt.Errorf("unknown figures %q: want maglev, mh, bins, supermarket or failover", name)
		}
	}
	for _, set := range all {
		if f.NArg() > 0 && !slices.Contains(f.Args(), set.name) {
			continue
		}
		b.printf("%s: %s\n\n", set.name, set.title)
		if err := set.make(ctx, b); err != nil {
			return fmt.Errorf("%s: %w", set.name, err)
		}
		b.printf("\n")
	}
	return nil
}

func (b *bench) printf(format string, args ...any) { fmt.Fprintf(b.out, format, args...) }

// row prints what was measured, the published figure, ours, and a remark.
func (b *bench) row(what, published, ours, remark string) {
	b.printf("%s\n", strings.TrimRight(fmt.Sprintf("  %-44s %12s  %14s  %s", what, published, ours, remark), " "))
}

func (b *bench) head() { b.row("", "published", "ours", "") }

// less returns n, or a tenth of it in a hurry.
func (b *bench) less(n int) int {
	if b.quick {
		return max(1, n/10)
	}
	return n
}

func percent(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }
