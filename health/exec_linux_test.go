package health

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
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
		{"line", sh("echo ' 50% '; echo 20%", ByLine), Answer{Share: 0.5, Reported: true}, ""},
		{"line drain", sh("echo DRAIN", ByLine), Answer{Reported: true}, ""},
		{"line up", sh("echo up", ByLine), Answer{}, ""},
		{"line down", sh("echo down", ByLine), Answer{}, "it says that it is down"},
		{"line of another kind", sh("echo hello", ByLine), Answer{}, `"hello" is not up, down or drain`},
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

// What a program leaves behind is ended with it, at its deadline and before.
func TestExecLeavesNothing(t *testing.T) {
	for _, c := range []struct{ name, script string }{
		{"at the deadline", `trap "" TERM; sh -c 'trap "" TERM; echo $$ > %; sleep 60; sleep 60' & wait`},
		{"that holds the output", `sh -c 'echo $$ > %; sleep 60; sleep 60' & while ! [ -s % ]; do sleep 0.01; done; exit 0`},
		{"an endless output", `echo $$ > %; while :; do echo x; done`},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "pid")
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := sh(strings.ReplaceAll(c.script, "%", file), "").Probe(ctx, Target{})
			if held := c.name == "that holds the output"; held != (err == nil) || !held && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error %v", err)
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
			if err != nil {
				t.Fatal(err)
			}
			for end := time.Now().Add(10 * time.Second); running(pid); time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("process %d is left", pid)
				}
			}
		})
	}
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

func TestFile(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
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
		{"down", File{Path: write("down", "down")}, Answer{}, "it says that it is down"},
		{"drain", File{Path: write("drain", "drain\n")}, Answer{Reported: true}, ""},
		{"of the server", File{Path: dir + "/{server}"}, Answer{Share: 0.25, Reported: true}, ""},
		{"missing", File{Path: dir + "/none"}, Answer{}, "no such file"},
		{"missing and works", File{Path: dir + "/none", Missing: true}, Answer{}, ""},
		{"a pipe", File{Path: pipe}, Answer{}, "is not a regular file"},
		{"a device", File{Path: "/dev/zero"}, Answer{}, "is not a regular file"},
		{"large", File{Path: write("large", strings.Repeat("x", 1<<20))}, Answer{}, "is not up, down or drain"},
	} {
		t.Run(c.name, func(t *testing.T) {
			answer, err := c.probe.Probe(t.Context(), Target{Server: rip(1)})
			if answer != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("got %+v, %v; want %+v, %q", answer, err, c.want, c.err)
			}
		})
	}
}

func FuzzShareOfLine(f *testing.F) {
	for _, line := range []string{"up", "down", "drain", "50%", "NaN%", "-1%", "1e400%", ""} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if a, err := shareOfLine(line); !(a.Share >= 0 && a.Share <= mostShare) || err != nil && a.Reported {
			t.Errorf("%q: %+v, %v", line, a, err)
		}
	})
}
