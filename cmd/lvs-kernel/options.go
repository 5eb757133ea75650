package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"
)

// options are what the command line asks for.
type options struct {
	kernel  kernel
	command []string

	list    bool
	update  bool
	verbose bool
	console bool
	timeout time.Duration
	memory  int // MiB.
	cpus    int
	load    []string
	write   []string
	pad     string   // Whether to pad the processor state that 6.1 and 6.12 give to the host.
	preload []string // Shared objects for a UML kernel's process.
	cache   string
	mirror  string
}

// Whether to pad the processor state of a kernel, as -pad has it.
const (
	padAuto   = "auto" // Where the host has more than the kernel knows.
	padAlways = "always"
	padNever  = "never"
)

// stringList is a flag that may be given more than once.
type stringList []string

func (s *stringList) String() string { return strings.Join(*s, ",") }

func (s *stringList) Set(v string) error {
	for _, one := range strings.Split(v, ",") {
		if one = strings.TrimSpace(one); one == "" {
			return errors.New("is empty")
		}
		*s = append(*s, one)
	}
	return nil
}

// parseOptions reads the command line. It writes the usage text to stderr and
// returns flag.ErrHelp when help was asked for.
func parseOptions(args []string, stderr io.Writer) (options, error) {
	var o options
	load := stringList{"ip_vs"}
	var more, write, preload stringList
	fs := flag.NewFlagSet("lvs-kernel", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	fs.BoolVar(&o.list, "list", false, "")
	fs.BoolVar(&o.update, "update", false, "")
	fs.BoolVar(&o.verbose, "v", false, "")
	fs.BoolVar(&o.console, "console", false, "")
	fs.DurationVar(&o.timeout, "timeout", 10*time.Minute, "")
	fs.IntVar(&o.memory, "mem", 2048, "")
	fs.IntVar(&o.cpus, "cpus", 2, "")
	fs.Var(&more, "load", "")
	fs.Var(&write, "write", "")
	fs.StringVar(&o.pad, "pad", padAuto, "")
	fs.Var(&preload, "preload", "")
	fs.StringVar(&o.cache, "cache", "", "")
	fs.StringVar(&o.mirror, "mirror", "", "")
	err := fs.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stderr, usage)
		return o, err
	}
	if err != nil {
		return o, fmt.Errorf("%w; lvs-kernel -h lists the flags", err)
	}
	o.load = append(load, more...)
	if o.write, err = absolute("-write", write); err != nil {
		return o, err
	}
	if o.preload, err = absolute("-preload", preload); err != nil {
		return o, err
	}
	if err := o.check(); err != nil {
		return o, err
	}
	return o, o.setCommand(fs.Args())
}

// absolute makes the files that a flag names absolute.
func absolute(flag string, files []string) ([]string, error) {
	var out []string
	for _, f := range files {
		abs, err := filepath.Abs(f)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", flag, f, err)
		}
		out = append(out, abs)
	}
	return out, nil
}

func (o *options) check() error {
	switch {
	case o.timeout < 0:
		return fmt.Errorf("-timeout %v is negative; 0 means no limit", o.timeout)
	case o.memory < 128 || o.memory > 1<<20:
		return fmt.Errorf("-mem %d: the kernels need from 128 MiB to %d MiB", o.memory, 1<<20)
	case o.cpus < 1 || o.cpus > 64:
		return fmt.Errorf("-cpus %d: give from 1 to 64", o.cpus)
	case o.pad != padAuto && o.pad != padAlways && o.pad != padNever:
		return fmt.Errorf("-pad %s: give %s, %s or %s", o.pad, padAuto, padAlways, padNever)
	}
	for _, f := range o.preload {
		if strings.ContainsAny(f, ": ") {
			return fmt.Errorf("-preload %s: the dynamic loader accepts no path with a space or a colon", f)
		}
	}
	return nil
}

// setCommand parses the words after the flags: VERSION -- COMMAND ARGS…. The
// dashes may be left out, as go test -exec users often do.
func (o *options) setCommand(words []string) error {
	if o.list && len(words) == 0 {
		return nil
	}
	if len(words) == 0 {
		return errors.New("a kernel must be named; see lvs-kernel -h")
	}
	var err error
	if o.kernel, err = findKernel(words[0]); err != nil {
		return err
	}
	o.command = words[1:]
	if len(o.command) > 0 && o.command[0] == "--" {
		o.command = o.command[1:]
	}
	if len(o.command) == 0 && !o.update {
		return fmt.Errorf("no command given; write lvs-kernel %s -- COMMAND", words[0])
	}
	return nil
}
