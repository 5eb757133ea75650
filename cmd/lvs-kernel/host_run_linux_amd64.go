package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"
)

// errTimeout ends a run that took longer than -timeout.
var errTimeout = errors.New("timeout")

// A signalError ends a run that a signal has stopped.
type signalError struct{ sig unix.Signal }

func (e signalError) Error() string { return "stopped by " + unix.SignalName(e.sig) }

// perform does what the command line asks for.
func perform(o options, stdout, stderr io.Writer) (int, error) {
	ctx, stop := untilSignal()
	defer stop()
	s, err := openStore(o, stderr)
	if err != nil {
		return exitRunner, err
	}
	if o.list {
		return 0, s.list(stdout)
	}
	k, release, err := s.get(ctx, o)
	if err != nil {
		return exitOf(err), err
	}
	defer release()
	if len(o.command) == 0 {
		return 0, nil
	}
	return run(ctx, o, k, stdout, stderr)
}

// untilSignal returns a context that a signal ends.
func untilSignal() (context.Context, func()) {
	endWithGo()
	ctx, cancel := context.WithCancelCause(context.Background())
	c := make(chan os.Signal, 1)
	signal.Notify(c, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT)
	go func() {
		if sig, ok := (<-c).(unix.Signal); ok {
			cancel(signalError{sig})
		}
	}()
	return ctx, func() { signal.Stop(c); cancel(nil) }
}

// endWithGo lets the end of go run or go test end this process too. They are
// killed without a chance to tell us.
func endWithGo() {
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", os.Getppid()))
	if err == nil && string(comm) == "go\n" {
		_ = unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGTERM), 0, 0, 0)
	}
}

// exitOf is the exit status for an error of the runner.
func exitOf(err error) int {
	var s signalError
	switch {
	case errors.As(err, &s):
		return 128 + int(s.sig)
	case errors.Is(err, errTimeout):
		return exitTimeout
	}
	return exitRunner
}

// list writes a line for each kernel.
func (s *store) list(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "VERSION\tRELEASE\tPACKAGE\tFETCHED\tWHAT")
	for _, k := range catalogue {
		release, pkg, fetched := "-", k.pkg, "not in the cache"
		if got, ok := s.read(k.name); ok {
			release, pkg = got.Release, got.Package+" "+got.Version
			fetched = got.Fetched.Format(time.DateOnly)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", k.name, release, pkg, fetched, k.about)
	}
	return t.Flush()
}

// boots is how often a kernel in QEMU is started before it is given up: emulated
// CPUs trip now and then over code that another one patches while the kernel
// boots. Nothing of the command has run then.
const boots = 3

// run runs the command in the kernel.
func run(ctx context.Context, o options, k stored, stdout, stderr io.Writer) (int, error) {
	for try := 1; ; try++ {
		code, err := boot(ctx, o, k, stdout, stderr)
		if !errors.Is(err, errNotStarted) || !o.kernel.qemu || try == boots {
			return code, err
		}
		if o.verbose {
			fmt.Fprintf(stderr, "lvs-kernel: the kernel %s crashed while it booted, and is started again\n", o.kernel.name)
		}
	}
}

// boot starts the kernel and runs the command in it.
func boot(ctx context.Context, o options, k stored, stdout, stderr io.Writer) (int, error) {
	dir, err := os.MkdirTemp("", runPrefix)
	if err != nil {
		return exitRunner, err
	}
	defer os.RemoveAll(dir)
	m, err := newMachine(o, k, dir)
	if err != nil {
		return exitRunner, err
	}
	if m.guard, err = startGuard(m.self, dir); err != nil {
		return exitRunner, err
	}
	defer m.guard.dismiss()
	if o.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, o.timeout, errTimeout)
		defer cancel()
	}
	m.stdout, m.stderr = stdout, stderr
	code, err := m.run(ctx)
	if errors.Is(err, errTimeout) {
		err = fmt.Errorf("%w: the kernel %s was ended after %v; -timeout sets another limit", errTimeout, o.kernel.name, o.timeout)
	}
	return code, err
}

// newMachine prepares the kernel's process.
func newMachine(o options, k stored, dir string) (*machine, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if static, err := isStatic(self); err != nil || !static {
		return nil, fmt.Errorf("%s is not a static program, and cannot be init in the kernel; build it with CGO_ENABLED=0 and without -race", self)
	}
	cwd, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	if o.write, err = writable(o, cwd); err != nil {
		return nil, err
	}
	g := guestConfig{
		Name: o.kernel.name, Dir: cwd, Args: o.command, Env: os.Environ(),
		Modules: k.modules(), Load: o.load, Self: self,
	}
	build := umlCommand
	if o.kernel.qemu {
		build = qemuCommand
	}
	m := &machine{opts: o, kernel: k, self: self}
	m.cmd, err = build(o, k, dir, &g)
	return m, err
}

// writable returns the host's folders that the command may write to.
func writable(o options, cwd string) ([]string, error) {
	dirs := o.write
	for _, d := range dirs {
		if st, err := os.Stat(d); err != nil {
			return nil, fmt.Errorf("-write: %w", err)
		} else if !st.IsDir() {
			return nil, fmt.Errorf("-write %s: is not a folder", d)
		}
	}
	for _, d := range append(testOutputs(o.command[1:], cwd), os.Getenv("GOCOVERDIR")) {
		if d == "" {
			continue
		}
		if st, err := os.Stat(d); err == nil && st.IsDir() {
			dirs = append(dirs, d)
		}
	}
	for i, d := range dirs {
		if real, err := filepath.EvalSymlinks(d); err == nil {
			dirs[i] = real
		}
	}
	return outermost(dirs), nil
}
