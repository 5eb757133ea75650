package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/cli"
	"github.com/golvs/lvs/cmd/lvs/internal/tablefile"
	"github.com/golvs/lvs/director"
	"github.com/golvs/lvs/health"
	"github.com/golvs/lvs/metrics"
)

func runCommand() *cli.Command {
	return &cli.Command{
		Name:  "run",
		Args:  "[FILE]",
		Brief: "keep the table what a file says, until interrupted",
		Doc: fileDoc + ` The file is
read again when it changes. While it is missing or broken, the last good table stays wanted,
and a message says where it is broken; it must be good at the beginning. Timeouts and sync
daemons of a save file are not kept: 'lvs restore' sets them.

What other programs change is put right, unless -shared leaves it, and each event is printed.
Real servers that are not wanted any more may keep their connections for as long as -drain
says. A file that takes more of the real servers out of service at once than -max-removal
allows is refused: SIGUSR1 allows it. SIGHUP prints the status, and looks at the table at
once.

The real servers of a service with a "health" in FILE are checked, and their weights follow.
Operators decide otherwise in the file of -overrides: see "lvs override". The program of
-hook runs for each event of the checks, one after another. It gets the event in its
environment, such as LVS_EVENT="limit crossed" and LVS_STATE=below, and as one line of JSON
on its standard input.

When run ends, the table stays as it is. With -state, the next run goes on with drains, and
knows what this one applied.

With -demo, FILE may be left out: another program then changes the table now and then.

    lvs run /etc/lvs/table.yaml -state /var/lib/lvs/table.json -prune -drain 5m`,
		Host: true,
		New:  func() cli.Action { return &keep{} },
	}
}

// keep keeps the table as it is wanted.
type keep struct {
	tableFlags
	resync    time.Duration
	metrics   string
	overrides string
	status    string
	hook      string
}

func (k *keep) Flags(f *flag.FlagSet) {
	k.flags(f)
	f.DurationVar(&k.resync, "resync", 0, "look at the table each `TIME`; 0 is 30s")
	f.StringVar(&k.metrics, "metrics", "", "serve metrics at `ADDRESS`, as 'lvs metrics -listen' does, with the state of this run")
	f.StringVar(&k.overrides, "overrides", "", "follow what operators have decided in the file `FILE`, which lvs override writes")
	f.StringVar(&k.hook, "hook", "", "run the program `HOOK` for each event of the checks")
	f.StringVar(&k.status, "status", "", "write the status to the file `STATUS` each second, for lvs top -status")
}

func (k *keep) Run(ctx context.Context, env *cli.Env, args []string) error {
	if err := k.check(); err != nil {
		return err
	}
	env = lockOutput(env)
	host, err := env.Host(ctx)
	if err != nil {
		return err
	}
	if err := cmp.Or(k.findStateFolder(), findFolder("-overrides", k.overrides), findFolder("-status", k.status)); err != nil {
		return err
	}
	hook, err := k.newHook(env)
	if err != nil {
		return err
	}
	defer k.vandalize(ctx, env, host, args)()
	source, err := k.source(ctx, env, host, args)
	if err != nil {
		return err
	}
	o := director.Options{
		Table: k.table, Shared: k.shared, StateFile: k.state, Source: source, MaxRemoval: k.most, Resync: k.resync,
		OverridesFile: k.overrides,
	}
	o.OnEvent = func(e director.Event) {
		printEvent(env.Out, e)
		if e, ok := e.(director.Health); ok && hook != nil {
			hook.OnEvent(e.Event)
		}
	}
	o.Table.Host = host
	if err := checkDemo(env, &o); err != nil {
		return err
	}
	d, err := director.New(host.Client(), o)
	if err != nil {
		return err
	}
	if env.Notify != nil {
		show := func() {
			fmt.Fprintln(env.Out, d.Status())
			d.Look()
		}
		defer env.Notify(show, func() { d.Allow() })()
	}
	if err := k.direct(ctx, env, host, d, hook); err != nil {
		return err
	}
	_, err = fmt.Fprintln(env.Out, d.Status())
	return err
}

