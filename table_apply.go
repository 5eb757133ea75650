package lvs

import (
	"context"
	"errors"

	"github.com/golvs/lvs/internal/seam"
)

// ApplyOptions says how [Client.ApplyTable] applies a plan. The zero value continues
// after a failure, takes nothing back and remembers nothing.
type ApplyOptions struct {
	// StateFile is the file that remembers what was applied: see [TableState]. Give what
	// [ReadTableState] reads from it to [TableOptions.Last] of the next plan. Empty means
	// none.
	//
	// Each program needs a file of its own. While a plan is being applied with it, another
	// ApplyTable with it, in any process, fails at once with [ErrBusy]; a process that ends
	// releases it. To that end an empty file beside it, named as it with ".lock", is locked
	// and stays there. [TableState.WriteFile] does not look at the lock.
	StateFile string

	// State is what was applied before, of a program that has it in memory, and becomes
	// what a state file would have afterwards. With StateFile too, it counts instead of
	// what the file has, and is set each time after the file. Nil is none.
	State *TableState

	// Stop ends the work at the first step that fails: later ones are not sent. Each
	// change then needs system calls of its own, while without Stop hundreds share them.
	Stop bool

	// RollBack ends the work when a step fails or the context ends, and takes back what
	// this call did: services and real servers become what they were, as far as no other
	// program has changed them since. It does not bring back counters, connections that
	// were cut, or the place of a real server in the order. The end of the context does
	// not end that, but after ten seconds it is given up.
	//
	// Nothing is removed and no weight is lowered before it is known that the steps
	// before were made, so that there is little to take back.
	RollBack bool

	// WaitPersistent is [DrainOptions.WaitPersistent] of the drains that begin.
	WaitPersistent bool
}

// ApplyTable makes the changes of a plan, many with one system call. Without changes it
// only reads. A plan can come from another process.
//
// If the services in scope are not what they were when the plan was made, nothing is
// done, and the error matches [ErrStale] and names them: plan again. Counters do not
// count, nor do drains that were under way then. A plan that was interrupted in the
// middle, even by the end of the process, fits as well, and is continued. After a step
// that failed, it fits only if no later one of the same service was made. Only the
// services of the plan are looked at, so one that another program adds is not noticed,
// even in scope and with [TableOptions.Prune]: the next plan removes it. The error matches
// [ErrInvalid], and names the step, for a plan that [Diff] cannot have made.
//
// If steps fail, the others are made nevertheless, with two exceptions: the real servers
// of a service that could not be added, and those of a service that would lose capacity
// without getting the new one. As long as a real server could not be added or edited, no
// other of its service is removed, drained or given a lower weight. The error is a
// [*BatchError] whose indexes are those of the plan's steps. Steps that were not made
// because of others match [ErrSkipped] and come last, so [errors.As] finds a cause:
//
//	causes := lvs.Ignore(err, lvs.ErrSkipped)
//
// A step that drains sets weights to 0 and yields a [Drain], which [Client.AwaitDrains]
// or [Client.ContinueDrains] brings to its end.
//
// The state file is written before the kernel is changed, and afterwards, if there is
// anything new. In between it owns what was applied before and what is being applied, so
// that no interruption makes the program forget what is its own. If the file cannot be
// read or written, nothing is changed.
//
// With [ApplyOptions.RollBack], a second [*BatchError] is joined to the first if steps
// could not be taken back. Its failures match [ErrExists] or [ErrNotFound] where another
// program has changed or removed what the step left, which then stays so. What was taken
// back only in part remains the program's own in the state file.
func (c *Client) ApplyTable(ctx context.Context, plan TablePlan, o ApplyOptions) (ApplyResult, error) {
	if err := plan.check(); err != nil {
		return ApplyResult{}, err.about(OpApply, "plan")
	}
	a := &tableApply{client: c, plan: &plan, o: o, outcomes: make([]StepOutcome, len(plan.Steps))}
	unlock, err := a.openState()
	if err != nil {
		return ApplyResult{}, err
	}
	defer unlock()
	before, err := c.Snapshot(ctx)
	if err != nil {
		return ApplyResult{}, err
	}
	if err := a.begin(before); err != nil {
		return ApplyResult{}, err
	}
	err = a.apply(ctx)
	return a.result(), err
}

// tableApply is the work of applying a plan.
type tableApply struct {
	client  *Client
	plan    *TablePlan
	o       ApplyOptions
	prior   TableState // what was applied before
	written TableState // what the file has
	before  map[ServiceID]*ServiceEntry

	requests []tableRequest
	touched  []int         // the requests that were made, or may have been
	outcomes []StepOutcome // of the steps
	drains   map[int]Drain // of the steps that drain
	isBack   bool          // something was taken back
	halfBack map[int]bool  // the steps that could not be taken back, or only in part
}

// begin decides which steps are to be made to the table as it is.
func (a *tableApply) begin(now Snapshot) error {
	made, stale := a.plan.progress(now)
	if len(stale) > 0 {
		return staleTable(stale, now)
	}
	a.before = now.byID()
	a.drains = map[int]Drain{}
	last := indexLast(&TableState{Drains: a.prior.Drains})
	for i := range a.plan.Steps {
		step := &a.plan.Steps[i]
		id := step.Change.ServiceID()
		if made[id] > 0 {
			made[id]--
			a.outcomes[i] = StepFound
		} else {
			n := len(a.requests)
			if a.requests = step.appendRequests(a.requests, i); len(a.requests) == n {
				a.outcomes[i] = StepMade // it drains, and all weights are 0
			}
		}
		if step.Drain > 0 {
			a.drains[i] = a.drainOf(step, a.outcomes[i], &last)
		}
	}
	return nil
}

func (a *tableApply) apply(ctx context.Context) error {
	if len(a.requests) == 0 {
		return a.writeState(ctx, a.stateAfter)
	}
	if err := a.writeState(ctx, a.stateDuring); err != nil {
		return err
	}
	seam.Step(ctx, "the kernel is changed")
	err := a.send(ctx)
	if err != nil && a.o.RollBack {
		err = errors.Join(err, a.rollBack(ctx))
	}
	seam.Step(ctx, "the kernel was changed")
	return errors.Join(err, a.writeState(ctx, a.stateAfter))
}

func (s Snapshot) byID() map[ServiceID]*ServiceEntry {
	all := make(map[ServiceID]*ServiceEntry, len(s.Services))
	for i := range s.Services {
		all[s.Services[i].ID] = &s.Services[i]
	}
	return all
}
