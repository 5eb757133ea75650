package main

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/cli"
)

func restoreCommand() *cli.Command {
	return &cli.Command{
		Name:  "restore",
		Args:  "FILE",
		Brief: "put back what save wrote",
		Doc: `FILE has commands of ipvsadm, JSON or YAML, as "lvs save" and "ipvsadm -S" write them; "-" is
the standard input. All of it is checked before the first change. Only what differs is
changed, so that connections of real servers that stay go on. Timeouts and sync daemons, which
only commands of ipvsadm have, are restored too. If a change fails, or at an interrupt, all
that was changed is taken back.

Services that are not in the file are removed, unless -no-flush is given. Sync daemons that
run already stay as they are. The exit status is 0 whether or not something had to change.`,
		Host: true,
		New:  func() cli.Action { return &restore{} },
	}
}

// restore makes the host what a file says.
type restore struct{ noFlush bool }

func (r *restore) Flags(f *flag.FlagSet) {
	f.BoolVar(&r.noFlush, "no-flush", false, "leave services alone that are not in the file")
}

func (r *restore) Run(ctx context.Context, env *cli.Env, args []string) error {
	file, err := readTableFile(ctx, env, args[0])
	if err != nil {
		return interrupted(ctx, err)
	}
	host, err := env.Host(ctx)
	if err != nil {
		return interrupted(ctx, err)
	}
	client := host.Client()
	rest := restoredRest{client: client}
	var plan lvs.TablePlan
	var result lvs.ApplyResult
	err = replan(env, true, func() (err error) {
		plan, err = client.PlanTable(ctx, file.Table, lvs.TableOptions{Scope: lvs.ScopeAll(), Prune: !r.noFlush})
		if err == nil {
			err = rest.restore(ctx, file.File)
		}
		if err == nil {
			result, err = client.ApplyTable(ctx, plan, lvs.ApplyOptions{RollBack: true})
		}
		if err != nil {
			err = errors.Join(err, rest.takeBack(context.WithoutCancel(ctx)))
		}
		return err
	})
	if err != nil {
		return explainFailure(ctx, env, plan, result, true, err)
	}
	rest.printKept(env)
	servers := 0
	for _, s := range file.Table.Services {
		servers += len(s.RealServers)
	}
	_, err = fmt.Fprintf(env.Out, "%s, %s: %s%s\n", count(len(file.Table.Services), "service"), count(servers, "real server"), result, rest.String())
	return err
}

// count returns a number of things.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
