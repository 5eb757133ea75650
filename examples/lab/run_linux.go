package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/examples/internal/lab"
	"github.com/golvs/lvs/ipvsadm"
)

const patience = 5 * time.Second // of a request

func run(ctx context.Context, o options, out io.Writer) (err error) {
	l, err := lab.New(ctx, o.Options)
	if err != nil {
		return advise(err)
	}
	defer l.Close()
	fmt.Fprint(out, l.Topology())
	var wire *lab.Capture
	if o.Encrypt {
		if wire, err = l.Capture(); err != nil {
			return err
		}
		defer wire.Stop()
	}
	if err := l.SetUp(ctx); err != nil {
		return advise(err)
	}
	// Even after an interrupt, the hosts are set back before they are removed.
	defer func() { err = errors.Join(err, l.Undo(context.WithoutCancel(ctx))) }()
	if o.commands {
		for _, h := range append([]*lab.Host{l.Director}, l.Servers...) {
			fmt.Fprintf(out, "\n%s:\n%s", h.Name, h.Setup)
		}
	}
	if err := visit(ctx, l, o, out); err != nil {
		return err
	}
	if o.Encrypt {
		if err := onlyESP(wire.Stop(), out); err != nil {
			return err
		}
	}
	return list(ctx, l, out)
}

// onlyESP shows what the director sent to the real servers. Anything but ESP is an
// error.
func onlyESP(packets map[uint8]int, out io.Writer) error {
	const esp = 50
	fmt.Fprintf(out, "\nOn the wire from the director to the real servers: %d packets of ESP\n", packets[esp])
	if packets[esp] == 0 || len(packets) > 1 {
		return fmt.Errorf("not all was encrypted: packets by protocol %v", packets)
	}
	return nil
}

// visit sends the requests and shows the answer to each.
func visit(ctx context.Context, l *lab.Lab, o options, out io.Writer) error {
	fmt.Fprintf(out, "\n%d requests to %s:\n", o.requests, l.VIP())
	reached, bad := make(map[string]bool), 0
	err := l.Visit(ctx, o.requests, patience, func(a lab.Answer) {
		if a.Err != nil {
			bad++
			fmt.Fprintf(out, "  %-24s no answer, although it was the turn of %s: %v\n", a.Client, a.Want, a.Err)
			return
		}
		note := ""
		if !a.Good() {
			bad++
			note = ", although it was the turn of " + a.Want
		}
		reached[a.Server] = true
		fmt.Fprintf(out, "  %-24s %s, which saw %s%s\n", a.Client, a.Server, a.Saw, note)
	})
	pages(l, out)
	switch {
	case err != nil:
		return err
	case bad > 0:
		return fmt.Errorf("%d of %d requests were not answered by the real server whose turn it was", bad, o.requests)
	case len(reached) < len(l.Servers):
		return fmt.Errorf("%d of %d real servers answered: send more requests, or choose a scheduler that reaches all", len(reached), len(l.Servers))
	}
	return nil
}

// pages shows which real servers took the page from the shared tier.
func pages(l *lab.Lab, out io.Writer) {
	asked := l.Asked()
	fmt.Fprintf(out, "\nThe real servers took the page from shared, each time that they were asked for it:\n")
	for _, rip := range slices.SortedFunc(maps.Keys(asked), netip.Addr.Compare) {
		fmt.Fprintf(out, "  %-24s %d times\n", rip, asked[rip])
	}
}

// list shows the director's table.
func list(ctx context.Context, l *lab.Lab, out io.Writer) error {
	c := l.Director.Client()
	info, err := c.Info(ctx)
	if err != nil {
		return err
	}
	entries, err := c.Snapshot(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintln(out)
	return ipvsadm.List(out, info, entries, ipvsadm.ListOptions{})
}

// advise adds what to do where that is not clear from the error.
func advise(err error) error {
	if errors.Is(err, os.ErrPermission) || errors.Is(err, lvs.ErrUnavailable) {
		return fmt.Errorf("%w\n\nThis needs root and a kernel with IPVS. Without root, this runs it in a kernel of its own:\n\n"+
			"    go run -exec 'go run ./cmd/lvs-kernel 6.12 --' ./examples/lab", err)
	}
	return err
}
