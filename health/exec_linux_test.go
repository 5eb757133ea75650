package health

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// sh returns a probe that runs a script of the shell, which stands for a user's program.
func sh(script string, share ExecShare) Exec {
	return Exec{Path: "/bin/sh", Args: []string{"-c", script}, Share: share}
}

func TestExec(t *testing.T) {
	target := Target{Service: web, Server: rip(1), Addr: rip(1)}
	for _, c := range []struct {
		name  string
		probe Exec
		want  Answer
		err   string // "" for none
	}{
		{"success", sh("exit 0", ""), Answer{}, ""},
		{"failure with its reason", sh("echo no database; exit 3", ""), Answer{}, `/bin/sh exited with status 3: "no database"`},
		{"environment", sh(`[ "$LVS_ADDR:$LVS_PORT $LVS_SERVER $LVS_SERVICE $HOME" = "10.1.0.1:80 10.1.0.1:80 tcp://10.168.0.91:80 " ]`, ""), Answer{}, ""},
		{"own environment", Exec{Path: "/bin/sh", Args: []string{"-c", `[ "$MODE" = x ]`}, Env: []string{"MODE=x"}}, Answer{}, ""},
		{"no input", sh("! read x", ""), Answer{}, ""},
		{"status 0", sh("exit 0", ByStatus), Answer{}, ""},
		{"status 1", sh("exit 1", ByStatus), Answer{}, "status 1"},
		{"status 2", sh("exit 2", ByStatus), Answer{Reported: true}, ""},
		{"status 52", sh("exit 52", ByStatus), Answer{Share: 0.5, Reported: true}, ""},
		{"status of a weight", Exec{Path: "/bin/sh", Args: []string{"-c", "exit 7"}, Share: ByStatus, Whole: 12}, Answer{Share: 0.5, Reported: true}, ""},
		{"status above a weight", Exec{Path: "/bin/sh", Args: []string{"-c", "exit 255"}, Share: ByStatus, Whole: 3}, Answer{Share: 253, Reported: true}, ""},
		{"line", sh("echo ' 50% '; echo 20%", ByLine), Answer{Share: 0.5, Reported: true}, ""},
		{"line drain", sh("echo DRAIN", ByLine), Answer{Reported: true}, ""},
		{"line up", sh("echo up", ByLine), Answer{}, ""},
		{"line down", sh("echo 'down # no database'", ByLine), Answer{}, `it says "down # no database"`},
		{"line of another kind", sh("echo hello", ByLine), Answer{}, `"hello" is not up, ready, drain, maint, down, fail or stopped, and "hello" is not a share`},
		{"killed", sh("kill -9 $$", ""), Answer{}, "signal: killed"},
		{"much output", sh("head -c 10000000 /dev/zero", ""), Answer{}, ""},
		{"missing", Exec{Path: "/nowhere/check"}, Answer{}, "cannot start /nowhere/check"},
	} {
		t.Run(c.name, func(t *testing.T) {
			answer, err := c.probe.Probe(t.Context(), target)
			if answer != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("got %+v, %v; want %+v, %q", answer, err, c.want, c.err)
			}
		})
	}
}

// What a program leaves behind is ended with it, also when its context ends.
func TestExecLeavesNothing(t *testing.T) {
	for _, c := range []struct{ name, script string }{
		{"when the context ends", `trap "" TERM; sh -c 'trap "" TERM; echo $$ > %; sleep 60; sleep 60' & wait`},
		{"that holds the output", `sh -c 'echo $$ > %; sleep 60; sleep 60' & while ! [ -s % ]; do sleep 0.01; done; exit 0`},
		{"an endless output", `echo $$ > %; while :; do echo x; done`},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "pid")
			held := c.name == "that holds the output"
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var waiting sync.WaitGroup
			if !held {
				waiting.Go(func() { begun(t, file); cancel() })
			}
			_, err := sh(strings.ReplaceAll(c.script, "%", file), "").Probe(ctx, Target{})
			waiting.Wait()
			if held != (err == nil) || !held && !errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
			gone(t, pidIn(t, file))
		})
	}
}

// A process that leaves the group does not delay the probe, although it holds the output.
func TestExecDoesNotWaitForDaemons(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second) // less than the daemon sleeps
	defer cancel()
	script := strings.ReplaceAll(`setsid sh -c 'echo $$ > %; exec sleep 60' & while ! [ -s % ]; do sleep 0.01; done`, "%", file)
	if _, err := sh(script, "").Probe(ctx, Target{}); err != nil {
		t.Error(err)
	}
	if err := syscall.Kill(pidIn(t, file), syscall.SIGKILL); err != nil {
		t.Errorf("the daemon does not run: %v", err)
	}
}

