package main

import (
	"context"
	"flag"
	"fmt"
	"slices"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/cli"
	"github.com/golvs/lvs/ipvsadm"
)

func restoreCommand() *cli.Command {
	return &cli.Command{
		Name:  "restore",
		Args:  "FILE",
		Brief: "make the table what a file says",
		Doc: `FILE has commands of ipvsadm, JSON or YAML, as "lvs save" and "ipvsadm -S" write them; "-" is
the standard input. All of it is checked before the first change. Only what differs is
changed, so that connections of real servers that stay go on, and if a change fails, those
before it are taken back.

Services that are not in the file are removed, unless -noflush is given. Sync daemons that
run already stay as they are.`,
		Host: true,
		New:  func() cli.Action { return &restore{} },
	}
}

// restore makes the table what a file says.
type restore struct{ noflush bool }

func (r *restore) Flags(f *flag.FlagSet) {
	f.BoolVar(&r.noflush, "noflush", false, "leave services alone that are not in the file")
}

func (r *restore) Run(ctx context.Context, env *cli.Env, args []string) error {
	file, err := readTableFile(ctx, env, args[0])
	if err != nil {
		return err
	}
	host, err := env.Host(ctx)
	if err != nil {
		return err
	}
	client := host.Client()
	options := lvs.TableOptions{Scope: lvs.ScopeAll(), Prune: !r.noflush}
	plan, err := client.PlanTable(ctx, file.Table, options)
	if err != nil {
		return err
	}
	result, err := client.ApplyTable(ctx, plan, lvs.ApplyOptions{RollBack: true})
	if err != nil {
		return err
	}
	if err := restoreRest(ctx, env, client, file); err != nil {
		return fmt.Errorf("the table was restored, but not all of the rest: %w", err)
	}
	servers := 0
	for _, s := range file.Table.Services {
		servers += len(s.RealServers)
	}
	_, err = fmt.Fprintf(env.Out, "%s, %s: %s\n", count(len(file.Table.Services), "service"), count(servers, "real server"), result)
	return err
}

// restoreRest sets timeouts and starts sync daemons.
func restoreRest(ctx context.Context, env *cli.Env, client *lvs.Client, file ipvsadm.File) error {
	if file.Timeouts != (lvs.Timeouts{}) {
		if err := client.SetTimeouts(ctx, file.Timeouts); err != nil {
			return err
		}
	}
	if len(file.SyncDaemons) == 0 {
		return nil
	}
	running, err := client.SyncDaemons(ctx)
	if err != nil {
		return err
	}
	for _, d := range file.SyncDaemons {
		if slices.ContainsFunc(running, func(r lvs.SyncDaemon) bool { return r.Role == d.Role }) {
			fmt.Fprintf(env.Err, "lvs: a %s sync daemon runs already, and stays as it is\n", d.Role)
			continue
		}
		if err := client.StartSyncDaemon(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// count returns a number of things.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
