package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

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
knows until when they may drain.`,
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

// applyAttempts is how often apply plans while other programs change the table.
const applyAttempts = 4

func (a *applyTable) Run(ctx context.Context, env *cli.Env, args []string) error {
	w, err := readWanted(ctx, env, args[0])
	if err != nil {
		return err
	}
	host, err := env.Host(ctx)
	if err != nil {
		return err
	}
	for attempt := 1; ; attempt++ {
		changed, err := a.try(ctx, env, host, w)
		if errors.Is(err, lvs.ErrStale) && w.plan == nil && attempt < applyAttempts {
			fmt.Fprintln(env.Err, "lvs: another program has changed the table in between: planning again")
			continue
		}
		switch {
		case errors.Is(err, lvs.ErrStale) && w.plan != nil:
			return fmt.Errorf("%s: %w, with 'lvs plan -o json FILE'; nothing was changed", w.name, err)
		case err != nil:
			return err
		case changed:
			return cli.Exit{Status: 2}
		}
		return nil
	}
}

// try plans and applies once, and reports whether that changed anything.
func (a *applyTable) try(ctx context.Context, env *cli.Env, host *lvs.Host, w wanted) (changed bool, err error) {
	plan, err := a.plan(ctx, host, w)
	if err != nil {
		return false, err
	}
	refused, err := a.refuses(ctx, host.Client(), plan)
	if err == nil {
		err = refused
	}
	if err != nil {
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
	if errors.Is(err, lvs.ErrStale) {
		return result, err
	}
	if plan.HasChanges() {
		fmt.Fprintln(env.Out, "\n"+result.String())
	}
	switch {
	case err == nil || a.rollBack:
		return result, err
	case ctx.Err() != nil:
		fmt.Fprintln(env.Err, "lvs: interrupted: what is done stays, and the same command does the rest")
	default:
		return result, fmt.Errorf("%w\nWhat is done stays. Once the cause is gone, the same command does the rest; -rollback would have taken it back", err)
	}
	return result, err
}

// showWork shows on a terminal what is being done, and for how long, once it takes more
// than a second, until stop is called.
func showWork(env *cli.Env, what string) (stop func()) {
	shown := newProgress(env)
	if !shown.live() {
		return func() {}
	}
	began, quit, ended := time.Now(), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for {
			select {
			case <-quit:
				shown.end()
				return
			case now := <-ticker.C:
				shown.say(now, fmt.Sprintf("%s: %v", what, now.Sub(began).Round(time.Second)))
			}
		}
	}()
	return func() { close(quit); <-ended }
}
