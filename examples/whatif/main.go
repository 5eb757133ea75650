// Command whatif says what a change of real servers would do to clients, before
// anybody makes it: it copies the table of this machine into a simulated kernel,
// changes the copy, and lets the same clients come to both. The machine's own
// table is only read.
//
//	sudo go run ./examples/whatif                            # each server removed, drained; one more added
//	sudo go run ./examples/whatif -remove 10.168.0.94:80     # and the shares before and after
//	sudo go run ./examples/whatif -service tcp://10.168.0.91:80 -add 10.168.0.99:80 -weight 2
//	go run ./examples/whatif -demo
//
// -demo takes a simulated host, with services and connections; so does whoever may
// not read the table, or has none.
//
// Of what it prints, "moved" is the share of clients whose next connection goes to
// another server than it would without the change, and "refused" of those who would
// get none. "Anyway" is how many differ without any change, because turns and
// counts have gone on meanwhile: with rr or wlc clients have no server of their
// own. "Least" must move for the servers to have their shares by weight.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/signal"

	"github.com/golvs/lvs"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr, openHost)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "whatif:", err)
		os.Exit(1)
	}
}

// options are what the command line says.
type options struct {
	demo     bool
	service  lvs.ServiceID
	changes  []change
	weight   int
	clients  int
	seed     uint64
	explicit bool // changes were named
}

func parse(args []string, messages io.Writer) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("whatif", flag.ContinueOnError)
	f.SetOutput(messages)
	f.BoolVar(&o.demo, "demo", false, "take a simulated host")
	f.TextVar(&o.service, "service", lvs.ServiceID{}, "the `service`, such as tcp://10.168.0.91:80; by default all that have the server, or all")
	f.IntVar(&o.weight, "weight", 1, "`weight` of a server that is added")
	f.IntVar(&o.clients, "clients", 20_000, "`number` of clients that are asked")
	f.Uint64Var(&o.seed, "seed", 1, "`number` that decides all that is left to chance")
	for kind, usage := range map[kind]string{
		remove: "what if this real `server` were removed?",
		drain:  "what if this real `server` were drained: had weight 0?",
		add:    "what if this real `server` were added?",
	} {
		f.Func(string(kind), usage+" May be repeated: all at once", func(s string) error {
			addr, err := netip.ParseAddrPort(s)
			o.changes = append(o.changes, change{kind: kind, addr: addr})
			return err
		})
	}
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("%q is too much: everything is said by flags; see -h", f.Arg(0))
	}
	if o.weight < 0 {
		return nil, fmt.Errorf("a weight of %d is negative", o.weight)
	}
	for i := range o.changes {
		o.changes[i].weight = o.weight
	}
	return o, nil
}

// openHost copies this machine's table.
func openHost(ctx context.Context) (*lvs.Simulator, []string, error) {
	host, err := lvs.OpenHost(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer host.Close()
	return lvs.SimulatorFrom(ctx, host, lvs.SimOptions{})
}

func run(ctx context.Context, args []string, out, messages io.Writer, open func(context.Context) (*lvs.Simulator, []string, error)) error {
	o, err := parse(args, messages)
	if err != nil {
		return err
	}
	var missed []string
	var live *lvs.Simulator
	if !o.demo {
		live, missed, err = open(ctx)
		if errors.Is(err, lvs.ErrPermission) || errors.Is(err, lvs.ErrUnavailable) {
			fmt.Fprintf(out, "%v\n\nSo this is a simulated host:\n\n", err)
			o.demo = true
		} else if err != nil {
			return err
		}
	}
	if o.demo {
		if live, err = demo(ctx); err != nil {
			return err
		}
	}
	return (&study{options: o, live: live, missed: missed, out: out}).services(ctx)
}
