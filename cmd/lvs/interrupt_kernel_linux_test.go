package main

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/golvs/lvs/internal/testbed"
)

// countdown is a context that calls a function when it is asked for the nth time whether it
// has ended. That reaches each place where work can be interrupted.
type countdown struct {
	context.Context
	left *atomic.Int64
	end  func()
}

func newCountdown(ctx context.Context, nth int, end func()) countdown {
	c := countdown{ctx, new(atomic.Int64), end}
	c.left.Store(int64(nth))
	return c
}

func (c countdown) Err() error {
	if c.left.Add(-1) == 0 {
		c.end()
	}
	return c.Context.Err()
}

// In a real kernel too, wherever a signal interrupts apply, and even where a second one ends
// the process, the next run does the rest. With -rollback, the first one leaves nothing.
func TestSignalsKernel(t *testing.T) {
	_, netns := kernel(t)
	if !testbed.IsNewest() {
		return // the others start programs slowly, and are tested without processes
	}
	state := filepath.Join(t.TempDir(), "state")
	args := []string{"apply", "-netns", ofTest(netns), "-state", state, "-"}
	reset := func() {
		t.Helper()
		if got := run(t, smallSite, append(args, "-max-removal", "1")...); got.status == 1 {
			t.Fatal(got)
		}
	}
	reset()
	before := run(t, "", "save", "-netns", netns).out
	for _, test := range []struct {
		times, first int // before the first place, nothing has begun
		flags        []string
	}{{1, 1, []string{"-rollback"}}, {1, 7, nil}, {2, 7, nil}} {
		interrupted := 0
		for nth := test.first; ; nth++ {
			got, status := runChild(t, largeSite, syscall.SIGINT, test.times, strconv.Itoa(nth), append(args, test.flags...)...)
			if got.status == 2 {
				break
			}
			after := run(t, "", "save", "-netns", netns).out
			switch isLeft := after != before; {
			case test.times == 1 && (got.status != 1 || !strings.Contains(got.errs, "lvs: interrupted: ") || isLeft && test.flags != nil):
				t.Errorf("at %d: %s\nleft\n%s", nth, got, after)
			case test.times == 2 && !status.Signaled():
				t.Errorf("at %d: %s", nth, got)
			case isLeft, strings.Contains(got.errs, "taken back"):
				interrupted++
			}
			if got := run(t, largeSite, args...); got.status == 1 {
				t.Errorf("after %d: %s", nth, got)
			}
			run(t, largeSite, args...).want(t, 0, "nothing to do")
			reset()
		}
		if interrupted == 0 {
			t.Error("nothing was interrupted in the middle")
		}
		reset()
	}
}

// At whatever point setup is interrupted in a kernel, the host is as before and no plan is
// left, or else all is done.
func TestSetupIsInterruptedKernel(t *testing.T) {
	_, netns := addressed(t)
	stride := 2
	if !testbed.IsNewest() {
		stride = 11
	}
	plan := filepath.Join(t.TempDir(), "plan")
	args := []string{"setup", "dr-server", "-vip", "10.168.0.91", "-netns", netns, "-plan", plan}
	before := run(t, "", args...).out
	interrupted := 0
	for nth := 1; ; nth += stride {
		ctx, cancel := context.WithCancel(t.Context())
		got := runWith(newCountdown(ctx, nth, cancel), "", append(args, "apply")...)
		cancel()
		if got.status == 2 {
			break
		}
		_, err := os.Stat(plan)
		if after := run(t, "", args...).out; after != before || err == nil || got.status != 1 {
			t.Fatalf("at %d: %s\nleft\n%s\nand %v", nth, got, after, err)
		}
		if strings.Contains(got.errs, "taken back") {
			interrupted++
		}
	}
	if interrupted == 0 {
		t.Error("nothing was interrupted in the middle")
	}
	run(t, "", append(args, "undo")...).want(t, 2)
	if after := run(t, "", args...).out; after != before {
		t.Errorf("undo left\n%s", after)
	}
}
