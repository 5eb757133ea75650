package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/cli"
)

// finishDrains waits for the ends of drains, with a state file also of those that earlier
// runs began, and reports whether any ended.
func (a *applyTable) finishDrains(ctx context.Context, env *cli.Env, client *lvs.Client, drains []lvs.Drain) (bool, error) {
	if a.state != "" {
		state, err := lvs.ReadTableState(a.state)
		if err != nil {
			return false, err
		}
		drains = state.Drains
	}
	if len(drains) == 0 {
		return false, nil
	}
	if a.noWait {
		a.printDraining(env, drains)
		return false, nil
	}
	left, ended, err := awaitDrains(ctx, env, client, drains)
	for _, end := range ended {
		fmt.Fprintln(env.Out, end)
	}
	if a.state != "" && len(ended) > 0 {
		err = errors.Join(err, forgetDrains(a.state, ended))
	}
	if len(left) > 0 {
		a.printDraining(env, left)
	}
	if ctx.Err() != nil && isInterrupt(err) {
		err = cli.Exit{Status: 1, Err: errors.New("interrupted: what is done stays, and what drains is not removed")}
	}
	return len(ended) > 0, err
}

// awaitDrains waits for the ends of drains, and shows what they wait for.
func awaitDrains(ctx context.Context, env *cli.Env, client *lvs.Client, drains []lvs.Drain) (left []lvs.Drain, ended []lvs.DrainEnd, err error) {
	shown := newProgress(env)
	defer shown.end()
	for left = drains; ; {
		if shown.live() {
			shown.say(time.Now(), drainsText(left, time.Now()))
		}
		var some []lvs.DrainEnd
		left, some, err = client.ContinueDrains(ctx, left)
		ended = append(ended, some...)
		if len(left) == 0 || err != nil && lvs.Ignore(err, lvs.ErrBusy, lvs.ErrStuck) != nil {
			return left, ended, err
		}
		select {
		case <-ctx.Done():
			return left, ended, ctx.Err()
		case <-time.After(untilLook(left...)):
		}
	}
}

// drainsText says how many drains there are, and how long they may last.
func drainsText(drains []lvs.Drain, now time.Time) string {
	last := now
	for _, d := range drains {
		if d.Deadline.After(last) {
			last = d.Deadline
		}
	}
	return fmt.Sprintf("%s under way, for at most %v", count(len(drains), "drain"), last.Sub(now).Round(time.Second))
}

// shownDrains is how many drains are listed.
const shownDrains = 10

// printDraining lists drains that go on, and says what will end them.
func (a *applyTable) printDraining(env *cli.Env, drains []lvs.Drain) {
	for _, d := range drains[:min(shownDrains, len(drains))] {
		fmt.Fprintln(env.Out, d)
	}
	if more := len(drains) - shownDrains; more > 0 {
		fmt.Fprintf(env.Out, "and %d more\n", more)
	}
	what := "They keep weight 0 until 'lvs apply' of the same file runs again"
	if a.state != "" {
		what += " with -state " + a.state
	}
	fmt.Fprintln(env.Out, what+".")
}
