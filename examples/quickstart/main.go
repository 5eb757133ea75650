// Command quickstart balances real HTTP requests with package lvs, by direct
// routing (DR) and by NAT, in a small network that it makes for itself: a
// client, a director and two real servers, each a network namespace. Then it
// drains a server, raises a weight, and shows who answered.
//
// From the root of the repository, without root and without a kernel of one's
// own that has IPVS:
//
//	go run -exec 'go run ./cmd/lvs-kernel 6.12 --' ./examples/quickstart
//
// On a Linux machine with IPVS, as root:
//
//	go build -o quickstart ./examples/quickstart && sudo ./quickstart
//
// Nothing of the machine is changed: the network namespaces have no names and
// vanish with the program. This file is all that uses the library; lab_linux.go
// has the network and the host settings, table.go the listing.
package main

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/golvs/lvs"
)

// The real servers, and the services by what clients connect to.
var (
	rs1 = netip.MustParseAddrPort("10.168.0.94:80")
	rs2 = netip.MustParseAddrPort("10.168.0.95:80")

	drSite  = lvs.TCP(netip.MustParseAddrPort("10.168.0.91:80"))
	natSite = lvs.TCP(netip.MustParseAddrPort("192.168.0.11:80"))
)

// sites is the whole configuration of the director. Changes are values: they
// are printed below, then sent to the kernel with one call.
var sites = []lvs.Change{
	lvs.AddService(lvs.Service{ID: drSite, Scheduler: lvs.RR}),
	lvs.AddServer(drSite, lvs.NewRealServer(rs1, lvs.DR)),
	lvs.AddServer(drSite, lvs.NewRealServer(rs2, lvs.DR)),

	lvs.AddService(lvs.Service{ID: natSite, Scheduler: lvs.LC, Persistence: lvs.Persistence{Timeout: 300 * time.Second}}),
	lvs.AddServer(natSite, lvs.NewRealServer(rs1, lvs.NAT)),
	lvs.AddServer(natSite, lvs.NewRealServer(rs2, lvs.NAT)),
}

// balance makes both services, and shows how they share requests out.
func (q *quickstart) balance(ctx context.Context) error {
	q.say("Two services, sent to the kernel with one call:")
	for _, change := range sites {
		q.say("    %s", change)
	}
	if err := q.director.Do(ctx, sites...); err != nil {
		return err
	}
	q.say("\nRound robin (rr) takes the servers in turn:")
	if err := q.visitDR(ctx); err != nil {
		return err
	}
	q.say("\nLeast connections (lc), and persistence ties each of ten clients to the server of its first request:")
	if err := q.visitNAT(ctx, firstClients); err != nil {
		return err
	}
	return q.showTable(ctx)
}

// drain takes a server out of service without cutting anybody off.
func (q *quickstart) drain(ctx context.Context) error {
	q.say("\nDrain %s: with weight 0 it takes no new connections.", rs1)
	for _, site := range []lvs.ServiceID{drSite, natSite} {
		was, err := q.director.SetWeight(ctx, site, rs1, 0)
		if err != nil {
			return err
		}
		q.say("    %s -> %s: weight %d becomes 0", site, rs1, was)
	}
	q.say("\nDirect routing now leaves it alone:")
	if err := q.visitDR(ctx); err != nil {
		return err
	}
	q.say("\nPersistence goes first, though. Clients that are tied to the drained server still come, for 300 seconds:")
	if err := q.visitNAT(ctx, firstClients); err != nil {
		return err
	}
	q.say("\nNew clients do not:")
	if err := q.visitNAT(ctx, newClients); err != nil {
		return err
	}
	return q.showTable(ctx)
}

// raise brings the server back with three times the other's share.
func (q *quickstart) raise(ctx context.Context) error {
	q.say("\nBring %s back with weight 3 against 1, and let weights count: weighted round robin (wrr).", rs1)
	was, err := q.director.EditService(ctx, drSite, func(s *lvs.Service) { s.Scheduler = lvs.WRR })
	if err != nil {
		return err
	}
	q.say("    %s: scheduler %s becomes wrr", drSite, was.Scheduler)
	weight, err := q.director.SetWeight(ctx, drSite, rs1, 3)
	if err != nil {
		return err
	}
	q.say("    %s -> %s: weight %d becomes 3", drSite, rs1, weight)
	q.say("\nThree requests of four go there:")
	if err := q.visitDR(ctx); err != nil {
		return err
	}
	return q.showTable(ctx)
}

// showTable reads the director's table back from the kernel.
func (q *quickstart) showTable(ctx context.Context) error {
	entries, err := q.director.Snapshot(ctx)
	if err != nil {
		return err
	}
	info, err := q.director.Info(ctx)
	if err != nil {
		return err
	}
	q.say("\nThe director's table, as 'ipvsadm -Ln' shows it:\n")
	return printTable(q.out, info, entries)
}

// quickstart is a run of the program.
type quickstart struct {
	lab      *lab
	director *lvs.Client
	out      io.Writer
	visited  func(lvs.ServiceID, tally) // is told of each round of requests; may be nil
}

// start makes the network and opens a client in the director's namespace.
func start(ctx context.Context, out io.Writer) (*quickstart, error) {
	if err := available(ctx); err != nil {
		return nil, err
	}
	lab, err := newLab()
	if err != nil {
		return nil, err
	}
	director, err := lvs.Open(ctx, lvs.InNamespaceFD(lab.directorFD()))
	if err != nil {
		lab.close()
		return nil, err
	}
	return &quickstart{lab: lab, director: director, out: out}, nil
}

// available tells, before anything is made, whether there is an IPVS that may
// be used. Opening a client takes no privilege; asking it something does.
func available(ctx context.Context) error {
	client, err := lvs.Open(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	_, err = client.Info(ctx)
	return err
}

func (q *quickstart) close() {
	q.director.Close()
	q.lab.close()
}

func (q *quickstart) say(format string, args ...any) {
	fmt.Fprintf(q.out, format+"\n", args...)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, advice(err))
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	q, err := start(ctx, out)
	if err != nil {
		return err
	}
	defer q.close()
	for _, part := range []func(context.Context) error{q.balance, q.drain, q.raise} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}
