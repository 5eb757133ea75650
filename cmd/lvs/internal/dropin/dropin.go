// Package dropin does what ipvsadm 1.31 does, with the same options, output, messages and
// exit statuses, on package lvs. What it does otherwise is in [Differences].
package dropin

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/ipvsadm"
)

// Exit statuses of ipvsadm.
const (
	exitNotListed = 1   // the service of a listing does not exist
	exitUsage     = 2   // the options are wrong
	exitFailed    = 255 // the kernel refused, or an option could not be read
)

var (
	//go:embed usage.txt
	usage string
	//go:embed version.txt
	version string
)

// Env is what ipvsadm uses of its surroundings.
type Env struct {
	In       io.Reader
	Out, Err io.Writer
	Host     func(context.Context) (*lvs.Host, error)
	Names    ipvsadm.Names // looks up names; nil: there are none
}

// Main runs ipvsadm with arguments, and returns its exit status.
func Main(ctx context.Context, env Env, args []string) int {
	p := ipvsadm.Parser{Names: env.Names, DropPorts: true}
	c, err := p.Command(args...)
	if err != nil {
		return env.refuse(ctx, err, c)
	}
	switch c.Kind {
	case ipvsadm.CommandHelp:
		return env.print(usage)
	case ipvsadm.CommandVersion:
		return env.print(version)
	case ipvsadm.CommandRestore:
		return env.restore(ctx, false)
	}
	host, status := env.open(ctx)
	if host == nil {
		return status
	}
	switch c.Kind {
	case ipvsadm.CommandList:
		return env.list(ctx, host, c)
	case ipvsadm.CommandSave:
		return env.save(ctx, host, c)
	}
	return env.change(ctx, host.Client(), c.Change)
}

const areYouSure = "Are you sure that IP Virtual Server is built in the kernel or as module?"

// open opens the host, or says why that is not possible.
func (env Env) open(ctx context.Context) (*lvs.Host, int) {
	host, err := env.Host(ctx)
	if err == nil {
		_, err = host.Client().Info(ctx) // which needs the kernel and the permission
	}
	if err == nil {
		return host, 0
	}
	switch {
	case errors.Is(err, lvs.ErrPermission):
		env.fail("Can't initialize ipvs: Permission denied (you must be root)\n"+areYouSure, 0)
	case errors.Is(err, lvs.ErrUnavailable):
		env.fail("Can't initialize ipvs: Protocol not available\n"+areYouSure, 0)
	}
	fmt.Fprintln(env.Err, err) // which says what to do
	return nil, exitUsage
}

// refuse says what is wrong with the arguments, in ipvsadm's words if it has some. What
// ipvsadm leaves to the kernel is of no interest there if the service does not exist.
func (env Env) refuse(ctx context.Context, err error, c ipvsadm.Command) int {
	var bad *ipvsadm.Error
	if errors.As(err, &bad) {
		if message, status := bad.Original(); message != "" {
			if slices.Contains(kernelMessages, message) && c.Service.IsValid() {
				host, status := env.open(ctx)
				if host == nil {
					return status
				}
				message = messageBefore(ctx, host.Client(), c, message)
			}
			fmt.Fprintln(env.Err, message)
			return status
		}
	}
	fmt.Fprintln(env.Err, err)
	return exitUsage
}

// change makes one change.
func (env Env) change(ctx context.Context, client *lvs.Client, ch lvs.Change) int {
	err := client.Do(ctx, ch)
	if id, addr := ch.ServiceID(), ch.RealServerAddr(); ch.Op() == lvs.OpRemoveRealServer && errors.Is(err, lvs.ErrNoRealServer) && id.FWMark() != 0 && addr.Port() != 0 {
		err = client.Do(ctx, lvs.RemoveRealServer(id, portless(addr))) // -a dropped the port too
	}
	if err == nil {
		return 0
	}
	return env.fail(message(err), exitFailed)
}

// fail prints a message and returns the status.
func (env Env) fail(text string, status int) int {
	fmt.Fprintln(env.Err, text)
	return status
}

// print prints a text.
func (env Env) print(text string) int {
	if _, err := io.WriteString(env.Out, text); err != nil {
		return env.fail(err.Error(), exitFailed)
	}
	return 0
}
