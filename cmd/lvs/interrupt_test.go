package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golvs/lvs"
)

// smallSite is a table that apply makes to largeSite in six steps.
const (
	smallSite = `version: 1
services:
- id: tcp://10.168.0.91:80
  scheduler: rr
  realServers:
  - {addr: "10.168.0.94:80", mode: dr, weight: 1}
  - {addr: "10.168.0.96:80", mode: dr, weight: 1}
- {id: udp://10.168.0.91:53, scheduler: rr}
`
	largeSite = webSite + `- id: udp://10.168.0.91:53
  scheduler: rr
  realServers:
  - {addr: "10.168.0.94:53", mode: dr}
  - {addr: "10.168.0.95:53", mode: dr}
`
)

// largeSteps are the operations of the steps from smallSite to largeSite, in their order.
var largeSteps = []lvs.Op{lvs.OpAddRealServer, lvs.OpAddRealServer, lvs.OpAddRealServer, lvs.OpUpdateService, lvs.OpUpdateRealServer, lvs.OpRemoveRealServer}

// small returns a simulated kernel that has smallSite.
func small(t *testing.T, o lvs.SimOptions) (context.Context, *lvs.Simulator) {
	t.Helper()
	ctx, sim := onSimulator(t, o)
	runWith(ctx, smallSite, "apply", "-netns", "blue", "-").want(t, 2)
	return ctx, sim
}

