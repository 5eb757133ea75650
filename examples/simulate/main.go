// Command simulate compares schedulers on one workload: each gets the very same
// connections in a simulated kernel that picks servers as Linux does. It needs no
// root, no Linux and no network.
//
//	go run ./examples/simulate
//	go run ./examples/simulate -schedulers wlc,sed,twos -servers 8 -slots 4 -arrivals 'bursts 200/s of 20'
//	go run ./examples/simulate -event '40s fail 10.168.1.1:80 noticed 3s' -event '1m20s back 10.168.1.1:80' -html report.html
//
// Real servers are 10.168.1.1:80, 10.168.1.2:80 and so on. A scheduler's flags
// follow its name: mh+fallback+port. The flags can be kept in a file: -print writes
// it, -config reads it, and further flags override what it says.
//
// The report is a table; -v shows one for each scheduler. -html, -json and -csv
// write it to files; the HTML page is self-contained.
//
// Published figures about schedulers, beside those of this simulator:
//
//	go run ./examples/simulate/figures
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
		fmt.Fprintln(os.Stderr, "simulate:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, messages io.Writer) error {
	o, err := parse(args, messages)
	if err != nil {
		return err
	}
	if o.print {
		return o.experiment.write(out)
	}
	bar := newBar(messages, len(o.Schedulers))
	reports, err := o.experiment.run(ctx, bar.show)
	bar.end()
	if len(reports) == 0 {
		return err
	}
	// An interrupted run shows what it has.
	return errors.Join(o.show(out, reports), err)
}

// show prints the reports and writes the files that were asked for.
func (o *options) show(out io.Writer, reports []*workload.Report) error {
	if o.verbose || len(reports) == 1 {
		for _, r := range reports {
			if err := r.WriteTable(out); err != nil {
				return err
			}
			fmt.Fprintln(out)
		}
	}
	if len(reports) > 1 {
		if err := workload.WriteComparison(out, reports...); err != nil {
			return err
		}
	}
	return o.writeFiles(reports)
}
