package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/cli"
	"github.com/golvs/lvs/director"
	"github.com/golvs/lvs/health"
)

func overrideCommand() *cli.Command {
	return &cli.Command{
		Name:  "override",
		Brief: "decide about a real server that lvs run keeps",
		Doc: `An override stands above the file of "lvs run -overrides", whose checks go on: it gives a
real server no new connections, a share of its weight, or a weight of its own. It outlives
restarts and new files, until it is cleared or its time ends. "lvs run" follows within a
second.

    lvs override drain :443 10.168.0.94 -for 2h -why 'new disk'
    lvs override clear :443 10.168.0.94`,
		Commands: []*cli.Command{
			overrideListCommand(),
			overrideKindCommand("drain", "", "give a real server no new connections",
				"Connections that it has go on. It counts as missing where its service has a limit.",
				func(o *health.Override, _ string) error { o.Kind = health.Drain; return nil }),
			overrideKindCommand("scale", "SHARE", "give a real server a share of its weight",
				"SHARE is a number such as 0.5. Checks, reports and slow start act besides.",
				func(o *health.Override, text string) (err error) {
					o.Kind = health.Scale
					if o.Share, err = strconv.ParseFloat(text, 64); err != nil {
						return cli.Usagef("%q is not a share, such as 0.5", text)
					}
					return nil
				}),
			overrideKindCommand("pin", "WEIGHT", "give a real server a weight, whatever its checks say",
				"Reports and slow start count as little as checks do.",
				func(o *health.Override, text string) (err error) {
					o.Kind = health.Pin
					o.Weight, err = parseWeight(text)
					return err
				}),
			overrideClearCommand(),
		},
	}
}

// defaultOverrides is the file of docs/lvs-run.service.
const defaultOverrides = "/var/lib/lvs/overrides.json"

// overrideFile is the flag of the file with the overrides.
type overrideFile struct{ path string }

func (o *overrideFile) flags(f *flag.FlagSet) {
	f.StringVar(&o.path, "overrides", defaultOverrides, "the file `FILE` of lvs run -overrides")
}

// find refuses a file whose folder does not exist: no lvs run reads it.
func (o *overrideFile) find() error {
	if _, err := os.Stat(filepath.Dir(o.path)); err != nil {
		return fmt.Errorf("%w; name the file of 'lvs run -overrides' with -overrides", err)
	}
	return nil
}

func overrideListCommand() *cli.Command {
	return &cli.Command{
		Name:  "list",
		Brief: "show the overrides",
		New:   func() cli.Action { return &overrideList{} },
	}
}

// overrideList shows the overrides.
type overrideList struct{ file overrideFile }

func (o *overrideList) Flags(f *flag.FlagSet) { o.file.flags(f) }

func (o *overrideList) Run(_ context.Context, env *cli.Env, _ []string) error {
	if err := o.file.find(); err != nil {
		return err
	}
	all, err := director.ReadOverrides(o.file.path)
	if err != nil {
		return err
	}
	now := time.Now()
	for _, one := range all {
		if one.Until.IsZero() || now.Before(one.Until) {
			fmt.Fprintln(env.Out, one)
		}
	}
	return nil
}

// overrideKindCommand returns the command of a kind of override, which parse reads from
// its last argument, if value names one.
func overrideKindCommand(name, value, brief, doc string, parse func(o *health.Override, text string) error) *cli.Command {
	args := "SERVICE SERVER"
	if value != "" {
		args += " " + value
	}
	return &cli.Command{
		Name: name, Args: args, Brief: brief, Doc: doc, Host: true,
		New: func() cli.Action { return &override{parse: parse} },
	}
}

// override puts an override.
type override struct {
	parse func(o *health.Override, text string) error
	file  overrideFile
	last  time.Duration
	by    string
	why   string
}

func (o *override) Flags(f *flag.FlagSet) {
	o.file.flags(f)
	f.DurationVar(&o.last, "for", 0, "how long it lasts, a `DURATION`; 0 is until it is cleared")
	f.StringVar(&o.by, "by", "", "the `NAME` of who decides it (default: the user's)")
	f.StringVar(&o.why, "why", "", "the reason, a `TEXT`")
}

func (o *override) Run(ctx context.Context, env *cli.Env, args []string) error {
	if o.last < 0 {
		return cli.Usagef("-for %s is negative", o.last)
	}
	put := health.Override{By: o.by, Why: o.why, Since: time.Now().UTC().Truncate(time.Second)}
	if o.last > 0 {
		put.Until = put.Since.Add(o.last)
	}
	for _, name := range []string{"SUDO_USER", "USER"} {
		if put.By == "" {
			put.By = env.Getenv(name)
		}
	}
	err := cmp.Or(o.parse(&put, args[len(args)-1]), o.file.find())
	if err != nil {
		return err
	}
	if put.Service, put.Server, err = findOverridden(ctx, env, args[0], args[1]); err != nil {
		return err
	}
	if err := director.PutOverride(o.file.path, put); err != nil {
		return err
	}
	_, err = fmt.Fprintln(env.Out, put)
	return err
}

func overrideClearCommand() *cli.Command {
	return &cli.Command{
		Name: "clear", Args: "SERVICE SERVER", Brief: "end an override", Host: true,
		New: func() cli.Action { return &overrideClear{} },
	}
}

// overrideClear ends an override.
type overrideClear struct{ file overrideFile }

func (o *overrideClear) Flags(f *flag.FlagSet) { o.file.flags(f) }

func (o *overrideClear) Run(ctx context.Context, env *cli.Env, args []string) error {
	if err := o.file.find(); err != nil {
		return err
	}
	service, server, err := findOverridden(ctx, env, args[0], args[1])
	if err != nil {
		return err
	}
	found, err := director.RemoveOverride(o.file.path, service, server)
	switch {
	case err != nil:
		return err
	case !found:
		return fmt.Errorf("%s -> %s has no override; 'lvs override list' shows them", service, server)
	}
	_, err = fmt.Fprintf(env.Out, "%s -> %s: cleared\n", service, server)
	return err
}

// findOverridden returns the service and the real server that arguments mean. Those that
// are written in full need not be in the table: a real server may have been removed
// because it failed.
func findOverridden(ctx context.Context, env *cli.Env, service, server string) (lvs.ServiceID, netip.AddrPort, error) {
	id, idErr := lvs.ParseServiceID(service)
	addr, addrErr := netip.ParseAddrPort(server)
	if idErr == nil && addrErr == nil {
		return id, addr, nil
	}
	_, s, r, err := findBoth(ctx, env, service, server)
	return s.ID, r.Addr, err
}