// strikeAt injects a fault into a step to largeSite.
func strikeAt(t *testing.T, sim *lvs.Simulator, step int, f lvs.SimFault) {
	t.Helper()
	f.Op = largeSteps[step]
	for _, op := range largeSteps[:step] {
		if op == f.Op {
			if err := sim.Inject(lvs.SimFault{Op: op, Before: func() {}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := sim.Inject(f); err != nil {
		t.Fatal(err)
	}
}

// Wherever apply is interrupted, it says what it leaves, and the next run does the rest.
// With -rollback, nothing is left.
func TestApplyInterrupted(t *testing.T) {
	for step := range largeSteps {
		for _, rollback := range []bool{false, true} {
			ctx, sim := small(t, lvs.SimOptions{})
			before := readTable(t, sim.Client())
			args := []string{"apply", "-netns", "blue", "-state", filepath.Join(t.TempDir(), "state"), "-"}
			first := args
			if rollback {
				first = append(args, "-rollback")
			}
			short, cancel := context.WithCancel(ctx)
			strikeAt(t, sim, step, lvs.SimFault{Before: cancel, LoseReply: true})
			got := runWith(short, largeSite, first...)
			after := readTable(t, sim.Client())
			switch {
			case !rollback:
				got.want(t, 1, " unknown", "unknown: ", "lvs: interrupted: what is done stays, and the same command does the rest\n")
			case !sameTable(before, after):
				t.Errorf("step %d left\n%v\nof\n%v", step, after, before)
				fallthrough
			default:
				got.want(t, 1, " taken back", "lvs: interrupted: what was done was taken back, and the table is as before\n")
			}
			if rollback || step < len(largeSteps)-1 { // the last step was made, and that was not known
				runWith(ctx, largeSite, args...).want(t, 2)
			}
			runWith(ctx, largeSite, args...).want(t, 0, "nothing to do")
		}
	}
}

// sameTable reports whether both tables have the same in any order.
func sameTable(a, b lvs.Snapshot) bool {
	plan, err := lvs.Diff(a.Table(), b.Table(), lvs.TableOptions{Scope: lvs.ScopeAll(), Prune: true})
	return err == nil && !plan.HasChanges()
}

// Before the first change, an interrupt changes nothing.
func TestInterruptedBefore(t *testing.T) {
	for _, command := range []string{"apply", "restore"} {
		for _, op := range []lvs.Op{lvs.OpListServices, lvs.OpListRealServers} {
			ctx, sim := small(t, lvs.SimOptions{})
			before := readTable(t, sim.Client())
			short, cancel := context.WithCancel(ctx)
			if err := sim.Inject(lvs.SimFault{Op: op, Before: cancel, LoseReply: true}); err != nil {
				t.Fatal(err)
			}
			runWith(short, largeSite, command, "-netns", "blue", "-").want(t, 1, "lvs: interrupted: nothing was changed")
			if after := readTable(t, sim.Client()); !sameTable(before, after) {
				t.Errorf("%s: %v", command, after)
			}
		}
	}
}

// While apply waits for drains, an interrupt leaves them to the next run.
func TestApplyInterruptedDraining(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		ctx, sim := onSimulator(t, lvs.SimOptions{Clock: time.Now})
		runWith(ctx, webSite, "apply", "-netns", "blue", "-").want(t, 2)
		for _, client := range []string{"192.0.2.1:1000", "192.0.2.1:1001", "192.0.2.1:1002", "192.0.2.1:1003"} {
			if _, err := sim.Connect(lvs.Flow{Client: addrPort(client), VIP: addrPort("10.168.0.91:80")}); err != nil {
				t.Fatal(err)
			}
		}
		state := filepath.Join(dir, "state")
		args := []string{"apply", "-netns", "blue", "-state", state, "-drain", "1m", "-rollback", "-"}
		short, cancel := context.WithCancel(ctx)
		time.AfterFunc(5*time.Second, cancel)
		less := strings.Replace(webSite, `  - {addr: "10.168.0.95:80", mode: dr}`+"\n", "", 1)
		runWith(short, less, args...).want(t, 1, "1 drain began", "draining until", "-state "+state, "lvs: interrupted: what is done stays, and what drains is not removed\n")
		if read, err := lvs.ReadTableState(state); err != nil || len(read.Drains) != 1 {
			t.Errorf("%v, %v", read, err)
		}
		if err := sim.Inject(lvs.SimFault{Op: lvs.OpRemoveRealServer, Delay: 2 * time.Second}); err != nil { // nothing cuts it off
			t.Fatal(err)
		}
		runWith(ctx, less, args...).want(t, 2, "removed after 1m0s")
		runWith(ctx, less, args...).want(t, 0, "nothing to do")
	})
}

// Wherever setup is interrupted, it takes back what it did, and leaves no plan. Undo leaves
// the plan for the next undo.
func TestSetupIsInterrupted(t *testing.T) {
	for _, resource := range []lvs.Resource{lvs.Sysctl{}, lvs.Address{}, lvs.Route{}} {
		ctx, sim := site(t)
		plan := filepath.Join(t.TempDir(), "plan")
		args := []string{"setup", "dr-director", "-vip", "10.168.0.91", "-interface", "eth0", "-forward", "-plan", plan}
		before := runWith(ctx, "", args...).out
		interrupted := func(action string) ran {
			short, cancel := context.WithCancel(ctx)
			defer cancel()
			if err := sim.InjectHost(lvs.SimHostFault{Resource: resource, Before: cancel}); err != nil {
				t.Fatal(err)
			}
			return runWith(short, "", append(args, action)...)
		}
		if _, isLast := resource.(lvs.Route); !isLast { // a step in progress is finished
			interrupted("apply").want(t, 1, "lvs: interrupted: ", "taken back, and the host is as before")
			if after := runWith(ctx, "", args...).out; after != before {
				t.Errorf("after an interrupt at a %T:\n%s\nbefore:\n%s", resource, after, before)
			}
			if _, err := os.Stat(plan); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the plan is there: %v", err)
			}
		}
		runWith(ctx, "", append(args, "apply")...).want(t, 2, "# applied")
		if _, isLast := resource.(lvs.Sysctl); !isLast {
			interrupted("undo").want(t, 1, "lvs: interrupted: ", "undo again, which reads "+plan)
		}
		runWith(ctx, "", append(args, "undo")...).want(t, 2, "# undone")
		if after := runWith(ctx, "", args...).out; after != before {
			t.Errorf("after undo:\n%s\nbefore:\n%s", after, before)
		}
	}
}
