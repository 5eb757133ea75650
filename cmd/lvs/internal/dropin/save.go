package dropin

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/ipvsadm"
)

// save prints what -S asks for.
func (env Env) save(ctx context.Context, host *lvs.Host, c ipvsadm.Command) int {
	table, err := host.Client().Snapshot(ctx)
	if err != nil {
		return env.fail(message(err), exitFailed)
	}
	if c.Full {
		return env.saveAll(ctx, host.Client(), table.Table())
	}
	o := ipvsadm.SaveOptions{UnsignedMarks: true}
	if !c.Numeric {
		o.Names = env.Names
	}
	if err := ipvsadm.SaveWith(env.Out, table.Table(), o); err != nil {
		return env.fail(err.Error(), exitFailed)
	}
	return 0
}

// saveAll prints what -S --full asks for: nothing is lost.
func (env Env) saveAll(ctx context.Context, client *lvs.Client, table lvs.Table) int {
	f := ipvsadm.File{Table: table}
	var err error
	if f.Timeouts, err = client.Timeouts(ctx); err == nil {
		f.SyncDaemons, err = client.SyncDaemons(ctx)
	}
	if err != nil {
		return env.fail(message(err), exitFailed)
	}
	text, err := f.MarshalText()
	if err != nil {
		return env.fail(err.Error(), exitFailed)
	}
	return env.print(string(text))
}

// restore makes the changes of the lines that it reads: all, or none if one of them
// cannot be read.
func (env Env) restore(ctx context.Context, clear bool) int {
	text, err := io.ReadAll(env.In)
	if err != nil {
		return env.fail(err.Error(), exitFailed)
	}
	changes, err := ipvsadm.Parser{Names: env.Names, DropPorts: true}.Parse(text)
	if err != nil {
		return env.fail(err.Error()+"\nNothing was changed.", exitUsage)
	}
	host, status := env.open(ctx)
	if host == nil {
		return status
	}
	if clear {
		changes = append([]lvs.Change{lvs.Flush()}, changes...)
	}
	return env.make(ctx, host.Client(), changes)
}

// make makes many changes, and says which the kernel refused.
func (env Env) make(ctx context.Context, client *lvs.Client, changes []lvs.Change) int {
	err := client.Do(ctx, changes...)
	if err == nil {
		return 0
	}
	failures := []lvs.Failure(nil)
	if batch, ok := err.(*lvs.BatchError); ok {
		failures = batch.Failures
	}
	if failures == nil {
		return env.fail(message(err), exitFailed)
	}
	for _, f := range failures {
		command, bad := ipvsadm.Commands(f.Change)
		if bad != nil {
			command = f.Change.String()
		}
		fmt.Fprintf(env.Err, "%s: %s\n", message(f.Err), strings.TrimSpace(command))
	}
	return exitFailed
}

// Save runs ipvsadm-save with arguments, and returns its exit status.
func Save(ctx context.Context, env Env, args []string) int {
	words := []string{"-S"}
	for _, a := range args {
		switch {
		case a == "-n", a == "--full":
			words = append(words, a)
		case strings.HasPrefix(a, "-"):
			return env.fail(saveUsage, 1)
		}
	}
	return Main(ctx, env, words)
}

const saveUsage = `ipvsadm-save: Script to save the IPVS table to stdout.
   With the -n option, prints out the table in numeric format.`

// Restore runs ipvsadm-restore, and returns its exit status. As that does, it ignores
// its arguments.
func Restore(ctx context.Context, env Env) int { return env.restore(ctx, true) }
