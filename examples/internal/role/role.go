// Package role has what the examples dr, nat and tun have in common: a program that
// makes a host a director or a real server, prints the equivalent commands, diagnoses
// the host, and restores it.
package role

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/golvs/lvs"
)

// Program is one of the examples. Its functions are called after the flags have been
// parsed.
type Program struct {
	Name     string
	Defaults Options                  // of the flags that all programs have
	Flags    func(f *flag.FlagSet)    // defines the others
	Mode     func() (lvs.Mode, error) // of the real servers

	// What each host needs.
	Director, RealServer func(o Options) (lvs.Setup, error)
}

// Options are the values of the flags that all programs have.
type Options struct {
	VIP        netip.AddrPort
	Servers    []netip.AddrPort // those of the original scripts by default
	Scheduler  lvs.Scheduler
	Persistent time.Duration // 0 disables persistence
	Interface  string        // where clients reach the VIP
}

// Open opens the host to set up.
type Open func(context.Context) (*lvs.Host, error)

// Exit statuses.
const (
	good   = 0
	failed = 1 // or -check found something
	usage  = 2
)

// Main runs the program on this machine and ends it.
func (p Program) Main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := p.Run(ctx, os.Args[1:], os.Stdout, os.Stderr, func(ctx context.Context) (*lvs.Host, error) { return lvs.OpenHost(ctx) })
	stop()
	os.Exit(status)
}

// Run runs the program and returns its exit status.
func (p Program) Run(ctx context.Context, args []string, out, messages io.Writer, open Open) int {
	a := arguments{Options: p.Defaults}
	f := a.flags(p, messages)
	if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
		return good
	} else if err != nil {
		return usage // the flag set has printed the error
	}
	w, err := p.work(ctx, a, f.Args(), out)
	if err != nil {
		fmt.Fprintf(messages, "%s: %v\n", p.Name, err)
		return usage
	}
	if err := w.do(ctx, open); err != nil {
		fmt.Fprintf(messages, "%s: %v\n", p.Name, err)
		return failed
	}
	return good
}
