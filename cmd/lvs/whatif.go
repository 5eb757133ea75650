package main

import (
	"context"
	"flag"
	"net/netip"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/cli"
)

func whatifCommand() *cli.Command {
	return &cli.Command{
		Name:  "whatif",
		Brief: "predict what a change does to clients, or which scheduler suits them",
		Doc: `The table is copied into a simulated kernel, the copy is changed, and the same clients are
sent to both. The table itself is only read. -table reads one from a file instead: JSON,
YAML, or what "ipvsadm -S -n" writes.

Without flags, each real server is removed, then drained, and one is added. The columns are
shares of the clients. Those who moved get another server because of the change. Ideal is
the least that must move for each server to get its share by weight. Those of the baseline
get another server even without a change, because the scheduler's position and its counts
have advanced. Refused ones get none. Largest is the share of the server with most clients.

With -schedulers, or a flag of its own such as -arrivals, each scheduler gets the very same
connections, beginning without any, and the reports are compared. A workload in JSON has
the fields of workload.Workload; flags come first.

    lvs whatif
    lvs whatif -remove 10.168.0.94:80 -add 10.168.0.99:80 -weight 2
    lvs whatif -service tcp://10.168.0.91:80 -schedulers wlc,mh+fallback -html report.html
    lvs whatif -service tcp://10.168.0.91:80 -event '40s fail 10.168.0.94:80 noticed 3s'`,
		Host: true,
		New:  func() cli.Action { return &whatif{} },
	}
}

// whatif predicts what changes would do.
type whatif struct {
	named   string        // the service, as findService knows it
	service lvs.ServiceID // that it is; zero for none
	table   string        // file
	changes []serverChange
	weight  int
	seed    uint64
	clients clients
	contest contest
}

func (w *whatif) Flags(f *flag.FlagSet) {
	f.StringVar(&w.named, "service", "", "the `SERVICE`, such as tcp://10.168.0.91:80; without it all that have the servers, or all")
	f.StringVar(&w.table, "table", "", "read the table from `FILE`, or - for the standard input, in place of the kernel's")
	for _, c := range []struct{ kind, usage string }{
		{"remove", "remove real server `ADDRESS:PORT`, may be repeated: all changes are made at once"},
		{"drain", "drain real server `ADDRESS:PORT`, by weight 0, may be repeated"},
		{"add", "add real server `ADDRESS:PORT`, may be repeated"},
	} {
		f.Func(c.kind, c.usage, func(s string) error {
			addr, err := netip.ParseAddrPort(s)
			w.changes = append(w.changes, serverChange{kind: c.kind, addr: addr})
			return err
		})
	}
	f.IntVar(&w.weight, "weight", 1, "the `WEIGHT` of a server that is added")
	f.TextVar(&w.clients, "clients", defaultClients, "the `CLIENTS`: a number, or as in '20000 zipf 1.1 nat 50'")
	f.Uint64Var(&w.seed, "seed", 1, "the `NUMBER` that seeds everything random")
	w.contest.flags(f)
}

func (w *whatif) Run(ctx context.Context, env *cli.Env, args []string) error {
	if w.weight < 0 {
		return cli.Usagef("-weight %d is negative", w.weight)
	}
	if w.contest.isWanted() && len(w.changes) > 0 {
		return cli.Usagef("schedulers are compared without -remove, -drain and -add: use -event")
	}
	for i := range w.changes {
		w.changes[i].weight = w.weight
	}
	live, missed, err := copyTable(ctx, env, w.table, lvs.SimOptions{})
	if err != nil {
		return err
	}
	if err := w.find(ctx, live); err != nil {
		return err
	}
	if w.contest.isWanted() {
		return w.contest.run(ctx, env, live, w)
	}
	return (&study{whatif: w, live: live, missed: missed}).run(ctx, env)
}

// find finds the service that is named.
func (w *whatif) find(ctx context.Context, live *lvs.Simulator) error {
	if w.named == "" {
		return nil
	}
	table, err := snapshot(ctx, live)
	if err != nil {
		return err
	}
	found, err := findService(table, w.named)
	w.service = found.ID
	return err
}

// copyTable returns a simulator with the table of a file, or of the host if the file's name
// is "".
func copyTable(ctx context.Context, env *cli.Env, name string, o lvs.SimOptions) (live *lvs.Simulator, missed []string, err error) {
	if name == "" {
		host, err := env.Host(ctx)
		if err != nil {
			return nil, nil, err
		}
		return lvs.SimulatorFrom(ctx, host, o)
	}
	file, err := readTableFile(ctx, env, name)
	if err != nil {
		return nil, nil, err
	}
	live, err = simulate(ctx, o, file.Table.Services...)
	return live, nil, err
}

// simulate returns a simulator with services.
func simulate(ctx context.Context, o lvs.SimOptions, services ...lvs.TableService) (*lvs.Simulator, error) {
	sim, err := lvs.NewSimulator(o)
	if err != nil {
		return nil, err
	}
	client := sim.Client()
	defer client.Close()
	var changes []lvs.Change
	for _, s := range services {
		changes = append(changes, lvs.AddService(s.Service))
		for _, server := range s.RealServers {
			changes = append(changes, lvs.AddRealServer(s.ID, server))
		}
	}
	return sim, client.Do(ctx, changes...)
}
