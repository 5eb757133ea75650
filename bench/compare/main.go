//go:build linux

// Command compare measures this library beside its peers: adding a table to
// the kernel and reading it back, by the library, by two other Go packages, by
// ipvsadm, and by a bare socket that sends prepared bytes.
//
// It runs as root in a kernel with IPVS; the README tells how to get one.
package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

// options are what the command line asks for.
type options struct {
	services, servers int // 0: those of the work
	rounds            int
	works             []string
	only              []string
	cpu               string
}

func parseOptions(args []string) (options, error) {
	var o options
	var works, only string
	fs := flag.NewFlagSet("compare", flag.ExitOnError)
	fs.IntVar(&o.services, "services", 0, "services in the table (default by the work)")
	fs.IntVar(&o.servers, "servers", 0, "real servers of each service (default by the work)")
	fs.IntVar(&o.rounds, "rounds", 7, "rounds that count; one more goes before them")
	fs.StringVar(&works, "work", "adding,reading", "what to measure, of "+workNames())
	fs.StringVar(&only, "only", "", "the contenders to measure, of "+names()+" (default all)")
	fs.StringVar(&o.cpu, "cpuprofile", "", "write a CPU profile to this file; its tag timed=NAME is on what was timed")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	o.works, o.only = split(works), split(only)
	if o.rounds < 1 || o.services < 0 || o.servers < 0 || fs.NArg() > 0 {
		return o, errors.New("give at least one round, no negative numbers, and no arguments but flags")
	}
	return o, o.job(small).check()
}

// job returns what a work is done with.
func (o options) job(j job) job {
	return job{services: cmp.Or(o.services, j.services), servers: cmp.Or(o.servers, j.servers), edited: j.edited}
}

func split(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' })
}

func run(args []string, out io.Writer) (err error) {
	o, err := parseOptions(args)
	if err != nil {
		return err
	}
	if o.cpu != "" {
		stop, err := profile(o.cpu)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, stop()) }()
	}
	return o.measure(out)
}

func profile(name string) (stop func() error, err error) {
	f, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error { pprof.StopCPUProfile(); return f.Close() }, nil
}

func (o options) measure(out io.Writer) error {
	fmt.Fprintln(out, o.heading())
	for _, name := range o.works {
		i := slices.IndexFunc(works, func(w work) bool { return w.name == name })
		if i < 0 {
			return fmt.Errorf("there is no work %q", name)
		}
		contenders := only(works[i].contenders, o.only)
		if len(contenders) == 0 {
			return fmt.Errorf("none of %q does %s", o.only, name)
		}
		j := o.job(works[i].job)
		if err := j.check(); err != nil {
			return err
		}
		all, err := works[i].measure(j, contenders, o.rounds)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		fmt.Fprintf(out, "\n%s\n", j)
		if err := all.write(out, name, j.objects(), works[i].against); err != nil {
			return err
		}
	}
	return nil
}

// heading says what is measured with what.
func (o options) heading() string {
	return fmt.Sprintf("%s, Linux %s, %s, %d rounds\n%s; %s; %s",
		time.Now().Format(time.DateOnly), release(), runtime.Version(), o.rounds,
		version(mobyPath), version(cloudflarePath), ipvsadmVersion())
}

func release() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return err.Error()
	}
	return unix.ByteSliceToString(u.Release[:])
}

// version returns the version of a module in this program.
func version(path string) string {
	info, _ := debug.ReadBuildInfo()
	for _, m := range info.Deps {
		if m.Path == path {
			return path + " " + m.Version
		}
	}
	return path
}

func ipvsadmVersion() string {
	out, err := exec.Command("ipvsadm", "--version").Output()
	if err != nil {
		return err.Error()
	}
	words := strings.Fields(string(out))
	return strings.Join(words[:min(2, len(words))], " ")
}
