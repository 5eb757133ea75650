//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// contender is a program that checks real servers.
type contender struct {
	name    string
	command func(l *lab) []string
	version func() string
}

var contenders = []contender{
	{"lvs",
		func(l *lab) []string { return []string{"/proc/self/exe", "-serve", l.config} },
		func() string { return "lvs" }},
	{"keepalived",
		func(l *lab) []string {
			return []string{"keepalived", "--dont-fork", "--check", "--log-console", "--use-file", l.config,
				"--pid", filepath.Join(l.folder, "pid"), "--checkers_pid", filepath.Join(l.folder, "checkers")}
		},
		keepalivedVersion},
}

func names() string {
	var all []string
	for _, c := range contenders {
		all = append(all, c.name)
	}
	return strings.Join(all, ", ")
}

// contendersOf returns the contenders of some names, and all without names.
func contendersOf(names []string) (some []contender, err error) {
	if len(names) == 0 {
		return contenders, nil
	}
	for _, name := range names {
		i := slices.IndexFunc(contenders, func(c contender) bool { return c.name == name })
		if i < 0 {
			return nil, fmt.Errorf("no contender is called %q", name)
		}
		some = append(some, contenders[i])
	}
	return some, nil
}

// keepalivedVersion returns the first line of what keepalived says.
func keepalivedVersion() string {
	out, err := exec.Command("keepalived", "--version").CombinedOutput()
	if err != nil {
		return err.Error()
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}

// process is a contender that runs.
type process struct {
	*exec.Cmd
	begun time.Time
	out   bytes.Buffer
}

// start starts a contender on the director.
func (l *lab) start(ctx context.Context, c contender) (*process, error) {
	args := c.command(l)
	p := &process{Cmd: exec.CommandContext(ctx, args[0], args[1:]...)}
	p.Stdout, p.Stderr = &p.out, &p.out
	p.Cancel = func() error { return p.Process.Signal(syscall.SIGTERM) }
	p.WaitDelay = 10 * time.Second
	p.begun = time.Now()
	return p, l.director.Do(p.Start)
}

func (p *process) stop() error {
	if p.ProcessState != nil {
		return nil // it has been stopped for its log
	}
	_ = p.Process.Signal(syscall.SIGTERM)
	err := p.Wait()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return nil // how it ends is not measured
	}
	return err
}

// log returns the end of what it said. It is called when nothing more is measured.
func (p *process) log() string {
	_ = p.stop()
	text := p.out.String()
	return text[max(0, len(text)-2000):]
}

// cost returns the processor time a second of a contender and its children, and how many
// checks a second that was for.
func (l *lab) cost(ctx context.Context, p *process, rest time.Duration) (cpu time.Duration, probes int64, err error) {
	if err := sleep(ctx, 5*time.Second); err != nil { // after which it has started
		return 0, 0, err
	}
	before, err := spent(p.Process.Pid)
	if err != nil {
		return 0, 0, err
	}
	begun, asked := time.Now(), l.asked.Load()
	if err := sleep(ctx, rest); err != nil {
		return 0, 0, err
	}
	after, err := spent(p.Process.Pid)
	if err != nil {
		return 0, 0, err
	}
	took := time.Since(begun).Seconds()
	return time.Duration(float64(after-before) / took), int64(math.Round(float64(l.asked.Load()-asked) / took)), nil
}

// spent returns the processor time of a process and of its children that still run.
func spent(pid int) (total time.Duration, err error) {
	for _, one := range family(pid) {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", one))
		if err != nil {
			return 0, err
		}
		for _, name := range threads {
			text, err := os.ReadFile(name)
			if err != nil {
				continue // the thread has ended
			}
			run, _, _ := strings.Cut(string(text), " ")
			n, err := strconv.ParseInt(run, 10, 64)
			if err != nil {
				return 0, fmt.Errorf("%s: %w", name, err)
			}
			total += time.Duration(n)
		}
	}
	if total == 0 {
		return 0, errors.New("the kernel does not tell processor times")
	}
	return total, nil
}

// family returns a process and its descendants.
func family(pid int) []int {
	all := []int{pid}
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, name := range tasks {
		text, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		for _, word := range strings.Fields(string(text)) {
			if child, err := strconv.Atoi(word); err == nil {
				all = append(all, family(child)...)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