// source returns where the wanted table comes from.
func (k *keep) source(ctx context.Context, env *cli.Env, host *lvs.Host, args []string) (director.Source, error) {
	if len(args) == 0 {
		if world, err := env.World(); world == nil {
			return nil, cmp.Or(err, cli.Usagef("FILE is missing, which only -demo can do without"))
		}
		now, err := host.Client().Snapshot(ctx)
		return director.Fixed(now.Table()), err
	}
	if args[0] == "-" {
		return nil, cli.Usagef("the standard input cannot be read again: name a file")
	}
	first, err := readTableFile(ctx, env, args[0])
	if err != nil {
		return nil, err
	}
	for _, note := range first.Notes {
		fmt.Fprintln(env.Err, note)
	}
	return director.File{Path: args[0], Decode: func(text []byte) (director.Config, error) {
		file, err := tablefile.DecodeNamed(args[0], text)
		return file.Config(), err
	}}, nil
}

// newHook returns the hook of -hook; nil without one.
func (k *keep) newHook(env *cli.Env) (*health.Hook, error) {
	if k.hook == "" {
		return nil, nil
	}
	if _, err := exec.LookPath(k.hook); err != nil {
		return nil, fmt.Errorf("-hook: %w", err)
	}
	hook, err := health.NewHook(health.HookOptions{Path: k.hook}, func(err error) { fmt.Fprintln(env.Err, err) })
	if err != nil {
		return nil, cli.Usagef("-hook: %v", err)
	}
	return hook, nil
}

// direct runs the director and its hook, serves metrics and writes the status, until the context ends,
// which is not an error, or one of them fails.
func (k *keep) direct(outer context.Context, env *cli.Env, host *lvs.Host, d *director.Director, hook *health.Hook) error {
	ctx, cancel := context.WithCancel(outer)
	defer cancel()
	var beside []func(context.Context) error
	if k.metrics != "" {
		failed := failures{report: env.Err}
		collector, err := metrics.New(host, metrics.Options{OnError: failed.add, Director: d})
		if err != nil {
			return err
		}
		beside = append(beside, func(ctx context.Context) error { return serveMetrics(ctx, env, k.metrics, collector) })
	}
	if hook != nil {
		beside = append(beside, func(ctx context.Context) error {
			_ = hook.Run(ctx) // it ends with its context alone
			return nil
		})
	}
	if k.status != "" {
		beside = append(beside, func(ctx context.Context) error { return writeStatus(ctx, k.status, d) })
	}
	ended := make(chan error, len(beside))
	for _, run := range beside {
		go func() {
			ended <- run(ctx)
			cancel()
		}()
	}
	err := d.Run(ctx)
	cancel()
	var failed error
	for range beside {
		failed = cmp.Or(failed, <-ended)
	}
	if failed != nil {
		return failed
	}
	if outer.Err() != nil && errors.Is(err, outer.Err()) {
		return nil
	}
	return err
}

// printEvent prints an event, and the steps of those that have some.
func printEvent(out io.Writer, e director.Event) {
	text := e.String()
	switch e := e.(type) {
	case director.Applied:
		text += "\n" + e.Plan.String()
	case director.Refused:
		text += "\n" + e.Plan.String()
	}
	fmt.Fprintln(out, time.Now().Format("15:04:05.000"), strings.ReplaceAll(text, "\n", "\n    "))
}

// lockOutput returns an environment of which several goroutines may write.
func lockOutput(env *cli.Env) *cli.Env {
	lock := new(sync.Mutex)
	env.Out, env.Err = lockedWriter{lock, env.Out}, lockedWriter{lock, env.Err}
	return env
}

type lockedWriter struct {
	*sync.Mutex
	to io.Writer
}

func (w lockedWriter) Write(text []byte) (int, error) {
	w.Lock()
	defer w.Unlock()
	return w.to.Write(text)
}
