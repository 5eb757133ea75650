package main

import (
	"context"
	"flag"
	"fmt"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/cli"
)

func undrainCommand() *cli.Command {
	return &cli.Command{
		Name:  "undrain",
		Args:  "SERVICE [SERVER] [WEIGHT]",
		Brief: "take a drain back",
		Doc: `The real server gets WEIGHT, or the weight that "lvs drain -state" has remembered: the kernel
does not know it any more. Without SERVER, a drain of the whole service is taken back,
which needs -state. Where "lvs run" keeps the table, write the weight into its file instead.

    lvs undrain :443 10.168.0.94 3
    lvs undrain :443 10.168.0.94 -state /var/lib/lvs/drains.json`,
		Host: true,
		New:  func() cli.Action { return &undrain{} },
	}
}

// undrain takes a drain back.
type undrain struct{ state string }

func (u *undrain) Flags(f *flag.FlagSet) {
	f.StringVar(&u.state, "state", "", "the file `STATE` in which drain remembered the weight")
}

func (u *undrain) Run(ctx context.Context, env *cli.Env, args []string) error {
	switch {
	case len(args) == 1 && u.state == "":
		return cli.Usagef("SERVER is missing; a drain of a whole service is taken back with -state")
	case len(args) == 3 && u.state != "":
		return cli.Usagef("WEIGHT and -state exclude each other")
	}
	client, service, err := findOne(ctx, env, args[0])
	if err != nil {
		return err
	}
	d := lvs.Drain{Service: service.ID}
	if len(args) > 1 {
		server, err := findServer(service, args[1])
		if err != nil {
			return err
		}
		d.RealServer = server.Addr
		if server.Weight != 0 {
			return fmt.Errorf("%s has weight %d, so it is not drained; 'lvs weight' sets another one", drained(d), server.Weight)
		}
	}
	if u.state != "" {
		return u.takeBack(ctx, env, client, d)
	}
	if len(args) == 2 {
		return fmt.Errorf("which weight %s had is not known; give it: 'lvs undrain %s %s WEIGHT'", drained(d), d.Service, d.RealServer)
	}
	n, err := parseWeight(args[2])
	if err != nil {
		return err
	}
	if err := client.SetWeight(ctx, d.Service, d.RealServer, n); err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.Out, "%s: weight %d\n", drained(d), n)
	return err
}

// takeBack gives back the weights that the file remembers, and forgets them.
func (u *undrain) takeBack(ctx context.Context, env *cli.Env, client *lvs.Client, d lvs.Drain) error {
	d, err := recallDrain(u.state, d)
	if err != nil {
		return err
	}
	if err := client.TakeBackDrain(ctx, d); err != nil {
		return err
	}
	for _, r := range d.Before {
		fmt.Fprintf(env.Out, "%s -> %s: weight %d\n", d.Service, r.Addr, r.Weight)
	}
	return forgetDrains(u.state, []lvs.DrainEnd{{Drain: d}})
}
