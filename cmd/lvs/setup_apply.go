package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/cli"
)

// apply sets the host up. The plan is saved before anything is changed, so that a run that
// is interrupted can be finished by the next, or undone.
func (s *setup) apply(ctx context.Context, env *cli.Env, host *lvs.Host) error {
	fresh, err := host.Plan(ctx, s.setup)
	if err != nil {
		return err
	}
	saved, isNew, err := s.savedOr(fresh, env.Netns())
	if err != nil {
		return err
	}
	if !fresh.HasChanges() {
		fmt.Fprint(env.Out, fresh, "# nothing to do\n")
		return nil
	}
	if isNew && s.path != "" {
		if err := saved.save(s.path); err != nil {
			return fmt.Errorf("the plan could not be saved, and nothing was changed: %w", err)
		}
	}
	if err := host.Apply(ctx, saved.Plan); err != nil {
		return s.failed(ctx, err, isNew, s.takeBack(ctx, host, saved.Plan, isNew))
	}
	fmt.Fprint(env.Out, fresh)
	if s.path == "" {
		fmt.Fprintln(env.Out, "# applied to a simulated host, which ends with this program")
	} else {
		fmt.Fprintf(env.Out, "# applied; undo restores the host from %s\n", s.path)
	}
	return cli.Exit{Status: 2}
}

// savedOr returns the saved plan, or else a new one.
func (s *setup) savedOr(fresh lvs.SetupPlan, netns string) (saved savedSetup, isNew bool, err error) {
	if s.path != "" {
		saved, err = loadSetup(s.path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return saved, false, err
		case !saved.isFor(s.mode, s.setup):
			return saved, false, fmt.Errorf("%s is the plan of another set-up: undo that first, or give another file with -plan", s.path)
		default:
			saved.giveKeys(s.setup)
			return saved, false, nil
		}
	}
	return savedSetup{savedVersion, s.mode, netns, s.setup, fresh}, true, nil
}

// failed returns the error of a set-up that failed, or was interrupted, and took back what
// it had done. left says what it could not take back.
func (s *setup) failed(ctx context.Context, err error, isNew bool, left error) error {
	what := "what was done was taken back, and the host is as before"
	switch {
	case left != nil:
		what = left.Error()
	case !isNew:
		what = "what this run did was taken back; what an earlier one did is still there: 'undo' restores the host from " + s.path
	}
	if ctx.Err() != nil {
		return cli.Exit{Status: 1, Err: fmt.Errorf("interrupted: %w\n%s", err, what)}
	}
	return fmt.Errorf("%w\n%s", err, what)
}

// takeBack removes the new plan of a set-up that failed, if nothing is left to undo.
func (s *setup) takeBack(ctx context.Context, host *lvs.Host, plan lvs.SetupPlan, isNew bool) error {
	if !isNew {
		return nil
	}
	left, err := host.Undo(context.WithoutCancel(ctx), plan)
	if s.path == "" {
		return err
	}
	if err != nil || len(kept(left)) > 0 {
		return errors.Join(err, fmt.Errorf("not everything could be undone: try undo, which reads %s", s.path))
	}
	return os.Remove(s.path)
}

// undo restores the host.
func (s *setup) undo(ctx context.Context, env *cli.Env, host *lvs.Host) error {
	saved, still, err := s.toUndo(ctx, host)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("nothing to undo: there is no %s, which apply would have saved; %s", s.path, savedNames(filepath.Dir(s.path)))
	}
	if err != nil {
		return err
	}
	before := state(ctx, host, saved.Requirements)
	left, err := host.Undo(ctx, saved.Plan, still...)
	for _, l := range left {
		fmt.Fprintf(env.Out, "# left as it is: %s\n", l)
	}
	if err != nil && ctx.Err() != nil {
		return cli.Exit{Status: 1, Err: fmt.Errorf("interrupted: %w\nnot everything is undone: undo again, which reads %s", err, s.path)}
	}
	if err != nil {
		return err
	}
	if err := s.removePlan(env, kept(left)); err != nil {
		return err
	}
	if after := state(ctx, host, saved.Requirements); after != nil && bytes.Equal(before, after) {
		fmt.Fprintln(env.Out, "# nothing to do")
		return nil
	}
	fmt.Fprintln(env.Out, "# undone")
	return cli.Exit{Status: 2}
}

// toUndo returns the saved set-up, and what others in its folder want.
func (s *setup) toUndo(ctx context.Context, host *lvs.Host) (saved savedSetup, still []lvs.Setup, err error) {
	if s.isDemo && s.path == "" {
		if saved.Plan, err = host.Plan(ctx, s.setup); err == nil {
			err = host.Apply(ctx, saved.Plan)
		}
		saved.Requirements = s.setup
		return saved, nil, err
	}
	if saved, err = loadSetup(s.path); err != nil {
		return saved, nil, err
	}
	if saved.Mode != s.mode {
		return saved, nil, fmt.Errorf("%s is the plan of a %s: 'lvs setup %s undo -plan %s' undoes it", s.path, saved.Mode, saved.Mode, s.path)
	}
	others, err := savedSetups(filepath.Dir(s.path), saved.Netns, s.path)
	for _, other := range others {
		still = append(still, other.Requirements)
	}
	return saved, still, err
}

// removePlan removes the file of a set-up that is undone. While something is left, it
// stays, for another undo.
func (s *setup) removePlan(env *cli.Env, left []lvs.Leftover) error {
	switch {
	case s.path == "":
		return nil
	case len(left) > 0:
		fmt.Fprintf(env.Out, "# undo again when nothing needs what was left, or remove %s\n", s.path)
		return nil
	}
	return os.Remove(s.path)
}

// kept returns what is left besides modules, which stay loaded in any case.
func kept(left []lvs.Leftover) (all []lvs.Leftover) {
	for _, l := range left {
		if _, isModule := l.Want.(lvs.Module); !isModule {
			all = append(all, l)
		}
	}
	return all
}

// state returns what a host has of a setup, nil if that cannot be compared.
func state(ctx context.Context, host *lvs.Host, setup lvs.Setup) []byte {
	plan, err := host.Plan(ctx, setup)
	if err != nil {
		return nil
	}
	text, err := json.Marshal(plan)
	if err != nil {
		return nil
	}
	return text
}
