// Command director keeps the IPVS table of this machine as a file says. It is a module
// of its own, because of the YAML package that it needs. From the root of the
// repository:
//
//	go run -C examples/director . -demo                     # see it work, without root
//	sudo go run -C examples/director . -config table.yaml   # do it, until it is interrupted
//
// The file is read again when it changes; table.yaml is an example. A file whose name
// ends in .json is JSON with the same fields. While it is broken, the last good table
// stays wanted, and a message says where it is broken. What other programs change is put
// right, and real servers that are not in the file any more keep their connections for
// as long as -drain says.
//
// With -state, the director knows after a restart what it applied, and goes on with
// drains. -scope says which services are its own, by VIP; with -prune it removes those
// of them that are not in the file. By default only services that are in the file are
// touched, and with -state also those that were.
//
// A file that takes more than -share of the real servers out of service at once is
// refused. SIGUSR1 allows it, and SIGHUP prints the status and looks at the table at
// once.
//
// -demo runs against a simulated kernel for some seconds, with clients, another program
// that changes the table, a server that is drained, and a mistake.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/director"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, terminate)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr, onSignals)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "director:", err)
		os.Exit(1)
	}
}

// notifier calls functions when signals come, until stop is called.
type notifier func(allow func() bool, show func()) (stop func())

func run(ctx context.Context, args []string, out, messages io.Writer, signals notifier) error {
	o, err := parse(args, messages)
	if err != nil {
		return err
	}
	if o.demo {
		return demo(ctx, out)
	}
	return direct(ctx, o, out, signals)
}

// direct keeps the table until the context ends.
func direct(ctx context.Context, o *options, out io.Writer, signals notifier) error {
	var namespace lvs.Option
	if o.netns != "" {
		namespace = lvs.InNamespace(o.netns)
	}
	client, err := lvs.Open(ctx, namespace)
	if err != nil {
		return err
	}
	defer client.Close()
	host, err := lvs.OpenHost(ctx, namespace)
	if err != nil {
		return err
	}
	defer host.Close()
	o.director.Table.Host = host // so that plans say what they do to clients
	o.director.OnEvent = printTo(out)
	d, err := director.New(client, o.director)
	if err != nil {
		return err
	}
	stop := signals(d.Allow, func() {
		fmt.Fprintln(out, d.Status())
		d.Look()
	})
	defer stop()
	if err := d.Run(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	fmt.Fprintln(out, d.Status())
	return nil
}

// printTo returns a function that prints events, and the steps of those that have some.
func printTo(out io.Writer) func(director.Event) {
	return func(e director.Event) {
		fmt.Fprintln(out, time.Now().Format("15:04:05.000"), e)
		switch e := e.(type) {
		case director.Applied:
			fmt.Fprintln(out, indented(e.Plan.String()))
		case director.Refused:
			fmt.Fprintln(out, indented(e.Plan.String()))
		}
	}
}
