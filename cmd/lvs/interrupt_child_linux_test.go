package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/golvs/lvs"
)

// childName is the name of a process that runs the program and sends itself a signal, as a
// terminal or another program does.
const childName = "lvs-child"

// childJob says what happens in the child: "SIGNAL TIMES PLACE".
const childJob = "LVS_TEST_CHILD"

// child runs the program, on a simulated host that has smallSite. If the place is a number,
// it is a real host, and the number that of a countdown.
func child() int {
	signal, rest, _ := strings.Cut(os.Getenv(childJob), " ")
	times, place, _ := strings.Cut(rest, " ")
	number, _ := strconv.Atoi(signal)
	ctx := interruptible(context.Background())
	interrupt := func() {
		_ = syscall.Kill(os.Getpid(), syscall.Signal(number))
		<-ctx.Done()
		for times != "1" {
			_ = syscall.Kill(os.Getpid(), syscall.Signal(number)) // until it ends the process
			time.Sleep(time.Millisecond)
		}
	}
	if nth, err := strconv.Atoi(place); err == nil { // in the kernel
		return launch(newCountdown(ctx, nth, interrupt), os.Args)
	}
	sim, err := lvs.NewSimulator(lvs.SimOptions{Clock: time.Now})
	if err != nil {
		panic(err)
	}
	on := lvs.WithSimulators(ctx, map[string]*lvs.Simulator{"blue": sim})
	if got := runWith(on, smallSite, "apply", "-netns", "blue", "-"); got.status != 2 {
		panic(got)
	}
	for _, client := range []string{"192.0.2.1:1000", "192.0.2.1:1001"} { // one on each real server
		if _, err := sim.Connect(lvs.Flow{Client: addrPort(client), VIP: addrPort("10.168.0.91:80")}); err != nil {
			panic(err)
		}
	}
	for _, err := range childFaults(sim, place, interrupt) {
		if err != nil {
			panic(err)
		}
	}
	return launch(on, os.Args)
}

// childFaults interrupts the program at a place.
func childFaults(sim *lvs.Simulator, place string, interrupt func()) []error {
	at := lvs.SimFault{Before: interrupt}
	switch place {
	case "step":
		at.Op = lvs.OpUpdateService
	case "back":
		at.Op = lvs.OpRemoveRealServer
		return []error{sim.Inject(at), sim.Inject(lvs.SimFault{Op: lvs.OpUpdateService, Errno: lvs.ENOENT})}
	case "drain": // the test sends the signal
		return nil
	case "setup":
		return []error{sim.InjectHost(lvs.SimHostFault{Resource: lvs.Address{}, Before: interrupt})}
	}
	return []error{sim.Inject(at)}
}

// runChild runs the program in a process of its own.
func runChild(t *testing.T, in string, signal syscall.Signal, times int, place string, args ...string) (ran, syscall.WaitStatus) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(ctx, self)
	c.Args = append([]string{childName}, args...)
	c.Env = append(os.Environ(), fmt.Sprintf("%s=%d %d %s", childJob, signal, times, place))
	var errs strings.Builder
	out := &watched{text: "drain began", seen: func() { _ = c.Process.Signal(signal) }}
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(in), out, &errs
	err = c.Run()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	return ran{args, c.ProcessState.ExitCode(), out.String(), errs.String()}, c.ProcessState.Sys().(syscall.WaitStatus)
}

// watched calls a function when a text is written.
type watched struct {
	strings.Builder
	text string
	seen func()
}

func (w *watched) Write(text []byte) (int, error) {
	if strings.Contains(string(text), w.text) {
		w.seen()
	}
	return w.Builder.Write(text)
}

// The first signal lets a command take back what it does, or say what it leaves, and the
// second ends it at once. The state file has what the program owns in both cases.
func TestSignals(t *testing.T) {
	for place, says := range map[string]string{
		"step":  "lvs: interrupted: what was done was taken back",
		"drain": "lvs: interrupted: what is done stays, and what drains is not removed",
		"setup": "lvs: interrupted: ",
	} {
		for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
			for _, times := range []int{1, 2} {
				file := filepath.Join(t.TempDir(), "file")
				args := []string{"apply", "-netns", "blue", "-state", file, "-rollback", "-drain", "1h", "-"}
				if place == "setup" {
					args = []string{"setup", "dr-server", "-netns", "blue", "-vip", "10.168.0.91", "-plan", file, "apply"}
				}
				if place == "drain" && times == 2 {
					continue // it may have ended before the second
				}
				got, status := runChild(t, largeSite, signal, times, place, args...)
				if times == 1 {
					got.want(t, 1, says)
				} else if !status.Signaled() || status.Signal() != signal {
					t.Errorf("the second %v at %s: %s", signal, place, got)
				}
				switch _, err := os.Stat(file); {
				case place != "setup":
					wantOwned(t, file)
				case times == 1 && !errors.Is(err, fs.ErrNotExist), times == 2 && err != nil:
					t.Errorf("the plan after %d times %v: %v", times, signal, err)
				}
			}
		}
	}
}

// While a rollback is under way, a signal ends it at once; until then it was not
// interrupted.
func TestSignalsRollback(t *testing.T) {
	for _, times := range []int{1, 2} {
		file := filepath.Join(t.TempDir(), "state")
		got, status := runChild(t, largeSite, syscall.SIGINT, times, "back", "apply", "-netns", "blue", "-state", file, "-rollback", "-")
		if times == 1 {
			got.want(t, 1, "what was done was taken back, and the table is as before")
		} else if !status.Signaled() {
			t.Error(got)
		}
		wantOwned(t, file)
	}
}

// wantOwned reports an error unless a state file is whole.
func wantOwned(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
	if _, err := lvs.ReadTableState(path); err != nil {
		t.Error(err)
	}
}
