package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs"
)

var (
	webID = lvs.MustParseServiceID("tcp://10.168.0.91:80")
	dnsID = lvs.MustParseServiceID("udp://10.168.0.91:53")
)

// Whichever step the kernel refuses, -rollback leaves the table as it was, and says so.
// Without it the others are made, and the steps that were not are listed.
func TestRollback(t *testing.T) {
	for step := range largeSteps {
		for _, answer := range []lvs.Errno{lvs.ENOENT, lvs.ENOMEM, lvs.EEXIST} {
			ctx, sim := small(t, lvs.SimOptions{})
			before := readTable(t, sim.Client())
			args := []string{"apply", "-netns", "blue", "-state", filepath.Join(t.TempDir(), "state"), "-"}
			strikeAt(t, sim, step, lvs.SimFault{Errno: answer})
			runWith(ctx, largeSite, append(args, "-rollback")...).want(t, 1, "refused", "("+answer.Error()+")", "as before\n")
			if after := readTable(t, sim.Client()); !sameTable(before, after) {
				t.Errorf("%v of step %d left\n%v\nof\n%v", answer, step, after, before)
			}
			strikeAt(t, sim, step, lvs.SimFault{Errno: answer})
			runWith(ctx, largeSite, args...).want(t, 1, "1 refused", "\nrefused: ", "What is done stays", "-rollback would have taken it back\n")
			runWith(ctx, largeSite, args...).want(t, 2)
			runWith(ctx, largeSite, args...).want(t, 0, "nothing to do")
		}
	}
}

// What cannot be taken back is listed, all of it.
func TestRollbackFails(t *testing.T) {
	ctx, sim := small(t, lvs.SimOptions{})
	strikeAt(t, sim, 5, lvs.SimFault{Errno: lvs.ENOMEM})
	if err := sim.Inject(lvs.SimFault{Op: lvs.OpRemoveRealServer, Times: 2, Errno: lvs.EBUSY}); err != nil {
		t.Fatal(err)
	}
	got := runWith(ctx, largeSite, "apply", "-netns", "blue", "-rollback", "-")
	got.want(t, 1, "2 steps made, 1 refused, 3 taken back",
		"\nmade: + udp://10.168.0.91:53 -> 10.168.0.95:53 dr weight 1\n", "\nmade: + udp://10.168.0.91:53 -> 10.168.0.94:53 dr weight 1\n",
		"not everything could be taken back", "the steps above are left")
	left := strings.Replace(smallSite, "{id: udp://10.168.0.91:53, scheduler: rr}", `{id: udp://10.168.0.91:53, scheduler: rr, realServers: [{addr: "10.168.0.94:53"}, {addr: "10.168.0.95:53"}]}`, 1)
	runWith(ctx, left, "plan", "-netns", "blue", "-").want(t, 0, "nothing to do")
	runWith(ctx, largeSite, "apply", "-netns", "blue", "-rollback", "-").want(t, 2)
}

// What another program does to the same thing at that time stays, and is named.
func TestRollbackBesideAnotherProgram(t *testing.T) {
	ctx, sim := small(t, lvs.SimOptions{})
	strikeAt(t, sim, 2, lvs.SimFault{Before: func() {
		other := lvs.RealServer{Addr: addrPort("10.168.0.95:53"), Mode: lvs.DR(), Weight: 9}
		if err := sim.Client().AddRealServer(ctx, dnsID, other); err != nil {
			t.Error(err)
		}
	}})
	runWith(ctx, largeSite, "apply", "-netns", "blue", "-rollback", "-").want(t, 1, "already exists (EEXIST)", "as before\n")
	servers := readTable(t, sim.Client()).Services
	if n := len(servers); n != 2 || len(servers[1].RealServers) != 1 || servers[1].RealServers[0].Weight != 9 {
		t.Errorf("%v", servers)
	}
}

