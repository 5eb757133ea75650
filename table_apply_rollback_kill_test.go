package lvs

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/golvs/lvs/internal/seam"
	"github.com/golvs/lvs/internal/testbed"
)

// A program that takes a plan of 200 changes back is killed at each step, and whatever is
// back by then, the next run makes the table what is wanted and has forgotten nothing.
func TestApplyTableRollBackKilled(t *testing.T) {
	for _, tt := range []struct {
		drain time.Duration
		every int
		lives bool
	}{
		{time.Hour, 19, false}, {0, 23, false}, {time.Hour, 61, true}, {0, 61, true},
	} {
		sim, err := NewSimulator(SimOptions{})
		must(t, err)
		g := &killGround{t: t, client: sim.Client(), file: filepath.Join(t.TempDir(), "state.json"), drain: tt.drain}
		g.killEachBack(sim, cmp.Or(*applyKills, testbed.Stride()*tt.every), tt.lives)
	}
}

// killEachBack has the last change of plans fail. The program is killed at steps of
// taking back.
func (g *killGround) killEachBack(sim *Simulator, every int, lives bool) {
	g.t.Helper()
	g.reset()
	before, err := g.client.Snapshot(g.t.Context())
	must(g.t, err)
	plan := g.plan()
	begin, end := g.takeBack(sim, plan, 0, lives)
	if n := len(plan.Changes()); n < killChanges || end-begin < n {
		g.t.Fatalf("%d changes are taken back in %d steps", n, end-begin)
	}
	now, err := g.client.Snapshot(g.t.Context())
	must(g.t, err)
	s, err := ReadTableState(g.file)
	must(g.t, err)
	if !sameInAnyOrder(now.Table(), before.Table()) || !sameInAnyOrder(s.Applied, killBefore()) || s.Drains != nil {
		g.t.Errorf("without a kill, the kernel has\n%v\nand we own\n%v\nwith the drains %v", now.Table(), s.Applied, s.Drains)
	}
	for at := begin + 1; at <= end && !g.t.Failed(); at += every {
		g.reset()
		g.takeBack(sim, g.plan(), at, lives)
		what := fmt.Sprintf("killed at step %d of %d", at, end)
		begun := g.begun()
		g.complete(what, TablePlan{}, false)
		g.goOn(what, begun)
	}
}

// takeBack has a plan applied until its last change, which fails, and taken back until a
// step, at which the program is killed. It returns after how many steps that began and
// ended.
func (g *killGround) takeBack(sim *Simulator, plan TablePlan, at int, lives bool) (begin, end int) {
	g.t.Helper()
	k := &killer{at: int64(at), end: func() {}}
	client, err := newClient(g.t.Context(), k.dialer(sim.dial), orDiscard(nil))
	must(g.t, err)
	defer client.Close()
	ctx := seam.WithStep(g.t.Context(), func(name string) {
		if k.step(name); k.changing.Load() {
			k.failAt = k.steps.Load() + int64(len(plan.Changes()))
		}
		if k.isOver() && !lives {
			runtime.Goexit()
		}
	})
	done := make(chan error, 1)
	go func() {
		defer close(done)
		_, err := client.ApplyTable(ctx, plan, ApplyOptions{StateFile: g.file, RollBack: true})
		done <- err
	}()
	if err, returned := <-done; returned && (!errors.Is(err, errKilled) || at > 0 && !lives) {
		g.t.Fatalf("to be interrupted at step %d, it returned %v", at, err)
	}
	return int(k.failAt), int(k.steps.Load())
}
