package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A machine is one run of a kernel.
type machine struct {
	opts   options
	kernel stored
	cmd    *exec.Cmd
	stdout io.Writer
	stderr io.Writer
	self   string // This binary.
	guard  *guard

	console tail
	copies  sync.WaitGroup
	ends    []*os.File // Our ends of the lines.
}

// The process is started by this thread, and gets a signal when the thread
// ends: main's thread lasts as long as the process.
func init() { runtime.LockOSThread() }

// run starts the kernel, carries its lines, and returns the exit status.
func (m *machine) run(ctx context.Context) (int, error) {
	if err := context.Cause(ctx); err != nil {
		return exitOf(err), err
	}
	control, err := m.start()
	if err != nil {
		return exitRunner, err
	}
	said := make(chan reportResult, 1)
	go func() {
		rep, err := readReport(control, m.seen)
		said <- reportResult{rep, err}
	}()
	ended := make(chan struct{})
	go func() { _ = m.cmd.Wait(); close(ended) }()

	var cause error
	select {
	case <-ended:
	case r := <-said:
		said <- r
		if r.rep.exited {
			m.waitOrKill(ended, 5*time.Second)
		} else {
			m.waitOrKill(ended, time.Second)
		}
	case <-ctx.Done():
		cause = context.Cause(ctx)
	}
	m.end(ctx)
	if cause != nil {
		return exitOf(cause), cause
	}
	<-ended // end has killed it.
	r := <-said
	return m.result(r)
}

type reportResult struct {
	rep report
	err error
}

// seen is called for each line of the guest's report.
func (m *machine) seen(r report) {
	if m.opts.verbose && r.release != "" && !r.started {
		fmt.Fprintf(m.stderr, "lvs-kernel: Linux %s (%s, %s %s of Debian %s)\n",
			r.release, m.kernel.Kernel, m.kernel.Package, m.kernel.Version, m.kernel.Suite)
	}
}

// result turns the guest's report into an exit status.
func (m *machine) result(r reportResult) (int, error) {
	switch {
	case r.rep.exited:
		return r.rep.status, nil
	case r.rep.failure != "":
		return exitRunner, fmt.Errorf("the kernel %s could not run the command: %s", m.kernel.Kernel, r.rep.failure)
	case r.err != nil:
		return exitRunner, r.err
	}
	return exitRunner, m.died(r.rep.started)
}

// died says in one line why the kernel ended before the command did.
func (m *machine) died(started bool) error {
	ended, hint := errNotStarted, ""
	if started {
		ended = errors.New("ended while the command ran")
	}
	if !m.opts.console {
		hint = "; -console shows its messages"
	}
	if !started {
		hint += "; where it cannot run, use " + m.opts.kernel.instead
	}
	why := lastWords(m.console.String())
	if why == "" {
		why = "it said nothing"
		if s := m.cmd.ProcessState; s != nil {
			why += " (" + s.String() + ")"
		}
	}
	return fmt.Errorf("the kernel %s (Linux %s) %w: %s%s", m.kernel.Kernel, m.kernel.Release, ended, why, hint)
}

// errNotStarted is the end of a kernel that crashed while it booted.
var errNotStarted = errors.New("ended before the command was started")

// start starts the kernel's process in a session of its own.
func (m *machine) start() (control *os.File, err error) {
	// Processes that the kernel's own process leaves behind become our
	// children, so that we can end them.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("become the reaper of the kernel's processes: %w", err)
	}
	var theirs []*os.File
	line := func() (*os.File, *os.File) {
		r, w, perr := os.Pipe()
		err = errors.Join(err, perr)
		theirs, m.ends = append(theirs, w), append(m.ends, r)
		return r, w
	}
	console, consoleW := line()
	control, controlW := line()
	stdout, stdoutW := line()
	stderr, stderrW := line()
	if err != nil {
		return nil, err
	}
	m.cmd.Stdout, m.cmd.Stderr = consoleW, consoleW
	m.cmd.ExtraFiles = []*os.File{controlW, stdoutW, stderrW}
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if err = m.cmd.Start(); err == nil {
		m.guard.watch(m.cmd.Process.Pid)
	}
	for _, f := range theirs {
		f.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("start the kernel %s: %w", m.kernel.Kernel, err)
	}
	var messages io.Writer = &m.console
	if m.opts.console {
		messages = io.MultiWriter(&m.console, m.stderr)
	}
	m.carry(messages, console)
	m.carry(m.stdout, stdout)
	m.carry(m.stderr, stderr)
	return control, nil
}

// carry copies a line. When our own output is gone the line is read on, so
// that the command does not hang.
func (m *machine) carry(w io.Writer, r io.Reader) {
	m.copies.Go(func() {
		_, _ = io.Copy(w, r)
		_, _ = io.Copy(io.Discard, r)
	})
}

func (m *machine) waitOrKill(ended <-chan struct{}, d time.Duration) {
	select {
	case <-ended:
	case <-time.After(d):
	}
}

// end ends every process of the kernel, and waits until all that it wrote has
// been carried on, however slowly our own output is read; a signal or the
// timeout ends the waiting.
func (m *machine) end(ctx context.Context) {
	_ = unix.Kill(-m.cmd.Process.Pid, unix.SIGKILL)
	killDescendants(m.guard.cmd.Process.Pid)
	done := make(chan struct{})
	go func() { m.copies.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		// What has arrived may still be shown.
		select {
		case <-done:
		case <-time.After(200 * time.Millisecond):
		}
	}
	for _, f := range m.ends {
		f.Close()
	}
}