// When another program changes the table between plan and apply, apply plans again, but
// not for ever, and a saved plan is refused.
func TestApplyPlansAgain(t *testing.T) {
	// race lets another program change a weight before the table is read, a few times
	// after it was read undisturbed.
	race := func(t *testing.T, sim *lvs.Simulator, undisturbed, times int) {
		t.Helper()
		weight := 20
		change := func() {
			weight++
			r := lvs.RealServer{Addr: addrPort("10.168.0.94:80"), Mode: lvs.DR(), Weight: weight}
			if err := sim.Client().UpdateRealServer(t.Context(), webID, r); err != nil {
				t.Error(err)
			}
		}
		for _, f := range []lvs.SimFault{{Times: undisturbed, Before: func() {}}, {Times: times, Before: change}} {
			f.Op = lvs.OpListServices
			if err := sim.Inject(f); err != nil {
				t.Fatal(err)
			}
		}
	}
	const again = "planning again"
	for _, command := range []string{"apply", "restore"} {
		before, status := 2, 2 // PlanTable reads the table, and what looks at -max-removal, before ApplyTable
		if command == "restore" {
			before, status = 1, 0
		}
		ctx, sim := small(t, lvs.SimOptions{})
		race(t, sim, before, 1)
		got := runWith(ctx, largeSite, command, "-netns", "blue", "-")
		got.want(t, status, again)
		if n := strings.Count(got.errs, again); n != 1 {
			t.Errorf("planned %d times again", n)
		}
		runWith(ctx, largeSite, "plan", "-netns", "blue", "-").want(t, 0, "nothing to do")

		ctx, sim = small(t, lvs.SimOptions{})
		race(t, sim, before, 1000)
		got = runWith(ctx, largeSite, command, "-netns", "blue", "-")
		got.want(t, 1, again, "nothing was changed")
		if n := strings.Count(got.errs, again); n != planAttempts-1 {
			t.Errorf("planned %d times again", n)
		}
	}
	ctx, sim := small(t, lvs.SimOptions{})
	saved := runWith(ctx, largeSite, "plan", "-netns", "blue", "-o", "json", "-")
	race(t, sim, 1, 1)
	got := runWith(ctx, saved.out, "apply", "-netns", "blue", "-")
	if got.want(t, 1, "lvs plan -o json", "nothing was changed"); strings.Contains(got.errs, again) {
		t.Error(got)
	}
}

// restoreText has everything that a save file can have.
const restoreText = twoServices + "--start-daemon master --mcast-interface eth0 --syncid 7\n"

// Restoring is all or nothing: whatever fails, the table, the timeouts and the sync daemons
// are as before.
func TestRestoreTakesBack(t *testing.T) {
	for _, op := range []lvs.Op{lvs.OpSetTimeouts, lvs.OpStartSyncDaemon, lvs.OpAddService, lvs.OpAddRealServer, lvs.OpRemoveService} {
		ctx, sim := onSimulator(t, lvs.SimOptions{Interfaces: []lvs.SimInterface{{Name: "eth0"}}})
		runWith(ctx, "-A -t 10.9.9.9:9 -s rr\n", "restore", "-netns", "blue", "-").want(t, 0, "1 step made\n")
		before := runWith(ctx, "", "save", "-netns", "blue").out
		if err := sim.Inject(lvs.SimFault{Op: op, Errno: lvs.ENOMEM}); err != nil {
			t.Fatal(err)
		}
		runWith(ctx, restoreText, "restore", "-netns", "blue", "-").want(t, 1, "(ENOMEM)")
		if after := runWith(ctx, "", "save", "-netns", "blue").out; after != before {
			t.Errorf("a failure of %q left\n%s\nof\n%s", op, after, before)
		}
		runWith(ctx, restoreText, "restore", "-netns", "blue", "-").want(t, 0, "6 steps made; timeouts set; 1 sync daemon started\n")
		runWith(ctx, restoreText, "restore", "-netns", "blue", "-").want(t, 0, "nothing to do\n")
		other := strings.Replace(restoreText, "syncid 7", "syncid 8", 1)
		runWith(ctx, other, "restore", "-netns", "blue", "-").want(t, 0, "runs already with other settings", "--stop-daemon master")
	}
}

// What could not be taken back is named.
func TestRestoreTakesBackInPart(t *testing.T) {
	ctx, sim := onSimulator(t, lvs.SimOptions{Interfaces: []lvs.SimInterface{{Name: "eth0"}}})
	for _, f := range []lvs.SimFault{{Op: lvs.OpAddService, Errno: lvs.ENOMEM}, {Op: lvs.OpStopSyncDaemon, Errno: lvs.EBUSY}} {
		if err := sim.Inject(f); err != nil {
			t.Fatal(err)
		}
	}
	runWith(ctx, restoreText, "restore", "-netns", "blue", "-").want(t, 1, "the master sync daemon could not be stopped again")
	if now, err := sim.Client().Timeouts(ctx); err != nil || now.TCP != 15*time.Minute {
		t.Errorf("%v, %v", now, err)
	}
}
