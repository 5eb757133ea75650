package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/cli"
	"github.com/golvs/lvs/cmd/lvs/internal/term"
)

// explainFailure lists the steps of a plan that failed or was interrupted: those that were
// not made, or after a rollback those that are left. It returns the error with what to do.
func explainFailure(ctx context.Context, env *cli.Env, plan lvs.TablePlan, result lvs.ApplyResult, rollBack bool, err error) error {
	made := result.Count(lvs.StepMade, lvs.StepUnknown)
	what := "nothing was changed"
	switch {
	case rollBack && made > 0:
		listSteps(env, plan, result, lvs.StepMade, lvs.StepUnknown)
		what = "the steps above are left. Once the cause is gone, run the same command again"
	case result.Count(lvs.StepTakenBack) > 0:
		what = "what was done was taken back, and the table is as before"
	case made > 0:
		listSteps(env, plan, result, lvs.StepRefused, lvs.StepUnknown, lvs.StepNotSent)
		what = "what is done stays, and the same command does the rest"
	}
	switch {
	case ctx.Err() != nil && isInterrupt(err):
		return cli.Exit{Status: 1, Err: fmt.Errorf("interrupted: %s", what)}
	case ctx.Err() != nil:
		return cli.Exit{Status: 1, Err: fmt.Errorf("interrupted: %s\n%w", what, lvs.Ignore(err, context.Cause(ctx), lvs.ErrSkipped))}
	case made > 0 && !rollBack:
		what = "What is done stays. Once the cause is gone, the same command does the rest; -rollback would have taken it back"
	}
	return fmt.Errorf("%w\n%s", err, what)
}

// interrupted returns the error of a command that changes something, and was interrupted
// before that: its exit status is 1, as for any error. Other errors stay.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() == nil || err == nil || errors.As(err, new(cli.Exit)) || !isInterrupt(err) {
		return err
	}
	return cli.Exit{Status: 1, Err: errors.New("interrupted: nothing was changed")}
}

// isInterrupt reports whether an error says no more than that the work was interrupted.
func isInterrupt(err error) bool {
	return lvs.Ignore(err, context.Canceled, context.DeadlineExceeded, lvs.ErrSkipped) == nil
}

// listSteps lists the steps with some outcomes.
func listSteps(env *cli.Env, plan lvs.TablePlan, result lvs.ApplyResult, outcomes ...lvs.StepOutcome) {
	for i, step := range plan.Steps {
		if o := result.Steps[i]; slices.Contains(outcomes, o) {
			line, _, _ := strings.Cut(step.String(), "\n")
			fmt.Fprintf(env.Out, "%s: %s\n", o, term.Clean(line))
		}
	}
}
