// Command whatif predicts what a change of real servers would do to clients. It
// copies the table of this machine into a simulated kernel, changes the copy, and
// sends the same clients to both. It only reads the machine's own table.
//
//	sudo go run ./examples/whatif                            # each server removed, drained; one more added
//	sudo go run ./examples/whatif -remove 10.168.0.94:80     # and the shares before and after
//	sudo go run ./examples/whatif -service tcp://10.168.0.91:80 -add 10.168.0.99:80 -weight 2
//	go run ./examples/whatif -demo
//
// -demo uses a simulated host, with services and connections. So does a run without
// the permission to read the table, or without IPVS.
//
// The columns are shares of the clients. "Moved" are those whose next connection goes
// to another server because of the change, and "refused" those that get none.
// "Baseline" are those that get another server even without a change, since the
// scheduler's position and its counts have advanced: rr and wlc do not tie clients to
// servers. "Ideal" is the least that must move for each server to get its share by
// weight, and "largest" the share of the server with most clients.
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

// options are the arguments of the command line.
type options struct {
	demo     bool
	service  lvs.ServiceID
	changes  []change
	weight   int
	clients  int
	seed     uint64
	explicit bool // the flags name changes
}

func parse(args []string, messages io.Writer) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("whatif", flag.ContinueOnError)
	f.SetOutput(messages)
	f.BoolVar(&o.demo, "demo", false, "use a simulated host")
	f.TextVar(&o.service, "service", lvs.ServiceID{}, "the `service`, such as tcp://10.168.0.91:80; by default all that have the server, or all")
	f.IntVar(&o.weight, "weight", 1, "`weight` of a server that is added")
	f.IntVar(&o.clients, "clients", 20_000, "`number` of clients to simulate")
	f.Uint64Var(&o.seed, "seed", 1, "`number` that seeds everything random")
	for kind, usage := range map[kind]string{
		remove: "what if this real `server` were removed?",
		drain:  "what if this real `server` were drained (weight 0)?",
		add:    "what if this real `server` were added?",
	} {
		f.Func(string(kind), usage+" May be repeated; all changes are made at once", func(s string) error {
			addr, err := netip.ParseAddrPort(s)
			o.changes = append(o.changes, change{kind: kind, addr: addr})
			return err
		})
	}
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q: there are only flags; see -h", f.Arg(0))
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
			fmt.Fprintf(out, "%v\n\nThis is a simulated host instead:\n\n", err)
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