func pidIn(t *testing.T, file string) int {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// begun waits until a program has written its number into a file.
func begun(t *testing.T, file string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		if text, err := os.ReadFile(file); err == nil && strings.HasSuffix(string(text), "\n") {
			return
		}
		if time.Now().After(end) {
			t.Error("the program does not start")
			return
		}
	}
}

// gone waits until a process does not run any more.
func gone(t *testing.T, pid int) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); running(pid); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("process %d is left", pid)
		}
	}
}

// TestExecParent is the program that TestExecEndsWithUs kills, and nothing otherwise.
func TestExecParent(t *testing.T) {
	file := os.Getenv("HEALTH_TEST_PID_FILE")
	if file == "" {
		return
	}
	_, err := sh("echo $$ > "+file+"; exec sleep 60", "").Probe(t.Context(), Target{})
	t.Fatal(err)
}

// A program is killed when the one that probes is, even by SIGKILL.
func TestExecEndsWithUs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	parent := exec.Command(os.Args[0], "-test.run=^TestExecParent$")
	parent.Env = append(os.Environ(), "HEALTH_TEST_PID_FILE="+file)
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	begun(t, file)
	_ = parent.Process.Kill()
	_ = parent.Wait()
	gone(t, pidIn(t, file))
}

// A program has no descriptors but its standard streams.
func TestExecInheritsNothing(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "open"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	answer, err := sh("[ ! -e /proc/$$/fd/"+strconv.Itoa(int(file.Fd()))+" ]", "").Probe(t.Context(), Target{})
	if err != nil {
		t.Errorf("%+v, %v", answer, err)
	}
}

// TestExecSoak holds that programs that end, fail, hang and print for ever leave no
// processes, descriptors or goroutines.
func TestExecSoak(t *testing.T) {
	scripts := []string{"exit 0", "exit 3", "sleep 60 & sleep 60", "while :; do echo x; done", "sleep 60 & exit 0", "kill -9 $$"}
	once := func() {
		var all sync.WaitGroup
		for _, script := range scripts {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
				defer cancel()
				_, _ = sh(script, "").Probe(ctx, Target{})
			})
		}
		all.Wait()
	}
	once()
	before := left(t)
	for range 20 {
		once()
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		after := left(t)
		if after.goroutines <= before.goroutines && after.descriptors <= before.descriptors && after.children == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("before %+v, after %+v", before, after)
		}
	}
}

// remains is what programs can leave in this one.
type remains struct{ goroutines, descriptors, children int }

func left(t *testing.T) remains {
	t.Helper()
	descriptors, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	tasks, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil || len(tasks) == 0 {
		t.Fatalf("%v, %d tasks", err, len(tasks))
	}
	children := 0
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if err == nil { // otherwise the thread has ended
			children += len(strings.Fields(string(text)))
		}
	}
	return remains{runtime.NumGoroutine(), len(descriptors), children}
}

// running reports whether a process runs, and is not a zombie that its parent has to
// collect.
func running(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	_, rest, _ := strings.Cut(string(text), ") ")
	return err == nil && !strings.HasPrefix(rest, "Z")
}

// A program waits for others when too many run, no longer than its check does.
func TestExecWaits(t *testing.T) {
	for range mostPrograms {
		slots <- struct{}{}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := sh("exit 0", "").Probe(ctx, Target{})
	for range mostPrograms {
		<-slots
	}
	if err == nil || !strings.Contains(err.Error(), "was not started, because 1000 programs were running") {
		t.Errorf("error %v", err)
	}
	if _, err := sh("exit 0", "").Probe(t.Context(), Target{}); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestFile(t *testing.T) {
	dir, write := writer(t)
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	write("10.1.0.1", "25%\n")
	for _, c := range []struct {
		name  string
		probe File
		want  Answer
		err   string
	}{
		{"empty", File{Path: write("empty", "")}, Answer{}, ""},
		{"up", File{Path: write("up", "up\nmore")}, Answer{}, ""},
		{"down", File{Path: write("down", "down")}, Answer{}, `down: it says "down"`},
		{"drain", File{Path: write("drain", "drain\n")}, Answer{Reported: true}, ""},
		{"of the server", File{Path: dir + "/{server}"}, Answer{Share: 0.25, Reported: true}, ""},
		{"missing", File{Path: dir + "/none"}, Answer{}, "no such file"},
		{"missing and works", File{Path: dir + "/none", Missing: true}, Answer{}, ""},
		{"a pipe", File{Path: pipe}, Answer{}, "is not a regular file"},
		{"a device", File{Path: "/dev/zero"}, Answer{}, "is not a regular file"},
		{"large", File{Path: write("large", strings.Repeat("x", 1<<20))}, Answer{}, "is not up, ready, drain"},
	} {
		t.Run(c.name, func(t *testing.T) {
			answer, err := c.probe.Probe(t.Context(), Target{Server: rip(1)})
			if answer != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("got %+v, %v; want %+v, %q", answer, err, c.want, c.err)
			}
		})
	}
}
