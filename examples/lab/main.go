// Command lab balances HTTP requests in a network of its own, in three tiers: a
// director, real servers, and the shared server that they take their page from. Each
// of them, and the client, is a network namespace that package lvs alone sets up. The
// command draws the network, shows which server answered each request and which
// client address it saw, and the director's table. Then it removes everything.
//
//	go build -o lab ./examples/lab && sudo ./lab -mode gue -family mixed
//
// It needs root and a kernel that has IPVS. Without them:
//
//	go run -exec 'go run ./cmd/lvs-kernel 6.12 --' ./examples/lab -mode dr
//
// The exit status is 0 if each request was answered by the real server that the
// scheduler's rule picks, and every real server answered.
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

	"github.com/golvs/lvs/examples/internal/lab"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := command(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// command returns the exit status, which is 2 for wrong arguments.
func command(ctx context.Context, args []string, out, problems io.Writer) int {
	o, err := parse(args, problems)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(problems, "lab:", err)
		return 2
	}
	if err := run(ctx, o, out); err != nil {
		fmt.Fprintln(problems, "lab:", err)
		return 1
	}
	return 0
}

// options are what the command is asked to do.
type options struct {
	lab.Options
	requests int
	commands bool
}

func parse(args []string, problems io.Writer) (o options, err error) {
	flags := flag.NewFlagSet("lab", flag.ContinueOnError)
	flags.SetOutput(problems)
	flags.StringVar(&o.Mode, "mode", "dr", "how packets get to the real servers: "+strings.Join(lab.Modes, ", "))
	flags.StringVar(&o.Family, "family", "4", "of the packets: 4, 6, or mixed for IPv4 in tunnels of IPv6")
	flags.StringVar((*string)(&o.Scheduler), "scheduler", "rr", "of the service, such as rr, wlc or mh")
	flags.BoolVar(&o.Encrypt, "encrypt", false, "encrypt what the director sends to the real servers (mode ipip), and count it on the wire")
	flags.IntVar(&o.Servers, "servers", 2, "how many real servers there are")
	flags.IntVar(&o.requests, "requests", 10, "how many requests the client sends")
	flags.BoolVar(&o.commands, "commands", false, "show the commands that the set-ups stand for")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case o.requests < 1:
		return o, fmt.Errorf("-requests %d: want at least 1", o.requests)
	}
	return o, o.Validate()
}
