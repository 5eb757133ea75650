// Command quickstart shows package lvs at work: it adds two services, lets ten
// thousand clients connect, drains a server and raises a weight, and each time it
// shows which servers got the connections.
//
//	go run ./examples/quickstart
//
// uses a simulated kernel, and so needs no root, no Linux and no network. The same
// program drives a real kernel: with -kernel it makes a small network of namespaces,
// and balances real HTTP requests by direct routing (DR) and by NAT. Without root
// and without a kernel that has IPVS:
//
//	go run -exec 'go run ./cmd/lvs-kernel 6.12 --' ./examples/quickstart -kernel
//
// On a Linux machine with IPVS, as root; nothing on the machine is changed, except
// that the kernel loads its IPVS modules:
//
//	go build -o quickstart ./examples/quickstart && sudo ./quickstart -kernel
//
// All that the program does on the director is in story.go, and is the same for
// both. The files ground_*.go make what it runs on.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	kernel := flag.Bool("kernel", false, "use this machine's kernel; needs root and IPVS")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "quickstart: unexpected argument %q: the only flag is -kernel\n", flag.Arg(0))
		os.Exit(2)
	}
	open := onSimulator
	if *kernel {
		open = onKernel
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, open, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, advice(err))
		os.Exit(1)
	}
}

func run(ctx context.Context, open func(context.Context) (*ground, error), out io.Writer) error {
	g, err := open(ctx)
	if err != nil {
		return err
	}
	defer g.close()
	s := &story{ground: g, out: out}
	for _, part := range []func(context.Context) error{s.balance, s.drain, s.later, s.raise} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}
