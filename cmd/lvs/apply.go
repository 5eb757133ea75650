package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/cli"
)

func applyCommand() *cli.Command {
	return &cli.Command{
		Name:  "apply",
		Args:  "FILE",
		Brief: "make the table what a file says",
		Doc: fileDoc + ` It may also be a plan that
"lvs plan -o json" wrote, which is refused if the table has changed since. "-" is the
standard input.

What is as wanted is not touched, so connections go on, and the second time there is nothing
to do. "lvs plan" shows what would be done; apply does it without a question, but refuses to
take more than half of the real servers out of service at once.

With -drain, real servers that are not wanted any more get weight 0, and are removed when
their connections have ended or the time is over. apply waits for that. With -no-wait, or
when it is interrupted, they keep weight 0; the next apply goes on, and with -state it also
knows until when they may drain.

An interrupt ends apply in order: it lists the steps that were not made, and the same command
does the rest. With -rollback, what was done is taken back; if that fails, what is left is
listed. A second interrupt ends apply at once. After an interrupt, the exit status is 1,
whether or not something was changed.`,
		Host:     true,
		Statuses: []cli.Status{{Code: 2, Meaning: "the table was changed"}},
		New:      func() cli.Action { return &applyTable{} },
	}
}

// applyTable makes the table what is wanted.
type applyTable struct {
	tableFlags
	rollBack bool
	noWait   bool
}

func (a *applyTable) Flags(f *flag.FlagSet) {
	a.flags(f)
	f.BoolVar(&a.rollBack, "rollback", false, "if a step fails, or at an interrupt, take back what was done")
	f.BoolVar(&a.noWait, "no-wait", false, "do not wait for the ends of drains")
}

func (a *applyTable) Run(ctx context.Context, env *cli.Env, args []string) error {
	w, host, err := openWanted(ctx, env, args[0])
	if err != nil {
		return interrupted(ctx, err)
	}
	changed := false
	err = replan(env, w.plan == nil, func() (err error) {
		changed, err = a.try(ctx, env, host, w)
		return err
	})
	switch {
	case errors.Is(err, lvs.ErrStale) && w.plan != nil:
		return fmt.Errorf("%s: %w, with 'lvs plan -o json FILE'; nothing was changed", w.name, err)
	case errors.Is(err, lvs.ErrStale):
		return fmt.Errorf("%w; other programs keep changing the table, and nothing was changed", err)
	case err == nil && changed:
		return cli.Exit{Status: 2}
	}
	return interrupted(ctx, err)
}

// planAttempts is how often a command plans while other programs change the table.
const planAttempts = 4

// replan calls try again, as often as planAttempts, while other programs change the table
// between a plan and its first step.
func replan(env *cli.Env, again bool, try func() error) error {
	for attempt := 1; ; attempt++ {
		err := try()
		if !errors.Is(err, lvs.ErrStale) || !again || attempt == planAttempts {
			return err
		}
		fmt.Fprintln(env.Err, "lvs: another program has changed the table in between: planning again")
	}
}

// try plans and applies once, and reports whether that changed anything.
func (a *applyTable) try(ctx context.Context, env *cli.Env, host *lvs.Host, w wanted) (changed bool, err error) {
	plan, err := a.plan(ctx, host, w)
	if err != nil {
		return false, err
	}
	refused, err := a.refuses(ctx, host.Client(), plan)
	if err = cmp.Or(err, refused); err != nil {
		return false, err
	}
	if w.plan == nil || plan.HasChanges() {
		t := newProse(env)
		t.plan(plan)
		t.leftOut(w)
		if err := t.flush(env.Out); err != nil {
			return false, err
		}
	}
	result, err := a.send(ctx, env, host.Client(), plan)
	if err != nil {
		return false, err
	}
	ended, err := a.finishDrains(ctx, env, host.Client(), result.Drains)
	return result.Count(lvs.StepMade) > 0 || ended, err
}

// send applies a plan, and says what was done.
func (a *applyTable) send(ctx context.Context, env *cli.Env, client *lvs.Client, plan lvs.TablePlan) (lvs.ApplyResult, error) {
	stop := showWork(env, "applying "+count(len(plan.Steps), "step"))
	result, err := client.ApplyTable(ctx, plan, lvs.ApplyOptions{StateFile: a.state, RollBack: a.rollBack})
	stop()
	if len(result.Steps) > 0 {
		fmt.Fprintln(env.Out, "\n"+result.String())
	}
	if err == nil || len(result.Steps) == 0 {
		return result, err
	}
	return result, explainFailure(ctx, env, plan, result, a.rollBack, err)
}
