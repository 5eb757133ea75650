package lvs

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// Many goroutines set hosts in other namespaces up at once, and no thread of the
// process stays in one.
func TestHostLeavesNoThread(t *testing.T) {
	ctx := context.Background()
	setup := mustSetup(t, caseOf("DR real server"))
	var all []*Host
	for range 2 {
		_, h := setupGround(t)
		all = append(all, h)
	}
	before := threadsAway(t)
	errs := make(chan error)
	const each = 2
	for _, h := range all {
		for range each {
			go func() { errs <- planApplyUndo(ctx, h, setup) }()
		}
	}
	for range len(all) * each {
		must(t, <-errs)
	}
	var left []string
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		left = slices.DeleteFunc(threadsAway(t), func(thread string) bool { return slices.Contains(before, thread) })
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("threads were left in namespaces: %q", left)
		}
	}
}

// planApplyUndo takes any plan that others have just applied or undone for stale.
func planApplyUndo(ctx context.Context, h *Host, setup Setup) error {
	for range 2 {
		plan, err := h.Plan(ctx, setup)
		if err != nil {
			return err
		}
		if err := h.Apply(ctx, plan); err != nil && !errors.Is(err, ErrStale) {
			return err
		}
		if _, err := h.Undo(ctx, plan); err != nil {
			return err
		}
	}
	return nil
}

// threadsAway lists the threads of the process that are in other network
// namespaces than the first process: some tests leave theirs there.
func threadsAway(t *testing.T) (away []string) {
	t.Helper()
	home, err := os.Readlink("/proc/1/ns/net")
	must(t, err)
	links, err := filepath.Glob("/proc/self/task/*/ns/net")
	must(t, err)
	for _, l := range links {
		if there, err := os.Readlink(l); err == nil && there != home {
			away = append(away, l+" "+there)
		}
	}
	return away
}
