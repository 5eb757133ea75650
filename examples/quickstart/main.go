// Command quickstart is package lvs at work: two services are made, ten thousand
// clients connect, a server is drained, a weight is raised, and each time it shows
// who got the connections.
//
//	go run ./examples/quickstart
//
// takes a simulated kernel, and so needs no root, no Linux and no network. The
// same program drives a real one: with -kernel it makes a small network of
// namespaces, and real HTTP requests are balanced by direct routing (DR) and by
// NAT. Without root and without a kernel of one's own that has IPVS:
//
//	go run -exec 'go run ./cmd/lvs-kernel 6.12 --' ./examples/quickstart -kernel
//
// On a Linux machine with IPVS, as root; nothing of the machine is changed but that
// the kernel loads its IPVS modules:
//
//	go build -o quickstart ./examples/quickstart && sudo ./quickstart -kernel
//
// The file story.go is all that uses the library on a director, and is the same
// for both. ground_simulator.go and ground_kernel.go are where it takes place.
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
	kernel := flag.Bool("kernel", false, "use this machine's kernel; takes root, and IPVS")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "quickstart: %q is too much: it takes nothing but -kernel\n", flag.Arg(0))
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
