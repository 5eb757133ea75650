package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// guardName is the name that this binary is started by as a guard: a process
// that cleans up after a runner that was killed without a chance to do so.
const guardName = "lvs-kernel-guard"

const runPrefix = "lvs-kernel-"

// A guard is the runner's side.
type guard struct {
	cmd *exec.Cmd
	w   io.WriteCloser
}

// startGuard starts the guard of a run's folder.
func startGuard(self, dir string) (*guard, error) {
	cmd := exec.Command(self, dir)
	cmd.Args[0] = guardName
	// Out of reach of Ctrl-C, and of the terminal's end.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Dir = "/"
	w, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the guard: %w", err)
	}
	return &guard{cmd: cmd, w: w}, nil
}

// watch gives the guard the session of the kernel's processes.
func (g *guard) watch(pid int) { fmt.Fprintln(g.w, pid) }

// dismiss ends the guard when everything has been cleaned up.
func (g *guard) dismiss() {
	fmt.Fprintln(g.w, "done")
	g.w.Close()
	_ = g.cmd.Wait()
}

// guardMain is the guard: it reads process groups from the runner until the
// runner says that it is done, or is gone.
func guardMain(dir string, r io.Reader) int {
	if !strings.HasPrefix(filepath.Base(dir), runPrefix) {
		return exitRunner
	}
	var groups []int
	s := bufio.NewScanner(r)
	for s.Scan() {
		var pid int
		if s.Text() == "done" {
			return 0
		}
		if n, err := fmt.Sscan(s.Text(), &pid); n == 1 && err == nil && pid > 1 {
			groups = append(groups, pid)
		}
	}
	for _, pid := range groups {
		_ = unix.Kill(-pid, unix.SIGKILL)
	}
	os.RemoveAll(dir)
	return 0
}
