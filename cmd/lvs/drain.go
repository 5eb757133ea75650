package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/cli"
)

func drainCommand() *cli.Command {
	return &cli.Command{
		Name:  "drain",
		Args:  "SERVICE [SERVER]",
		Brief: "let the connections of a real server end",
		Doc: `It sets the weight to 0, of all real servers without SERVER, and waits until no connection
is left. With -remove, the real server, or the service, is removed then, and at the
deadline with the connections that are left, which are cut. After an interrupt the weight
stays 0.

The kernel counts a TCP connection for two minutes after it was closed. "lvs undrain" takes
a drain back: -state remembers the weight for it, in a file that is not that of "lvs run".

While "lvs run" keeps the table, it soon sets the weight of its file again, and the drain
fails. Write weight 0 into that file instead, or run it with -keep-weights.

    lvs drain :443 10.168.0.94 -for 10m -remove
    lvs drain :443 10.168.0.94 -no-wait -state /var/lib/lvs/drains.json`,
		Host:     true,
		Statuses: []cli.Status{{Code: 2, Meaning: "connections were left at the deadline"}, {Code: 130, Meaning: "it was interrupted"}},
		New:      func() cli.Action { return &drain{} },
	}
}

// drain lets connections end.
type drain struct {
	deadline   time.Duration
	remove     bool
	noWait     bool
	persistent bool
	state      string
}

func (d *drain) Flags(f *flag.FlagSet) {
	f.DurationVar(&d.deadline, "for", 5*time.Minute, "wait for at most so long, a `DURATION`")
	f.BoolVar(&d.remove, "remove", false, "remove what has been drained")
	f.BoolVar(&d.noWait, "no-wait", false, "set the weight to 0, and do not wait")
	f.BoolVar(&d.persistent, "persistent", false, "wait also until persistence keeps no client on the real server")
	f.StringVar(&d.state, "state", "", "remember the drain in the file `STATE`, for undrain")
}

func (d *drain) Run(ctx context.Context, env *cli.Env, args []string) error {
	switch {
	case d.deadline <= 0:
		return cli.Usagef("-for %v is not more than 0", d.deadline)
	case d.remove && d.noWait:
		return cli.Usagef("-remove and -no-wait exclude each other")
	}
	client, service, err := findOne(ctx, env, args[0])
	if err != nil {
		return err
	}
	var server netip.AddrPort
	if len(args) > 1 {
		found, err := findServer(service, args[1])
		if err != nil {
			return err
		}
		server = found.Addr
	}
	begun, err := d.begin(ctx, client, service.ID, server)
	if err != nil {
		return err
	}
	fmt.Fprintf(env.Out, "%s: weight 0%s\n", drained(begun), formerly(begun))
	if d.noWait {
		return nil
	}
	return d.await(ctx, env, client, begun)
}

// begin sets weights to 0, and remembers those that were. If that cannot be remembered,
// the drain is taken back.
func (d *drain) begin(ctx context.Context, client *lvs.Client, id lvs.ServiceID, server netip.AddrPort) (begun lvs.Drain, err error) {
	options := lvs.DrainOptions{Timeout: d.deadline, WaitPersistent: d.persistent}
	if server.IsValid() {
		begun, err = client.BeginDrain(ctx, id, server, options)
	} else {
		begun, err = client.BeginServiceDrain(ctx, id, options)
	}
	if err != nil || d.state == "" {
		return begun, err
	}
	if err := rememberDrain(d.state, begun); err != nil {
		return begun, errors.Join(err, client.TakeBackDrain(context.WithoutCancel(ctx), begun))
	}
	return begun, nil
}

// drained returns what a drain is about.
func drained(d lvs.Drain) string {
	if d.RealServer.IsValid() {
		return fmt.Sprintf("%s -> %s", d.Service, d.RealServer)
	}
	return d.Service.String()
}

// formerly returns the weight that a real server had.
func formerly(d lvs.Drain) string {
	if d.RealServer.IsValid() && len(d.Before) == 1 {
		return fmt.Sprintf(", was %d", d.Before[0].Weight)
	}
	return fmt.Sprintf(" for %s", count(len(d.Before), "real server"))
}
