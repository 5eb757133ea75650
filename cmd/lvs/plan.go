package main

import (
	"context"
	"flag"
	"fmt"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/cli"
	"github.com/golvs/lvs/cmd/lvs/internal/tablefile"
	"github.com/golvs/lvs/ipvsadm"
)

// fileDoc says what FILE is for plan, apply and run.
const fileDoc = `FILE has the wanted table as JSON, YAML, or commands of ipvsadm, as "lvs save" and
"ipvsadm -S" write them, or is a keepalived.conf. The text shows which of these it is; YAML of
more than 4 MiB is refused, because reading it needs too much memory.`

func planCommand() *cli.Command {
	return &cli.Command{
		Name:  "plan",
		Args:  "FILE",
		Brief: "show what would make the table what a file says",
		Doc: fileDoc + ` "-" is the standard input. Nothing is changed.

The plan is a diff: a line for each step, and below it what the step does to clients. It
ends with the clients that would move or be refused, and the connections that would break,
tried on a copy of this host. Only services in scope are touched, and without -prune none is removed.

    lvs save -o yaml site.yaml     # and edit it
    lvs plan site.yaml
    lvs apply -drain 5m site.yaml

With -o json or yaml, the plan is one that "lvs apply" applies later, or refuses if the
table has changed since. FILE may also be such a plan, which is then shown.`,
		Host:     true,
		Statuses: []cli.Status{{Code: 2, Meaning: "there is something to do"}},
		New:      func() cli.Action { return &planTable{} },
	}
}

// planTable prints how the table becomes what is wanted.
type planTable struct {
	tableFlags
	output   string
	noEffect bool
}

func (p *planTable) Flags(f *flag.FlagSet) {
	p.flags(f)
	cli.Choice(f, &p.output, "o", "write a `FORMAT`", "diff", tablefile.JSON, tablefile.YAML, tablefile.Commands)
	f.BoolVar(&p.noEffect, "no-effect", false, "do not look at each client and connection, which takes time and memory with very many")
}

func (p *planTable) Run(ctx context.Context, env *cli.Env, args []string) error {
	w, host, err := openWanted(ctx, env, args[0])
	if err != nil {
		return err
	}
	plan, err := p.plan(ctx, host, w)
	if err != nil {
		return err
	}
	if err := p.print(ctx, env, host, w, plan); err != nil {
		return err
	}
	if plan.HasChanges() {
		return cli.Exit{Status: 2}
	}
	return nil
}

func (p *planTable) print(ctx context.Context, env *cli.Env, host *lvs.Host, w wanted, plan lvs.TablePlan) error {
	if p.output != "diff" {
		for _, note := range w.file.Notes {
			fmt.Fprintln(env.Err, note)
		}
	}
	switch p.output {
	case "diff":
		return p.printDiff(ctx, env, host, w, plan)
	case tablefile.Commands:
		text, err := ipvsadm.Commands(plan.Changes()...)
		if err != nil {
			return err
		}
		_, err = fmt.Fprint(env.Out, text)
		return err
	}
	text, err := tablefile.EncodePlan(plan, p.output)
	if err == nil {
		_, err = env.Out.Write(text)
	}
	return err
}

// printDiff prints the plan, what it does to clients, and what applying it would refuse.
func (p *planTable) printDiff(ctx context.Context, env *cli.Env, host *lvs.Host, w wanted, plan lvs.TablePlan) error {
	t := newProse(env)
	t.plan(plan)
	t.leftOut(w)
	if plan.HasChanges() {
		if !p.noEffect {
			t.effect(plan.Effect(ctx, host))
		}
		refused, err := p.refuses(ctx, host.Client(), plan)
		if err != nil {
			return err
		}
		if refused != nil {
			t.comment("'lvs apply' refuses this: " + refused.Error())
		}
	}
	return t.flush(env.Out)
}
