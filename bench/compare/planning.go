//go:build linux

package main

import (
	"context"
	"fmt"

	"github.com/golvs/lvs"
)

// wish is a table that is wanted.
type wish struct {
	job
	table lvs.Table
}

func wishOf(j job) wish { return wish{j, j.table()} }

// check refuses a plan that does not edit just what differs from a table that has no
// edits.
func (w wish) check(plan lvs.TablePlan) error {
	if len(plan.Steps) != w.edits() {
		return fmt.Errorf("a plan of %d steps, want %d", len(plan.Steps), w.edits())
	}
	return nil
}

func oursPlanning() contender {
	return ours("lvs", wishOf, func(ctx context.Context, c *lvs.Client, w wish) (int, error) {
		plan, err := c.PlanTable(ctx, w.table, lvs.TableOptions{})
		if err == nil {
			err = w.check(plan)
		}
		return w.objects(), err
	})
}

// oursApplying plans and applies.
func oursApplying() contender {
	return ours("lvs", wishOf, func(ctx context.Context, c *lvs.Client, w wish) (int, error) {
		plan, err := c.PlanTable(ctx, w.table, lvs.TableOptions{})
		if err == nil {
			_, err = c.ApplyTable(ctx, plan, lvs.ApplyOptions{})
		}
		return w.objects(), err
	})
}

// oursDiffing compares two tables without a kernel.
func oursDiffing() contender {
	return contender{"lvs", func(_ *namespace, j job) (session, error) {
		have, want := j.unedited().table(), wishOf(j)
		run := func() (int, error) {
			plan, err := lvs.Diff(have, want.table, lvs.TableOptions{})
			if err == nil {
				err = want.check(plan)
			}
			return j.objects(), err
		}
		return session{run, func() error { return nil }}, nil
	}}
}
